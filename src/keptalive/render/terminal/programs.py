"""A benchmark of programs as a screen: the sentence first, then a table, then the causes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keptalive.bench.plan import Plan
from keptalive.bench.plan_checks import AS_IS, LOOKALIKE
from keptalive.bench.summary import reference_strategy
from keptalive.bench.titles import scenario_title
from keptalive.compare.forbidden import places_of
from keptalive.quantities import duration, listed, many, number
from keptalive.records.report import Cause
from keptalive.records.run import Run, StrategySummary
from keptalive.render import bench_figures as figures
from keptalive.render import program_sentences as sentences
from keptalive.render.bench_verdict import too_few_rounds
from keptalive.render.program_sentences import spread, trials_of
from keptalive.render.terminal import bench
from keptalive.render.terminal.columns import Column, side_by_side


def headline(plan: Plan) -> tuple[str, list[str]]:
    """The first lines: what is run, and how."""
    names = ", ".join(dict.fromkeys(one.name for one in plan.program))
    ways, alone = len(plan.names) > len(plan.program), len(plan.program) == 1
    how = (
        "it once as it is, once with tuned Sessions"
        if ways
        else f"{'it' if alone else 'each'} once"
    )
    facts = [names]
    if plan.target == LOOKALIKE:
        facts += ["test server that imitates api.github.com", f"{plan.rtt_ms:g} ms away"]
    return f"Each round runs {how}, in random order", facts


def report(run: Run, *, width: int) -> RenderableType:
    """Everything that a person sees of a finished run."""
    parts: list[RenderableType] = []
    if run.summary and (few := too_few_rounds(run)) is not None:
        parts.append(Text(few, style="bold"))
    for scenario in dict.fromkeys(row.scenario for row in run.summary):
        rows = [row for row in run.summary if row.scenario == scenario]
        if scenario != AS_IS:
            parts.append(Text(f"{scenario_title(scenario)}:", style="bold"))
        parts.append(Text(textwrap.fill(sentences.sentence(run, rows), width), style="bold"))
        parts += ["", _table(run, rows, width=width)]
        parts += _reasons(run, scenario, width)
        parts += [*bench.warnings(run, rows), ""]
    parts += [Text(textwrap.fill(note, width)) for note in run.notes]
    if run.trials or not run.valid:
        parts.append(
            Text(sentences.witnesses_line(run), style="green" if run.valid else "bold red")
        )
    if run.stopped_by is None:
        parts.append(Text(figures.ended_line(run), style="dim"))
    return Group(*parts)


def _table(run: Run, rows: Sequence[StrategySummary], *, width: int) -> Table:
    each = [trials_of(run, row) for row in rows]
    reference = run.labels[reference_strategy(run.strategies)]
    columns = [
        Column(header="", cells=[run.labels[row.strategy] for row in rows]),
        Column(header="requests", cells=[spread(t, "requests") for t in each], importance=4),
        Column(header="opened", cells=[spread(t, "opened") for t in each]),
        Column(header="enough", cells=[spread(t, "most_at_once") for t in each], importance=2),
        Column(header="reused", cells=[figures.percent_reused(row.counts) for row in rows],
               importance=1),
        _times_column("a run", [row.seconds_per_request.median for row in rows], 5),
        _times_column("CPU", [row.cpu_seconds_per_request for row in rows], 3),
        Column(header=f"speed vs\n{reference}", cells=[figures.speed(run, row) for row in rows]),
    ]  # fmt: skip
    title = f"{many(rows[0].rounds, 'run')} of each program; counts are those of a run"
    return side_by_side(title, columns, width)


def _reasons(run: Run, scenario: str, width: int) -> Iterator[RenderableType]:
    """Why connections were opened, in the last run of each program, and where in its code."""
    for trace in run.traces:
        if trace.scenario == scenario:
            causes = [cause for host in trace.report.hosts for cause in host.causes if cause.count]
            line = f"{run.labels[trace.strategy]}: {', '.join(map(_because, causes))}."
            yield Text(textwrap.fill(line, width, break_on_hyphens=False).replace(_TIGHT, " "))


def _because(cause: Cause) -> str:
    places = listed(places_of(cause))
    return f"{number(cause.count)}{_TIGHT}×{_TIGHT}{cause.cause}{places and f' at {places}'}"


_TIGHT = "\xa0"  # where a line is not broken


def _times_column(header: str, seconds: Sequence[float], importance: int) -> Column:
    return Column(header=header, cells=[duration(one) for one in seconds], importance=importance)
