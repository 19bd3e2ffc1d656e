"""What the page of a benchmark shows of each scenario: rows, bars and traced runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from keptalive.bench.titles import full_title
from keptalive.quantities import many
from keptalive.records.report import Report
from keptalive.records.run import Run, StrategySummary, Trace
from keptalive.render.html import charts, timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasesOfOne:
    """A strategy, and its stacked bar."""

    label: str
    parts: Sequence[charts.Part]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceOnPage:
    """A traced run: the id of its figure, and what it opened, in words."""

    id: str
    label: str
    said: str
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A section of the page.

    Attributes:
        longest: seconds: what the whole width of a bar means.
    """

    title: str
    about: str
    rows: Sequence[StrategySummary]
    longest: float
    warnings: Sequence[str]
    phases: Sequence[PhasesOfOne]
    legend: dict[str, str]
    traces: Sequence[TraceOnPage]


def scenarios(run: Run) -> list[Scenario]:
    """The sections, in the order of the result."""
    names = dict.fromkeys(row.scenario for row in run.summary)
    return [_scenario(run, name, number) for number, name in enumerate(names, start=1)]


def _scenario(run: Run, name: str, number: int) -> Scenario:
    rows = [row for row in run.summary if row.scenario == name]
    longest = max(row.seconds_per_request.high or row.seconds_per_request.median for row in rows)
    phases = {row.strategy: _phases(row) for row in rows}
    slowest = max((sum(one.values()) for one in phases.values()), default=0.0)
    used = [p for p in charts.BENCH_PHASES if any(one.get(p) for one in phases.values())]
    return Scenario(
        title=full_title(name),
        about=_about(rows[0]),
        rows=rows,
        longest=longest,
        warnings=[f"{run.labels[row.strategy]}: {said}." for row in rows for said in row.warnings],
        phases=[
            PhasesOfOne(label=run.labels[strategy], parts=charts.stacked(one, slowest))
            for strategy, one in phases.items()
        ],
        legend={phase: charts.BENCH_PHASES[phase] for phase in used},
        traces=list(_traces(run, [one for one in run.traces if one.scenario == name], number)),
    )


def _about(row: StrategySummary) -> str:
    runs, requests = row.rounds, row.requests // max(row.rounds, 1)
    return f"{many(runs, 'run')} of {many(requests, 'request')} each."


def _phases(row: StrategySummary) -> dict[str, float]:
    """Seconds a request, by the phases that the page shows."""
    known = {name: took or 0.0 for name, took in row.phases.items()}
    return {
        shown: sum(known.get(name, 0.0) for name in names)
        for shown, names in charts.BENCH_PHASES_OF.items()
    }


def _traces(run: Run, traces: Sequence[Trace], number: int) -> Iterator[TraceOnPage]:
    for place, trace in enumerate(traces, start=1):
        causes = [one for host in trace.report.hosts for one in host.causes if one.count]
        opened = sum(one.count for one in causes)
        why = ", ".join(f"{one.count} × {one.cause}" for one in causes)
        yield TraceOnPage(
            id=f"timeline-{number}-{place}",
            label=run.labels[trace.strategy],
            said=f"{many(opened, 'connection')}{f' ({why})' if why else ''}",
            report=trace.report,
        )


def data(sections: Sequence[Scenario]) -> dict[str, Any]:
    """The data of all timelines; those of a scenario have one length, so that they compare."""
    found: dict[str, Any] = {}
    for section in sections:
        drawn = {one.id: timeline.data(one.report) for one in section.traces}
        longest = max((one["seconds"] for one in drawn.values()), default=0.0)
        found |= {name: {**one, "seconds": longest} for name, one in drawn.items()}
    return found
