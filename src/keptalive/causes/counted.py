"""How many connections have a cause: those that are listed, and those that the watch has counted.

A watch that lasts for weeks judges connections while it goes on, and lists only the newest. The
numbers of what it has judged stand in `process.SettledCause`; its listed connections say so of
themselves, so that none is counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from keptalive.causes.rules import Judged
from keptalive.records.counts import HostCounts
from keptalive.records.process import SettledCause
from keptalive.records.report import Cause


def counted_before(settled: Iterable[SettledCause]) -> Mapping[str, Cause]:
    """What a watch has counted of one route, in all processes, by cause."""
    causes: dict[str, Cause] = {}
    for one in settled:
        before = causes.get(one.cause)
        causes[one.cause] = Cause(
            cause=one.cause,
            count=one.count + (before.count if before else 0),
            unanswered=one.unanswered + (before.unanswered if before else 0),
            seconds=one.seconds + ((before.seconds or 0.0) if before else 0.0),
        )
    return causes


def counted_now(name: str, group: Iterable[Judged]) -> Cause:
    """What of these listed connections, which have this cause, is not counted before."""
    mine = [one.opening.connection for one in group if not one.opening.connection.settled]
    answered = sum(one.served > 0 for one in mine)
    return Cause(
        cause=name,
        count=answered,
        unanswered=len(mine) - answered,
        seconds=sum(one.seconds for one in mine),
    )


def not_recorded(
    sums: HostCounts, judged: Sequence[Judged], settled: Mapping[str, Cause]
) -> Cause | None:
    """What the route's counts have beyond its records, which are bounded."""
    now = counted_now("unknown", [one for one in judged if one.cause is not None])
    before = list(settled.values())
    opened = max(0, (sums.opened or 0) - now.count - sum(one.count for one in before))
    known = now.unanswered + sum(one.unanswered for one in before)
    silent = max(0, (sums.opened_unanswered or 0) - known)
    if not opened and not silent:
        return None
    failed_s = sum(one.opening.connection.seconds for one in judged if one.cause is None)
    recorded_s = (now.seconds or 0.0) + failed_s + sum(one.seconds or 0.0 for one in before)
    rest_s = max(0.0, (sums.seconds_opening or 0.0) - recorded_s)
    return Cause(
        cause="unknown",
        count=opened,
        unanswered=silent,
        seconds=rest_s,
        facts={"not_recorded": opened + silent},
    )
