"""When the server closes idle connections: from the closes that were seen, and from their absence.

A connection's idle time is from the last byte of its response to the first sign of its end: both
were half a round trip on their way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from keptalive.probe.events import Ended, Failure, Role
from keptalive.probe.history import Gap, History
from keptalive.records.connection import CloseReason
from keptalive.records.probe import Span

AT_ONCE_S = 0.015  # a close so soon after a response belongs to that response
_TOGETHER_S = 0.05  # closes so near to each other happen in one pass of the server
_APART_S = 0.2  # of connections that became idle at different times


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """What is known of idle connections.

    Attributes:
        timeout: the shortest and longest idle time at which the server closed; None if never.
        sweeps: it closed connections together that became idle at different times: it looks from
            time to time, and its timeout may be shorter than any close.
        kept: so many were not closed, although others were.
        watched_s: the longest time for which one was watched.
        survived_s: the longest idle time after which a request got a response.
        dropped: after these the path had forgotten the connection, the shortest first.
        control_answered: a connection in use got a response after that.
    """

    timeout: Span | None = None
    samples: int = 0
    sweeps: bool = False
    kept: int = 0
    watched_s: float = 0.0
    survived_s: float | None = None
    dropped: tuple[Gap, ...] = ()
    control_answered: bool = False


def idle_of(all_: Sequence[History], ended: Ended) -> Idle:
    """What these connections show."""
    watched = [
        one
        for one in all_
        if one.role in (Role.IDLE, Role.RUNG) and one.answers and not one.announced
    ]
    closed = [one for one in watched if (one.idle_at_end_s or 0.0) > AT_ONCE_S]
    at_once = [one for one in watched if one.idle_at_end_s is not None and one not in closed]
    times = [one.idle_at_end_s or 0.0 for one in closed]
    gaps = [gap for one in watched for gap in one.gaps]
    dropped = sorted(
        (gap for gap in gaps if gap.failure in (Failure.SILENT, Failure.RESET)),
        key=lambda gap: gap.idle_s,
    )
    kept = len(watched) - len(closed) - len(at_once)
    return Idle(
        timeout=Span(least=min(times), most=max(times)) if times else None,
        samples=len(times),
        sweeps=any(_together(one, other) for one, other in combinations(closed, 2)),
        kept=kept if closed else 0,
        watched_s=max((_watched_s(one, ended) for one in watched if _is_usable(one)), default=0.0),
        survived_s=max((gap.idle_s for gap in gaps if gap.survived), default=None),
        dropped=tuple(dropped),
        control_answered=bool(dropped)
        and any(
            answer.at_s > dropped[0].sent_s
            for one in all_
            if one.role is Role.CONTROL
            for answer in one.answers
        ),
    )


def _together(one: History, other: History) -> bool:
    assert one.end is not None  # noqa: S101 - both are closed
    assert other.end is not None  # noqa: S101
    apart_s = abs(one.answers[-1].at_s - other.answers[-1].at_s)
    return apart_s >= _APART_S and abs(one.end.at_s - other.end.at_s) <= _TOGETHER_S


def _is_usable(one: History) -> bool:
    """Whether no bytes came on it that belong to no response: no client uses it after that."""
    return not one.shows(CloseReason.STRAY_BYTES)


def _watched_s(one: History, ended: Ended) -> float:
    """The longest idle time of this connection, ended by whatever it was."""
    until_s = one.end.at_s if one.end is not None else ended.at_s
    last = until_s - one.exchanges[-1].at_s if one.failed is None else 0.0
    return max([last, *(gap.idle_s for gap in one.gaps)])
