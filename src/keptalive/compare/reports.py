"""Reports of a program, before and after: verdicts for each route, and its causes. Pure.

A side is one report, or several of the same program. Routes are compared by `routes`, their counts
by `route_verdicts`; the time of the program by interval, from six reports of each side on.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from keptalive.bench.summary import MINIMUM_ROUNDS
from keptalive.compare.cause_changes import CauseChange, cause_changes
from keptalive.compare.counted import Counted, counted, processes_of
from keptalive.compare.host_patterns import HostPattern
from keptalive.compare.partial import why_partial
from keptalive.compare.route_verdicts import Side, judge
from keptalive.compare.routes import Match, Name, matches
from keptalive.compare.sides import GONE, NEW
from keptalive.compare.verdicts import (
    COUNTS,
    NOT_COMPARABLE,
    NOT_SHOWN,
    SAME,
    TIME,
    WORSE,
    Guard,
    judge_time,
    relative_change,
)
from keptalive.records.report import Report
from keptalive.records.run import Interval

LOG = "log"  # a report's source
OF_COUNTS = Guard(measures=frozenset(COUNTS))  # seconds of two runs differ by chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measure of one route, or the time of the whole program, on both sides.

    Values are those of one report, or their means. ``change`` is a number of connections or
    requests, or by request, as ``basis`` says; of a time it is relative: 0.1 is 10 % more.
    ``reason`` says why a row is not comparable.
    """

    route: Name | None
    measure: str
    baseline: float | None = None
    candidate: float | None = None
    change: Interval | None = None
    verdict: str = NOT_COMPARABLE
    basis: str | None = None
    varies: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route on both sides.

    Attributes:
        was: its name in the baseline, if it has another one there.
        requests: of each side, as the mean of its reports; None if unknown.
        before, after: what each report of a side counted.
        rows: a verdict for each measure.
    """

    name: Name
    was: Name | None
    requests: tuple[float | None, float | None]
    before: tuple[Counted, ...]
    after: tuple[Counted, ...]
    rows: tuple[Row, ...]
    causes: tuple[CauseChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All routes, the candidate's first, and what is guarded."""

    routes: tuple[Route, ...]
    time: Row | None
    guard: Guard

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every row."""
        of_routes = (row for route in self.routes for row in route.rows)
        return (*of_routes, *((self.time,) if self.time else ()))

    @property
    def regressions(self) -> tuple[Row, ...]:
        """The rows that are worse and guarded."""
        return tuple(row for row in self.rows if row.verdict == WORSE and self._guards(row))

    @property
    def unjudged(self) -> tuple[Row, ...]:
        """The guarded rows of the baseline that could not be compared."""
        return tuple(
            row
            for row in self.rows
            if row.verdict == NOT_COMPARABLE and self._guards(row) and row.reason != NEW
        )

    def _guards(self, row: Row) -> bool:
        return row.measure in self.guard.measures


def compare(
    before: Sequence[Report], after: Sequence[Report], *, guard: Guard = OF_COUNTS
) -> Comparison:
    """The verdicts.

    Args:
        before: one report, or several of the same program.
        after: likewise.
        guard: what is a regression.
    """
    found = matches([one.hosts for one in before], [one.hosts for one in after])
    listed = [[processes_of(one) for one in side] for side in (before, after)]
    partial = why_partial(before), why_partial(after)
    routes = []
    for match in found:
        sides = [
            tuple(counted(hosts, seen) for hosts, seen in zip(entries, known, strict=True))
            for entries, known in zip((match.before, match.after), listed, strict=True)
        ]
        routes.append(_route(match, sides[0], sides[1], partial))
    return Comparison(routes=tuple(routes), time=_time_row(before, after, guard), guard=guard)


def without_hosts(report: Report, ignored: Sequence[HostPattern]) -> Report:
    """The report without the routes to these hosts."""
    hosts = [one for one in report.hosts if not any(it.matches(one.host) for it in ignored)]
    return replace(report, hosts=tuple(hosts))


def _route(
    match: Match,
    before: tuple[Counted, ...],
    after: tuple[Counted, ...],
    partial: tuple[str | None, str | None],
) -> Route:
    return Route(
        name=match.name,
        was=match.was,
        requests=(_mean(before, "requests"), _mean(after, "requests")),
        before=before,
        after=after,
        rows=tuple(_count_row(match.name, one, before, after, partial) for one in COUNTS),
        causes=cause_changes(before, after),
    )


# -- Counts --------------------------------------------------------------------------------------


def _count_row(
    name: Name, measure: str, before: Side, after: Side, partial: tuple[str | None, str | None]
) -> Row:
    row = Row(
        route=name,
        measure=measure,
        baseline=_mean(before, measure),
        candidate=_mean(after, measure),
        reason=why_not(before, after, measure),
    )
    if row.reason is not None:
        return row
    judged = judge(before, after, measure)
    row = replace(
        row,
        change=judged.change,
        verdict=judged.verdict,
        basis=judged.basis,
        varies=judged.varies,
    )
    return _of_part(row, partial)


def _of_part(row: Row, partial: tuple[str | None, str | None]) -> Row:
    """The row, if a side has counted a part only: more than that is known, fewer is not."""
    old, new = partial
    if new and row.verdict != WORSE:
        return replace(row, verdict=NOT_COMPARABLE, reason=f"candidate: {new}")
    if old and row.verdict == WORSE:
        return replace(row, verdict=NOT_COMPARABLE, reason=f"baseline: {old}")
    if old and row.verdict == SAME:
        return replace(row, verdict=NOT_SHOWN)
    return row


def why_not(before: Side, after: Side, measure: str) -> str | None:
    """Why this count of a route says nothing; None if it does."""
    if all(one.is_absent for one in before):
        return NEW
    if all(one.is_absent for one in after):
        return GONE
    for name, side in (("baseline", before), ("candidate", after)):
        if any(one.opened is None for one in side):
            return f"the {name} does not show how many connections were opened"
        if any(one.answered is None for one in side):
            return f"the {name} does not show how many requests were sent"
        if any(getattr(one, measure) is None for one in side):
            return f"the {name} does not show {measure}"
    for name, side, other in (("baseline", before, after), ("candidate", after, before)):
        if not any(one.answered for one in side) and any(one.answered for one in other):
            return f"no request of the {name} was answered"
    return None


def _mean(side: Side, measure: str) -> float | None:
    values = [getattr(one, measure) for one in side]
    return None if None in values else statistics.fmean(values)


# -- The time of the program ---------------------------------------------------------------------


def _time_row(before: Sequence[Report], after: Sequence[Report], guard: Guard) -> Row | None:
    """None if it is not known of all; a log shows the time from line to line only."""
    sides = [[one.seconds for one in side if one.seconds] for side in (before, after)]
    if any(len(known) < len(side) for known, side in zip(sides, (before, after), strict=True)):
        return None
    if LOG in {one.source for one in (*before, *after)}:
        return None
    row = Row(
        route=None,
        measure=TIME,
        baseline=statistics.median(sides[0]),
        candidate=statistics.median(sides[1]),
    )
    change = relative_change(*sides)
    fewest = min(len(side) for side in sides)
    if fewest >= MINIMUM_ROUNDS:
        return replace(row, change=change, verdict=judge_time(change, guard.threshold))
    row = replace(row, change=Interval(median=change.median), verdict=NOT_SHOWN)
    if TIME not in guard.measures:
        return row
    have = "only 1 report" if fewest == 1 else f"only {fewest} reports"
    reason = f"{have} on a side; times need at least {MINIMUM_ROUNDS}"
    return replace(row, verdict=NOT_COMPARABLE, reason=reason)
