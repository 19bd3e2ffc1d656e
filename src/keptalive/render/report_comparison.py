"""A comparison of reports in words: the verdict, a sentence for each route. Pure text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keptalive.causes.sentences import lines
from keptalive.compare.cause_changes import CauseChange
from keptalive.compare.findings import PROGRAM, REGRESSION, UNKNOWN
from keptalive.compare.report_findings import SOURCE, ReportFindings
from keptalive.compare.reports import Route, Row
from keptalive.compare.route_verdicts import PER_REQUEST
from keptalive.compare.sides import GONE, NEW
from keptalive.compare.verdicts import BETTER, NOT_SHOWN, TIME, WORSE
from keptalive.quantities import listed, many, route_name
from keptalive.records.report import UNAVOIDABLE
from keptalive.render.bench_figures import NOTHING
from keptalive.render.cells import number as mean
from keptalive.render.comparison_sides import differing

NAMED = 5  # routes with a sentence of their own for each kind of verdict


def surroundings(findings: ReportFindings) -> str:
    """What is and what is not the same around them: "program a.py -> b.py, same versions"."""
    machines = {findings.baseline.machine, findings.candidate.machine} - {""}
    same_machine = len(machines) < 2
    said = differing(findings.differences, same_machine=same_machine)
    versions = [one for one in findings.differences if one.name not in (PROGRAM, SOURCE)]
    return ", ".join(said if versions or not same_machine else [*said, "same versions"])


def headline(findings: ReportFindings) -> str:
    """What a list of checks shows of it."""
    names = {REGRESSION: "a regression", UNKNOWN: "not comparable"}
    kinds = [names[fault] for fault in findings.faults] or ["fine"]
    return f"keptalive compare: {' and '.join(kinds)}"


def title(route: Route) -> str:
    """The route's name, and its proxy."""
    return route_name(route.name.host, route.name.via)


# -- The verdict ---------------------------------------------------------------------------------


def verdict(findings: ReportFindings) -> Iterator[str]:
    """The sentences, the most important first; there is always one."""
    comparison = findings.comparison
    guarded = set(comparison.regressions)
    worse = [row for row in comparison.rows if row.verdict == WORSE]
    bad = [*_each(findings, "REGRESSION", [row for row in worse if row in guarded])]
    bad += _not_comparable(findings)
    yield from bad or [f"No regression{_reservation(comparison.rows)}."]
    if findings.faults and comparison.guard.reports_only:
        yield "Nothing fails for it: --fail-on nothing makes a report only."
    yield from _each(findings, "Worse, but not guarded", [r for r in worse if r not in guarded])
    yield from _each(findings, "Better", [row for row in comparison.rows if row.verdict == BETTER])
    yield from _new(comparison.routes)
    if not findings.uncompared:
        yield from _gone(comparison.routes)


def _each(findings: ReportFindings, kind: str, rows: Sequence[Row]) -> Iterator[str]:
    """A sentence for each route that has one of these rows, and for the time."""
    some = set(rows)
    routes = [route for route in findings.comparison.routes if not some.isdisjoint(route.rows)]
    for route in routes[:NAMED]:
        mine = [row for row in route.rows if row in some]
        yield f"{kind}: {title(route)} {_phrases(route, mine)}."
    if len(routes) > NAMED:
        yield f"{kind}: {many(len(routes) - NAMED, 'more host')}."
    for row in rows:
        if row.route is None and row.change is not None:
            longer = "longer" if row.change.median > 0 else "less time"
            yield f"{kind}: the program takes {abs(100 * row.change.median):.0f} % {longer}."


def _phrases(route: Route, rows: Sequence[Row]) -> str:
    mine = {row.measure: row for row in rows}
    phrases = {measure: _phrase(route, row) for measure, row in mine.items()}
    if {"opened", "reopened"} <= mine.keys():
        del phrases["reopened"]
    if "opened" in mine and (why := _causes(route, more=mine["opened"].verdict == WORSE)):
        phrases["opened"] += f": {why}"
    return ", and ".join(phrases.values())


_VERBS = {
    "opened": ("opens", "connection"),
    "reopened": ("reopens", "dropped connection"),
    "attempts": ("sends", "request"),
}


def _phrase(route: Route, row: Row) -> str:
    verb, noun = _VERBS[row.measure]
    change = row.change.median if row.change else 0.0
    if row.basis == PER_REQUEST:
        more = "more" if change > 0 else "fewer"
        counts = " and ".join(
            f"{mean(count or 0)} for {requests(sent)}"
            for count, sent in zip((row.baseline, row.candidate), route.requests, strict=True)
        )
        return f"{verb} {more} {noun}s per request ({counts.replace(' and ', ', then ')})"
    size = mean(abs(change))
    more = "more" if change > 0 else "fewer"
    return f"{verb} {size} {more} {noun}{'' if size == '1' else 's'}"


def requests(count: float | None) -> str:
    """How many requests, where that may be a mean or unknown."""
    if count is None:
        return "unknown requests"
    return many(int(count), "request") if count == int(count) else f"{mean(count)} requests"


def _causes(route: Route, *, more: bool) -> str:
    """The causes that account for it, the largest first: "5 × new-session at sync.py:4"."""
    grown = [one for one in route.causes if (one.change > 0 if more else one.change < 0)]
    grown.sort(key=lambda one: (one.cause in UNAVOIDABLE, -abs(one.change)))
    said = [f"{mean(abs(one.change))} × {one.cause}{_at(one)}" for one in grown]
    return listed(said)


def _at(one: CauseChange) -> str:
    return f" at {lines(one.places)}" if one.places else ""


def _not_comparable(findings: ReportFindings) -> Iterator[str]:
    if not findings.uncompared:
        return
    routes = findings.comparison.routes
    if not routes:
        yield "NOT COMPARABLE: neither side has a connection or a request."
        return
    unjudged = set(findings.comparison.unjudged)
    reasons: dict[str, list[str]] = {}
    for route in routes:
        for row in route.rows:
            if row.reason and (row in unjudged or not unjudged):
                reasons.setdefault(row.reason, []).append(title(route))
    for reason, names in reasons.items():
        yield f"NOT COMPARABLE: {listed(list(dict.fromkeys(names)))}: {reason}."
    for row in unjudged:
        if row.route is None:
            yield f"NOT COMPARABLE: the program's time: {row.reason}."


def _reservation(rows: Sequence[Row]) -> str:
    counts = [row for row in rows if row.measure != TIME]
    unsure = sum(row.verdict == NOT_SHOWN for row in counts)
    return f"; {unsure} of {len(counts)} counts inconclusive (~)" if unsure else ""


def _new(routes: Sequence[Route]) -> Iterator[str]:
    new = [route for route in routes if any(row.reason == NEW for row in route.rows)]
    for route in new[:NAMED]:
        opened = next(row.candidate for row in route.rows if row.measure == "opened")
        found = NOTHING if opened is None else mean(opened)
        why = _causes(route, more=True)
        yield f"New: {title(route)}, {requests(route.requests[1])}, {found} opened: {why}."
    if len(new) > NAMED:
        yield f"New: {many(len(new) - NAMED, 'more host')}."


def _gone(routes: Sequence[Route]) -> Iterator[str]:
    names = [title(route) for route in routes if any(row.reason == GONE for row in route.rows)]
    if names:
        yield f"Gone: {listed(names)}."
