"""A benchmark of programs as a screen: the sentence first, then a table, then the causes."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keptalive.bench.plan import Plan
from keptalive.bench.plan_checks import AS_IS, LOOKALIKE
from keptalive.bench.programs.plan import TUNED
from keptalive.bench.summary import reference_strategy
from keptalive.bench.titles import scenario_title
from keptalive.compare.forbidden import places_of
from keptalive.quantities import duration, listed, many, number
from keptalive.records.report import Cause
from keptalive.records.run import Run, StrategySummary, Trial
from keptalive.render.terminal import bench
from keptalive.render.terminal.bench_verdict import too_few_rounds
from keptalive.render.terminal.columns import Column, fitting, framed


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
        parts.append(Text(textwrap.fill(_sentence(run, rows), width), style="bold"))
        parts += ["", _table(run, rows, width=width)]
        parts += _reasons(run, scenario, width)
        parts += [*bench.warnings(run, rows), ""]
    parts += [Text(textwrap.fill(note, width)) for note in run.notes]
    if run.trials or not run.valid:
        parts.append(Text(_witnesses(run), style="green" if run.valid else "bold red"))
    if run.stopped_by is None:
        parts.append(Text(bench.ended_line(run), style="dim"))
    return Group(*parts)


def _sentence(run: Run, rows: Sequence[StrategySummary]) -> str:
    """What one run of each program took, and how much faster than the first that is."""
    parts = []
    for row in rows:
        trials = _trials(run, row)
        seconds = duration(statistics.median(trial.seconds for trial in trials))
        label = run.labels[row.strategy]
        speed = f" ({bench.times(row.speedup)})" if row.speedup else ""
        label = f"with {label}" if label == TUNED else label
        parts.append(f"{label}: {_opened(trials)}, {seconds}{speed}")
    name = str(run.plan["program"][0]).partition(": ")[0]
    alone = f"{name} " if len(run.plan["program"]) == 1 else ""
    return f"{alone}{'; '.join(parts)}."


def _trials(run: Run, row: StrategySummary) -> list[Trial]:
    key = row.scenario, row.strategy
    return [t for t in run.trials if (t.scenario, t.strategy) == key and not t.warm_up]


def _opened(trials: Sequence[Trial]) -> str:
    """How many connections a run opens: a number, or the least and the most."""
    opened = [trial.counts.opened or 0 for trial in trials]
    if min(opened) == max(opened):
        return many(opened[0], "connection")
    return f"{number(min(opened))} to {number(max(opened))} connections"


def _table(run: Run, rows: Sequence[StrategySummary], *, width: int) -> Table:
    each = [_trials(run, row) for row in rows]
    reference = run.labels[reference_strategy(run.strategies)]
    columns = [
        Column(header="", cells=[run.labels[row.strategy] for row in rows]),
        Column(header="requests", cells=[_spread(t, "requests") for t in each], importance=4),
        Column(header="opened", cells=[_spread(t, "opened") for t in each]),
        Column(header="enough", cells=[_spread(t, "most_at_once") for t in each], importance=2),
        Column(header="reused", cells=[bench.percent_reused(row.counts) for row in rows],
               importance=1),
        _times_column("a run", [row.seconds_per_request.median for row in rows], 5),
        _times_column("CPU", [row.cpu_seconds_per_request for row in rows], 3),
        Column(header=f"speed vs\n{reference}", cells=[bench.speed(run, row) for row in rows]),
    ]  # fmt: skip
    built = framed(f"{many(rows[0].rounds, 'run')} of each program; counts are those of a run")
    kept = fitting(columns, width)
    built.add_column("", overflow="fold")
    for column in kept[1:]:
        built.add_column(column.header, justify="right", no_wrap=True)
    for cells in zip(*(column.cells for column in kept), strict=True):
        built.add_row(*cells)
    return built


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


def _spread(trials: Sequence[Trial], count: str) -> str:
    """A count of one run: a number, or the least and the most."""
    values = [value for trial in trials if (value := getattr(trial.counts, count)) is not None]
    if not values:
        return bench.NOTHING
    least, most = min(values), max(values)
    return number(least) if least == most else f"{number(least)}-{number(most)}"


def _witnesses(run: Run) -> str:
    """Whether all counts agree, with the sum over all runs, warm-up included."""
    if not run.valid:
        return "INVALID: " + " ".join(run.disagreements)
    witnesses = [trial.witnesses for trial in run.trials]
    counted = {
        "watch": True,
        "pool log": any(one.pool_log is not None for one in witnesses),
        "client sockets": any(one.sockets is not None for one in witnesses),
        "server": any(one.server is not None for one in witnesses),
    }
    opened = sum(trial.counts.opened or 0 for trial in run.trials)
    names = " = ".join(name for name, is_there in counted.items() if is_there)
    return f"All counts agree (warm-up included): {opened} by {names}."
