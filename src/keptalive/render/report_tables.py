"""A comparison of reports as everybody shows it: a table for each route that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keptalive.causes.sentences import lines
from keptalive.compare.cause_changes import CauseChange
from keptalive.compare.findings import FINE
from keptalive.compare.report_findings import ReportFindings
from keptalive.compare.reports import Route, Row
from keptalive.compare.route_verdicts import INTERVAL, PER_REQUEST
from keptalive.compare.sides import GONE, NEW
from keptalive.compare.verdicts import NOT_SHOWN, SAME
from keptalive.quantities import duration, listed, many, number, route_name
from keptalive.records.report import UNAVOIDABLE
from keptalive.render import report_comparison as sentences
from keptalive.render.bench_figures import NOTHING
from keptalive.render.cells import number as mean
from keptalive.render.cells import percent
from keptalive.render.comparison_sides import sides
from keptalive.render.comparison_view import Table, View
from keptalive.render.sentences import OF_DIFFERENCES

SHOWN = 20  # routes with a table of their own


def of_reports(findings: ReportFindings) -> View:
    """Of reports, before and after."""
    routes = findings.comparison.routes
    guarded = set(findings.comparison.regressions)
    changed = [route for route in routes if is_changed(route)]
    changed.sort(key=lambda route: guarded.isdisjoint(route.rows))  # regressions first
    said = tuple(sentences.verdict(findings))
    return View(
        headline=sentences.headline(findings),
        verdict=said,
        in_full=said,
        is_fine=not findings.faults,
        fails=findings.outcome != FINE,
        sides=sides(findings.baseline, findings.candidate),
        surroundings=sentences.surroundings(findings),
        warnings=findings.warnings,
        tables=tuple(_tables(changed[:SHOWN])),
        more=(
            *_not_shown(len(changed) - SHOWN),
            *_unchanged([route for route in routes if not is_changed(route)]),
            *_time(findings.comparison.time),
        ),
        place=_place(findings),
    )


def _place(findings: ReportFindings) -> str:
    """The line of code of the first regression that has one."""
    guarded = set(findings.comparison.regressions)
    for route in findings.comparison.routes:
        if not guarded.isdisjoint(route.rows):
            for one in route.causes:
                if one.change > 0 and one.cause not in UNAVOIDABLE and one.places:
                    return next(iter(one.places))
    return ""


def is_changed(route: Route) -> bool:
    """Whether anything of it is not as before."""
    alike = all(row.verdict == SAME for row in route.rows)
    other_requests = route.requests[0] != route.requests[1]
    other_causes = any(one.change for one in route.causes)
    return not alike or route.was is not None or other_requests or other_causes


def _not_shown(count: int) -> Iterator[str]:
    if count > 0:
        yield f"And {many(count, 'more host')} changed: --json has all of them."


def _unchanged(routes: Sequence[Route]) -> Iterator[str]:
    if routes:
        yield f"As before: {listed([sentences.title(route) for route in routes])}."


def _time(row: Row | None) -> Iterator[str]:
    if row is None or row.baseline is None or row.candidate is None or row.change is None:
        return
    took = f"{duration(row.baseline)}, then {duration(row.candidate)}"
    verdict = f"not certain ({NOT_SHOWN})" if row.verdict == NOT_SHOWN else row.verdict
    yield f"The program took {took}: {percent(row.change)}, {verdict}."


# -- Tables --------------------------------------------------------------------------------------


def _tables(routes: Sequence[Route]) -> Iterator[Table]:
    for route in routes:
        yield Table(
            title=sentences.title(route),
            labels=1,
            rows=tuple(_rows(route)),
            notes=tuple(_notes(route)),
            reasons=tuple(_reasons(route)),
        )


def _rows(route: Route) -> Iterator[tuple[str, ...]]:
    old, new = route.requests
    change = "" if old is None or new is None else _signed(new - old)
    yield "requests", _cell(old), _cell(new), change, ""
    for row in route.rows:
        if row.measure == "opened" or row.verdict not in (SAME, row.reason and row.verdict):
            yield _row(row)
        if row.measure == "opened":
            yield from map(_cause, route.causes)


def _row(row: Row) -> tuple[str, ...]:
    verdict = {NEW: "new", GONE: "gone"}.get(row.reason or "", row.verdict)
    change = "" if row.change is None else _change(row)
    return row.measure, _cell(row.baseline), _cell(row.candidate), change, verdict


def _change(row: Row) -> str:
    change = row.change
    if change is None:
        return NOTHING
    if row.basis != PER_REQUEST:
        size = _signed(change.median)
        within = (change.low, change.high)
        return size if None in within else f"{size} [{_signed(within[0])}, {_signed(within[1])}]"
    return f"{change.median:+.2f} per request" if change.median else "0 per request"


def _cause(one: CauseChange) -> tuple[str, ...]:
    verdict = "came" if not one.baseline else "went" if not one.candidate else ""
    at = f" ({lines(one.places)})" if one.places else ""
    change = _signed(one.change)
    return f"  {one.cause}{at}", _cell(one.baseline), _cell(one.candidate), change, verdict


def _cell(value: float | None) -> str:
    return NOTHING if value is None else mean(value)


def _signed(value: float | None) -> str:
    if not value:
        return "0"
    return f"{'+' if value > 0 else '-'}{mean(abs(value))}"


def _notes(route: Route) -> Iterator[str]:
    """How it was compared, and what the route was called before."""
    if route.was is not None:
        no_proxy = ", without that proxy" if route.name.via and not route.was.via else ""
        yield f"In the baseline: {route_name(route.was.host, route.was.via)}{no_proxy}."
    rows = {row.measure: row for row in route.rows}
    opened = rows["opened"]
    if opened.basis == PER_REQUEST:
        yield (
            "The requests differ in number: compared per request, without the connections that "
            "perfect reuse would have opened too."
        )
    elif opened.basis == INTERVAL:
        yield f"The reports differ. The columns are means; {OF_DIFFERENCES}, and its 95 % interval."
    elif any(one.is_lower_bound for one in (*route.before, *route.after)):
        yield "A process was killed: its last requests are not counted, but its connections are."
    elif opened.basis is not None and not opened.varies:
        yield f"{sentences.requests(route.requests[1])} on both sides: compared exactly."
    if opened.verdict == NOT_SHOWN and opened.basis != INTERVAL:
        yield from _why_unsure(route, differ=opened.varies)


def _reasons(route: Route) -> Iterator[str]:
    for reason in dict.fromkeys(row.reason for row in route.rows if row.reason):
        measures = [row.measure for row in route.rows if row.reason == reason]
        what = "" if len(measures) == len(route.rows) else f" ({', '.join(measures)})"
        yield f"{'New' if reason == NEW else 'Not comparable'}{what}: {reason}."


def _why_unsure(route: Route, *, differ: bool) -> Iterator[str]:
    if differ:
        yield "The reports of a side differ. Next: compare at least 4 of each side."
        return
    at_once = max(one.at_once for one in (*route.before, *route.after))
    if at_once > 1:
        several = "several reports of each side, in a folder each"
        yield (
            f"Up to {number(at_once)} requests ran at once, so this may be chance. "
            f"Next: compare {several}."
        )
    elif any(one.in_flight for one in (*route.before, *route.after)):
        yield "Some requests were still in flight when a report was made."
