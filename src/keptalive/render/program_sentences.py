"""A benchmark of programs in words: what one run of each took, and whether all counts agree."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from keptalive.bench.programs.plan import TUNED
from keptalive.quantities import duration, many, number
from keptalive.records.run import Run, StrategySummary, Trial
from keptalive.render import bench_figures as figures


def sentence(run: Run, rows: Sequence[StrategySummary]) -> str:
    """What one run of each program took, and how much faster than the first that is."""
    parts = []
    for row in rows:
        trials = trials_of(run, row)
        seconds = duration(statistics.median(trial.seconds for trial in trials))
        label = run.labels[row.strategy]
        speed = f" ({figures.times(row.speedup)})" if row.speedup else ""
        label = f"with {label}" if label == TUNED else label
        parts.append(f"{label}: {_opened(trials)}, {seconds}{speed}")
    name = str(run.plan["program"][0]).partition(": ")[0]
    alone = f"{name} " if len(run.plan["program"]) == 1 else ""
    return f"{alone}{'; '.join(parts)}."


def trials_of(run: Run, row: StrategySummary) -> list[Trial]:
    """The counted runs of a program."""
    key = row.scenario, row.strategy
    return [t for t in run.trials if (t.scenario, t.strategy) == key and not t.warm_up]


def _opened(trials: Sequence[Trial]) -> str:
    """How many connections a run opens: a number, or the least and the most."""
    opened = [trial.counts.opened or 0 for trial in trials]
    if min(opened) == max(opened):
        return many(opened[0], "connection")
    return f"{number(min(opened))} to {number(max(opened))} connections"


def spread(trials: Sequence[Trial], count: str) -> str:
    """A count of one run: a number, or the least and the most."""
    values = [value for trial in trials if (value := getattr(trial.counts, count)) is not None]
    if not values:
        return figures.NOTHING
    least, most = min(values), max(values)
    return number(least) if least == most else f"{number(least)}-{number(most)}"


def witnesses_line(run: Run) -> str:
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
