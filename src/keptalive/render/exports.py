"""Results and comparisons as data for other programs: plain dicts and lists, ready for JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from dataclasses import asdict
from typing import Any

from keptalive.bench.summary import reference_strategy
from keptalive.compare.findings import Findings
from keptalive.compare.report_findings import ReportFindings
from keptalive.compare.reports import Route, Row
from keptalive.compare.verdicts import COUNTS, Guard
from keptalive.records.run import Interval, Run, StrategySummary
from keptalive.render.bench_figures import threads_of
from keptalive.render.comparison_view import View

SCHEMA = 1

# -- compare --json ------------------------------------------------------------------------------


def document(findings: Findings, view: View) -> dict[str, Any]:
    """The comparison of two results, whole."""
    comparison = findings.comparison
    return {
        **_shared(findings, view, comparison.guard),
        "absolute": comparison.absolute,
        "rows": [
            {**asdict(row), "regression": row in comparison.regressions} for row in comparison.rows
        ],
        "gate": [asdict(breach) for breach in findings.gate.breaches],
        "gate_limits": findings.gate.limits,
        "gate_unjudged": [asdict(limit) for limit in findings.gate.unjudged],
    }


def document_of_reports(findings: ReportFindings, view: View) -> dict[str, Any]:
    """The comparison of reports, whole."""
    comparison = findings.comparison
    time, worse = comparison.time, set(comparison.regressions)
    return {
        **_shared(findings, view, comparison.guard),
        "hosts": [_route(route, worse) for route in comparison.routes],
        "time": None if time is None else _row(time, worse),
    }


def _shared(findings: Findings | ReportFindings, view: View, guard: Guard) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "compared": "reports" if isinstance(findings, ReportFindings) else "results",
        "outcome": findings.outcome,
        "sentences": list(view.verdict),
        "baseline": asdict(findings.baseline),
        "candidate": asdict(findings.candidate),
        "differences": [asdict(difference) for difference in findings.differences],
        "warnings": list(findings.warnings),
        "view": asdict(view),
        "fail_on": {"measures": sorted(guard.measures), "time_threshold": guard.threshold},
    }


def _route(route: Route, regressions: Set[Row]) -> dict[str, Any]:
    return {
        "host": route.name.host,
        "via": route.name.via or None,
        "was": None
        if route.was is None
        else {"host": route.was.host, "via": route.was.via or None},
        "requests": dict(zip(("baseline", "candidate"), route.requests, strict=True)),
        "perfect": {
            side: [asdict(one.perfect) for one in counts]
            for side, counts in (("baseline", route.before), ("candidate", route.after))
        },
        "rows": [_row(row, regressions) for row in route.rows],
        "causes": [{**asdict(one), "change": one.change} for one in route.causes],
    }


def _row(row: Row, regressions: Set[Row]) -> dict[str, Any]:
    known = {key: value for key, value in asdict(row).items() if key != "route"}
    return {**known, "regression": row in regressions}


# -- github-action-benchmark ---------------------------------------------------------------------


def github_action_benchmark(run: Run) -> list[dict[str, Any]]:
    """For the tool ``customSmallerIsBetter``: an entry for each count and each time.

    Its fields are those of the action's README: name, unit, value, and range and extra as text.
    """
    entries = []
    for row in run.summary:
        name = f"{run.labels[row.strategy]} [{row.scenario}]"
        extra = f"rounds: {row.rounds}"
        for count, value in _per_trial(row).items():
            unit = "requests/run" if count == "attempts" else "connections/run"
            entries.append(
                {"name": f"{name} {count}", "unit": unit, "value": value, "extra": extra}
            )
        for what, unit, scale, interval in _times(run, row):
            entries.append(
                {
                    "name": f"{name} {what}",
                    "unit": unit,
                    "value": scale * interval.median,
                    **_range(interval, scale),
                    "extra": extra,
                }
            )
    return entries


def _times(run: Run, row: StrategySummary) -> list[tuple[str, str, float, Interval]]:
    unit = "ms/run" if run.plan.get("program") else "ms/request"
    times = [("time", unit, 1000.0, row.seconds_per_request)]
    if row.speedup is not None:
        relative = f"time relative to {run.labels[reference_strategy(run.strategies)]}"
        times.append((relative, "ratio", 1.0, _inverse(row.speedup)))
    return times


def _range(interval: Interval, scale: float) -> dict[str, str]:
    if interval.low is None or interval.high is None:
        return {}
    return {"range": f"{scale * interval.low:.4g} to {scale * interval.high:.4g}"}


# -- Bencher -------------------------------------------------------------------------------------


def bencher(run: Run) -> dict[str, dict[str, dict[str, float]]]:
    """Bencher Metric Format: a benchmark for each scenario and strategy, a measure for each number.

    ``latency``, in nanoseconds, and ``throughput`` are Bencher's own measures; the others it makes
    when it meets them.
    """
    return {f"{row.strategy}[{row.scenario}]": _measures(run, row) for row in run.summary}


def _measures(run: Run, row: StrategySummary) -> dict[str, dict[str, float]]:
    measures = {count: {"value": value} for count, value in _per_trial(row).items()}
    measures["latency"] = _metric(row.seconds_per_request, 1e9)
    if threads_of(run) > 1:
        measures["throughput"] = _metric(row.requests_per_second, 1.0)
    if row.speedup is not None:
        reference = re.sub("[^a-z0-9]+", "-", reference_strategy(run.strategies).lower())
        measures[f"time-relative-to-{reference}"] = _metric(_inverse(row.speedup), 1.0)
    return measures


def _metric(interval: Interval, scale: float) -> dict[str, float]:
    bounds = {"lower_value": interval.low, "upper_value": interval.high}
    return {
        "value": scale * interval.median,
        **{name: scale * bound for name, bound in bounds.items() if bound is not None},
    }


# -- What both need ------------------------------------------------------------------------------


def _per_trial(row: StrategySummary) -> dict[str, float]:
    """Each count that is known, as the mean of the trials."""
    totals = {count: getattr(row.counts, count) for count in COUNTS}
    return {name: total / row.rounds for name, total in totals.items() if total is not None}


def _inverse(speedup: Interval) -> Interval:
    low, high = (None if bound is None else 1 / bound for bound in (speedup.high, speedup.low))
    return Interval(median=1 / speedup.median, low=low, high=high)


EXPORTS: dict[str, Callable[[Run], Any]] = {
    "github-action-benchmark": github_action_benchmark,
    "bencher": bencher,
}
