"""The cells of a comparison's tables: which rows are shown, and their figures as text."""

from __future__ import annotations

from collections.abc import Callable

from keptalive.compare.findings import Findings
from keptalive.compare.sides import NEW
from keptalive.compare.verdicts import BETTER, CPU, THROUGHPUT, TIME, TIMED, WORSE, Row
from keptalive.records.run import Interval
from keptalive.render.bench_figures import NOTHING, a_second, milliseconds


def rows_to_show(findings: Findings, scenario: str) -> list[Row]:
    """What is opened and the times; other counts where they changed; one row for nothing known."""
    return [
        row
        for row in findings.comparison.rows
        if row.scenario == scenario
        and (
            row.measure == "opened"
            or (row.measure in TIMED and not (row.reason and wholly(findings, row)))
            or row.verdict in (WORSE, BETTER)
        )
    ]


def cells(findings: Findings, row: Row) -> tuple[str, str, str, str, str]:
    """The measure, the value on both sides, the change with its interval, the verdict."""
    absolute = findings.comparison.absolute
    measure = row.measure
    shown: Callable[[float], str] = number
    if row.measure in TIMED and absolute:
        measure, shown = _ABSOLUTE[row.measure]
    elif row.measure in TIMED:
        measure, shown = f"{_RELATIVE[row.measure]} vs {_reference(findings)}", _ratio
    values = [NOTHING if v is None else shown(v) for v in (row.baseline, row.candidate)]
    if row.change is None:
        change = NOTHING
    else:
        change = percent(row.change) if row.measure in TIMED else f"{row.change.median:+g}"
    if row.measure not in TIMED and row.change is not None and not row.change.median:
        change = "0"
    verdict = "new" if row.reason == NEW else row.verdict
    return measure, values[0], values[1], change, verdict


def _reference(findings: Findings) -> str:
    reference = findings.comparison.reference
    return _SHORT_NAMES.get(reference) or findings.labels.get(reference, reference)


_SHORT_NAMES = {"fresh": "get"}


_RELATIVE = {TIME: "time", THROUGHPUT: "requests/s", CPU: "CPU"}
_ABSOLUTE: dict[str, tuple[str, Callable[[float], str]]] = {
    TIME: ("a request", milliseconds),
    THROUGHPUT: ("requests/s", a_second),
    CPU: ("CPU", milliseconds),
}


def number(value: float) -> str:
    """A count, or a mean of counts with one decimal."""
    return f"{value:g}" if value == int(value) else f"{value:.1f}"


def _ratio(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def percent(change: Interval) -> str:
    """A relative change with its interval: "+4.1 % [-0.9, +9.0]"."""
    shown = f"{signed_percent(change.median)} %"
    if change.low is None or change.high is None:
        return shown
    return f"{shown} [{signed_percent(change.low)}, {signed_percent(change.high)}]"


def signed_percent(share: float) -> str:
    """A share as a change in percent, without its sign: "+4.1", "-12"."""
    value = 100 * share
    return f"{value:+.0f}" if abs(value) >= 9.95 else f"{value:+.1f}"


def wholly(findings: Findings, row: Row) -> bool:
    """Whether nothing of this strategy in this scenario is comparable, for the same reason."""
    return all(
        other.reason == row.reason
        for other in findings.comparison.rows
        if (other.scenario, other.strategy) == (row.scenario, row.strategy)
    )
