"""One side of a comparison, and why the two may not be comparable. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from keptalive.bench.plan_checks import GITHUB, LOOKALIKE
from keptalive.bench.summary import (
    MINIMUM_ROUNDS,
    failures_in_words,
    reference_strategy,
    rounds_in_words,
)
from keptalive.records.counts import total
from keptalive.records.run import Run, Trial

Key = tuple[str, str]

NEW = "not in the baseline"
GONE = "not in the candidate"


class Side:
    """One result, its counted trials sorted by scenario and strategy."""

    def __init__(self, run: Run, absolute: bool) -> None:
        self.run = run
        self.absolute = absolute
        self.reference = reference_strategy(run.strategies) if run.strategies else ""
        self.trials: dict[Key, list[Trial]] = {}
        for trial in run.trials:
            if not trial.warm_up:
                self.trials.setdefault((trial.scenario, trial.strategy), []).append(trial)

    @property
    def threads(self) -> int:
        """On how many threads requests were sent."""
        trials = [trial for trials in self.trials.values() for trial in trials]
        return max((trial.threads for trial in trials), default=1)

    def timed(self, key: Key, value_of: Callable[[Trial], float]) -> list[float]:
        """For each round: this value of the trial, or its ratio to that of the reference.

        A round in which the reference has none, or 0, is left out.
        """
        values = {trial.round: value_of(trial) for trial in self.trials[key]}
        if self.absolute:
            return [value for value in values.values() if value > 0]
        reference = self.trials.get((key[0], self.reference), [])
        others = {trial.round: value_of(trial) for trial in reference}
        return [
            value / others[number]
            for number, value in values.items()
            if value > 0 and others.get(number, 0.0) > 0
        ]

    def errors(self, key: Key) -> str | None:
        """How many of its requests failed, in words; None if none did."""
        trials = self.trials.get(key, [])
        errors = total(trial.counts for trial in trials).errors
        requests = sum(trial.requests for trial in trials)
        return failures_in_words(errors, requests) if errors else None

    def counts(self, key: Key, count: str) -> list[int | None]:
        """This count of each trial; None where it is unknown."""
        return [getattr(trial.counts, count) for trial in self.trials.get(key, [])]


# -- What cannot be compared ---------------------------------------------------------------------

_REQUESTED = ("target", "requests", "repeats", "threads", "bursts")
_TIMED = ("rtt_ms",)


def why_not(key: Key, before: Side, after: Side) -> str | None:
    """Why neither counts nor times of this row say anything; None if they do."""
    if key not in before.trials:
        return NEW
    if key not in after.trials:
        return GONE
    if differing := _differing(before.run, after.run, _REQUESTED):
        return f"the plans differ in {differing}"
    if (errors := before.errors(key)) is not None:
        return f"baseline: {errors}"
    if (errors := after.errors(key)) is not None:
        return f"candidate: {errors}"
    return None


def why_no_time(key: Key, before: Side, after: Side, rounds: Sequence[int]) -> str | None:
    """Why this row's times say nothing, with this many rounds on each side; None if they do."""
    if differing := _differing(before.run, after.run, _TIMED):
        return f"the plans differ in {differing}"
    links = [_link(side.run) for side in (before, after)]
    if links[0] != links[1]:  # a large response takes more round trips on a true one
        return f"the links differ ({' and '.join(links)})"
    if not before.absolute and before.reference != after.reference:
        return f"its times are relative to {before.reference} there, to {after.reference} here"
    for name, side, count in zip(("baseline", "candidate"), (before, after), rounds, strict=True):
        reference_errors = None if side.absolute else side.errors((key[0], side.reference))
        if reference_errors is not None:
            return f"{name}, {side.reference}: {reference_errors}"
        if count < MINIMUM_ROUNDS:
            return f"{name}: only {rounds_in_words(count)}; at least {MINIMUM_ROUNDS} are needed"
    return None


def _link(run: Run) -> str:
    return str(run.environment.get("link") or "none named")


def _differing(baseline: Run, candidate: Run, keys: Sequence[str]) -> str:
    return " and ".join(
        key for key in keys if _compared(key, baseline.plan) != _compared(key, candidate.plan)
    )


def _compared(key: str, plan: Mapping[str, object]) -> object:
    """A value of a plan, as far as it must be the same on both sides.

    Servers of one's own may have any host and port: a build has another one each time.
    """
    value = plan.get(key)
    if key == "target" and isinstance(value, str) and value not in (LOOKALIKE, GITHUB):
        try:
            url = urlsplit(value)
        except ValueError:  # of a file that somebody has edited
            return value
        return url.scheme, url.path
    return plain(value)


def plain(value: object) -> object:
    """A value of a plan as JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value
