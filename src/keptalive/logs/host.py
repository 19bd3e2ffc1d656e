"""One host of a log: its numbers, and what its connections have shown, as a report has them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from keptalive.causes.log_sets import (
    BUSY,
    DROPPED,
    DROPPED_AT_ONCE,
    FIRST,
    FIRSTS,
    FULL,
    RETRY,
    advice,
    name_of,
)

# Used again sooner, no idle timeout has closed it: `causes.SHORTEST_IDLE_S`, less what a log's
# times are rounded by
AT_ONCE_S = 0.4


@dataclass(slots=True)
class _Span:
    """The least and the most of what was measured."""

    low: float = float("inf")
    high: float = float("-inf")

    def add(self, value: float) -> None:
        self.low, self.high = min(self.low, value), max(self.high, value)

    def __bool__(self) -> bool:
        return self.low <= self.high

    def text(self, form: str) -> str:
        low, high = format(self.low, form), format(self.high, form)
        return low if low == high else f"{low} to {high}"


@dataclass(slots=True)
class Host:
    """The numbers of one host, and what its connections have shown.

    Attributes:
        alone: there is only one connection, as far as the log tells.
        lent: the kind of the opening that came first, in the stead of one that was begun earlier.
        idle, idle_is_least: how long dropped ones had been unused, or at least that.
        served: responses on dropped ones, while there was only one at a time.
        apart_s: the longest time between two answers on a kept connection.
    """

    name: str
    bare: str
    requests: int = 0
    attempts: int = 0
    opened: int = 0
    reopened: int = 0
    reused: int = 0
    unanswered: int = 0
    discarded: int = 0
    alone: bool = True
    claimed: bool = False
    lent: str | None = None
    last_s: float | None = None
    responses: int = 0
    apart_s: float = 0.0
    idle_is_least: bool = False
    idle: _Span = field(default_factory=_Span)
    served: _Span = field(default_factory=_Span)
    causes: Counter[str] = field(default_factory=Counter)
    processes: set[int] = field(default_factory=set)

    def is_reused(self, at_s: float | None) -> None:
        """An answer came, with this time, on a connection that was there."""
        if not self.opened and not self.reused:
            self.alone = False  # the log begins later than its connections
        self.claimed = True
        self.reused += 1
        self.responses += 1
        if self.alone and at_s is not None and self.last_s is not None:
            self.apart_s = max(self.apart_s, at_s - self.last_s)

    def is_opened(self, kind: str, *, again: bool, begun_s: float | None) -> None:
        """An answer came on a connection of which the log told at this time that it is opened."""
        if kind == DROPPED:
            kind = self._measured(begun_s)
        if not self.opened:
            if not again and not self.reused and kind not in FIRSTS:
                self.lent, kind = kind, FIRST
            self.alone = self.alone and not again
        elif kind in FIRSTS and self.lent is not None:
            kind, self.lent = self.lent, None
        if self.opened and kind not in (DROPPED, DROPPED_AT_ONCE, RETRY):
            self.alone = False
        self.opened += 1
        self.reopened += again
        self.responses = 1
        self.causes[kind] += 1

    def _measured(self, begun_s: float | None) -> str:
        """How long the dropped connection had been unused, and whether that excludes anything.

        Where there are several, it may be another than the one that had the last answer: then it
        had been unused for at least so long.
        """
        if self.alone and self.opened:
            self.served.add(self.responses)
        if begun_s is None or self.last_s is None or begun_s < self.last_s:
            return DROPPED
        idle_s = begun_s - self.last_s
        if self.alone and idle_s < AT_ONCE_S:
            return DROPPED_AT_ONCE
        self.idle.add(idle_s)
        self.idle_is_least = self.idle_is_least or not self.alone
        return DROPPED


def row(host: Host) -> dict[str, Any]:
    """The host as a report has it."""
    numbers = ("requests", "attempts", "opened", "reopened", "reused")
    return {
        "host": host.name,
        **{name: getattr(host, name) for name in numbers},
        "seconds_opening": None,
        "phases": {},
        "causes": [
            _cause(kind, count, host)
            for kind, count in sorted(host.causes.items(), key=_first_uses_last)
        ],
    }


def _first_uses_last(cause: tuple[str, int]) -> tuple[bool, int, str]:
    kind, count = cause
    return kind in FIRSTS, -count, kind


def _cause(kind: str, count: int, host: Host) -> dict[str, Any]:
    if kind == BUSY and host.discarded:
        kind = FULL
    return {
        "cause": name_of(kind),
        "count": count,
        "seconds": None,
        "evidence": _EVIDENCE[kind](host) if kind in _EVIDENCE else "",
        "cure": advice(kind, max_idle=_max_idle(host)),
    }


def _idle(host: Host) -> str:
    if not host.idle:
        return ""
    least = "at least " if host.idle_is_least else ""
    said = f"It had been unused for {least}{host.idle.text('.1f')} s"
    if host.apart_s >= 1:
        said += f"; answers {host.apart_s:.1f} s apart came on a kept one"
    return f"{said}."


def _served(host: Host) -> str:
    return f"Responses on each: {host.served.text('.0f')}." if host.served else ""


def _full(host: Host) -> str:
    return f'"Connection pool is full": {host.discarded} times.'


def _max_idle(host: Host) -> str:
    """A Session that replaces them in time, as far as the times that were seen tell which."""
    if host.idle and not host.idle_is_least and 1 <= host.apart_s < host.idle.low:
        return f"tuned_session(max_idle={host.apart_s:.3g})"
    return "tuned_session(max_idle=T), T below its time"


_EVIDENCE = {DROPPED: _idle, DROPPED_AT_ONCE: _served, FULL: _full}
