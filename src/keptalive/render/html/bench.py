"""What the page of a benchmark shows of each scenario: rows, bars and traced runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from keptalive.bench.plan_checks import AS_IS
from keptalive.bench.titles import full_title
from keptalive.quantities import duration, many, number
from keptalive.records.report import Report
from keptalive.records.run import Interval, Run, StrategySummary, Trace
from keptalive.render import bench_figures as figures
from keptalive.render import bench_verdict, program_sentences
from keptalive.render.html import charts, timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A strategy or a program in a scenario: what its row says, and its bar.

    Attributes:
        is_perfect: no connection more than necessary was opened.
        seconds: what is compared: of a request, or of a run of a program.
    """

    label: str
    opened: str
    is_perfect: bool
    enough: str
    reused: str
    a_second: str
    cpu: str
    time: str
    speed: str
    seconds: Interval


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
    rows: Sequence[Row]
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
    waits = figures.is_large(rows, "blocked")
    phases = {row.strategy: _phases(row, waits) for row in rows}
    slowest = max((sum(one.values()) for one in phases.values()), default=0.0)
    used = [p for p in charts.BENCH_PHASES if any(one.get(p) for one in phases.values())]
    return Scenario(
        title=_title(run, name),
        about=_about(run, rows[0]),
        rows=[_row(run, row) for row in rows],
        longest=longest,
        warnings=[f"{run.labels[row.strategy]}: {said}." for row in rows for said in row.warnings],
        phases=[
            PhasesOfOne(label=run.labels[strategy], parts=charts.stacked(one, slowest))
            for strategy, one in (phases.items() if used else ())
        ],
        legend={phase: charts.BENCH_PHASES[phase] for phase in used},
        traces=list(_traces(run, [one for one in run.traces if one.scenario == name], number)),
    )


def is_of_programs(run: Run) -> bool:
    """Whether somebody's programs were measured, not strategies."""
    return bool(run.plan.get("program"))


def verdict(run: Run) -> list[str]:
    """The sentences that the page begins with; none of a run in which nothing was measured."""
    if not run.summary:
        return []
    if not is_of_programs(run):
        return bench_verdict.verdict(run).splitlines()
    few = bench_verdict.too_few_rounds(run)
    names = dict.fromkeys(row.scenario for row in run.summary)
    said = [
        program_sentences.sentence(run, [row for row in run.summary if row.scenario == name])
        for name in names
    ]
    return [*([few] if few else []), *said, *run.notes]


def witnesses(run: Run) -> str:
    """Whether all counts agree."""
    if is_of_programs(run):
        return program_sentences.witnesses_line(run)
    return figures.witnesses_line(run)


def _title(run: Run, scenario: str) -> str:
    if is_of_programs(run) and scenario == AS_IS:
        return "One run"
    return full_title(scenario)


def _about(run: Run, row: StrategySummary) -> str:
    runs = many(row.rounds, "run")
    threads = figures.threads_in_words(run)
    if is_of_programs(run):
        return f"{runs} of each program; counts are those of a run."
    requests = many(row.requests // max(row.rounds, 1), "request")
    return f"{runs} of {requests} each{threads and f', on {threads}'}."


def _row(run: Run, row: StrategySummary) -> Row:
    if is_of_programs(run):
        trials = program_sentences.trials_of(run, row)
        opened, enough = (program_sentences.spread(trials, n) for n in ("opened", "most_at_once"))
        time = duration(row.seconds_per_request.median)
        cpu = duration(row.cpu_seconds_per_request)
    else:
        opened = figures.NOTHING if row.counts.opened is None else number(row.counts.opened)
        enough = number(row.perfect)
        time = figures.milliseconds(row.seconds_per_request.median)
        cpu = figures.milliseconds(row.cpu_seconds_per_request)
    return Row(
        label=run.labels[row.strategy],
        opened=opened,
        is_perfect=row.counts.opened is not None and row.counts.opened <= row.perfect,
        enough=enough,
        reused=figures.percent_reused(row.counts),
        a_second=figures.a_second(row.requests_per_second.median),
        cpu=cpu,
        time=time,
        speed=figures.speed(run, row),
        seconds=row.seconds_per_request,
    )


def _phases(row: StrategySummary, waits: bool) -> dict[str, float]:
    """Seconds a request, by the phases that the page shows.

    Args:
        row: a strategy.
        waits: whether waiting for the pool is shown; else it is part of the rest.
    """
    known = {name: took or 0.0 for name, took in row.phases.items()}
    shown = {
        name: sum(known.get(one, 0.0) for one in names)
        for name, names in charts.BENCH_PHASES_OF.items()
    }
    if not waits:
        shown["rest"] += shown.pop("pool")
    return shown


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
