"""The verdict of a benchmark in sentences, and what to do next."""

from __future__ import annotations

import math
from pathlib import Path

from keptalive.bench.plan_checks import LOOKALIKE
from keptalive.bench.stopping import TRACED
from keptalive.bench.summary import MINIMUM_ROUNDS, reference_strategy, rounds_in_words
from keptalive.bench.titles import short_title
from keptalive.records.run import Run, StrategySummary
from keptalive.results import RESULTS

_SPARE = 1.1  # rounds are not all as long
_STEP_S = 5  # to which a time limit is rounded up


def verdict(run: Run) -> str:
    """In a sentence for each scenario: is a Session faster, and is that shown?"""
    few = too_few_rounds(run)
    sentences = [few] if few else [f"Speed vs {run.labels[reference_strategy(run.strategies)]}:"]
    for scenario in dict.fromkeys(row.scenario for row in run.summary):
        rows = [r for r in run.summary if r.scenario == scenario and r.speedup]
        said = [_faster(run, row) for row in rows if row.failed or not few]
        if said:
            sentences.append(f"{short_title(scenario)}: {', '.join(said)}.")
    return "\n".join(sentences)


def too_few_rounds(run: Run) -> str | None:
    """That there are too few rounds for any verdict; None if there are enough."""
    rounds = _whole_rounds(run)
    if rounds >= MINIMUM_ROUNDS:
        return None
    return f"No verdict: only {rounds_in_words(rounds)}; at least {MINIMUM_ROUNDS} are needed."


def _whole_rounds(run: Run) -> int:
    """Of the scenario that has the most: the last round of an interrupted run may lack some."""
    least: dict[str, int] = {}
    for row in run.summary:
        least[row.scenario] = min(row.rounds, least.get(row.scenario, row.rounds))
    return max(least.values(), default=0)


def _faster(run: Run, row: StrategySummary) -> str:
    label = run.labels[row.strategy]
    speedup = row.speedup
    if row.failed:
        return f"{label} failed {row.failed} times"
    if speedup is None or speedup.low is None or speedup.high is None:
        return f"{label} has only {rounds_in_words(row.rounds)}, {MINIMUM_ROUNDS} are needed"
    if speedup.low <= 1 <= speedup.high:
        return f"{label} no clear difference"
    return f"{label} {as_fast(speedup.median)}"


def as_fast(speedup: float) -> str:
    """How many times as fast, or as slow: "3.9 times as fast", "16 times as slow"."""
    if speedup >= 1:
        return f"{speedup:.1f} times as fast"
    slower = 1 / speedup
    return f"{slower:.1f} times as slow" if slower < 10 else f"{slower:.0f} times as slow"


# -- What to do next -----------------------------------------------------------------------------


def next_step(run: Run, saved: Path | None) -> str:
    """A line that says what to do with this result."""
    if too_few_rounds(run) is not None and run.complete:
        return f"Next, for a verdict: {_longer(run)}"
    if run.plan.get("program"):
        return _again(saved) if saved else "Next, why each was opened: keptalive run PROGRAM"
    if run.plan.get("target", LOOKALIKE) == LOOKALIKE or saved is None:
        return "Next, your own program: keptalive run SCRIPT"
    return _again(saved)


def _again(saved: Path) -> str:
    named = saved.stem if saved.parent == RESULTS else f"{saved} {saved.parent}"
    return f"Next, after a change: bench again, then keptalive compare {named}"


def _longer(run: Run) -> str:
    """The options with which there are enough rounds, by how long those so far have taken."""
    rounds = _whole_rounds(run)
    each_s = run.seconds / (1 + rounds + TRACED)
    needed_s = each_s * (1 + MINIMUM_ROUNDS + TRACED) * _SPARE
    budget_s = _STEP_S * math.ceil(needed_s / _STEP_S)
    longer = "" if run.ended == "rounds" else f"--budget {budget_s}, or "
    return f"{longer}--rounds {MINIMUM_ROUNDS}"
