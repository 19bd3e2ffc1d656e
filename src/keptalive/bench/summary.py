"""Trials -> a row for each scenario and strategy, and what is wrong with them.

Ratios are paired within a round: both sides ran within the same seconds on the same machine, so
whatever slowed one of them slowed the other, and their ratio stays.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from keptalive.records.counts import total
from keptalive.records.run import Interval, StrategySummary, Trial
from keptalive.stats.intervals import is_narrow, median_interval, percentile

PHASES = ("blocked", "ca_bundle", "dns", "connect", "tls", "send", "wait", "receive", "rest")
REFERENCE = "fresh"
MINIMUM_ROUNDS = 6  # fewer have no 95 % interval for a median


def reference_strategy(strategies: Iterable[str]) -> str:
    """With which of these strategies the others are compared: fresh, or the first without it."""
    names = list(strategies)
    return REFERENCE if REFERENCE in names else names[0]


def summarise(
    trials: Sequence[Trial], *, reference: str = REFERENCE
) -> tuple[StrategySummary, ...]:
    """One summary for each scenario and strategy, in the order of their first trials.

    Warm-up trials are left out. ``reference`` has no speed-up: the others' are against it.
    """
    counted = [trial for trial in trials if not trial.warm_up]
    keys = dict.fromkeys((trial.scenario, trial.strategy) for trial in counted)
    return tuple(_summary(counted, *key, reference) for key in sorted_like(trials, keys))


def sorted_like(trials: Iterable[Trial], keys: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The keys, scenarios and strategies each in the order in which the run names them.

    Rounds run in random order; the warm-up round alone runs as the plan lists them.
    """
    order = {
        key: place
        for place, key in enumerate(
            dict.fromkeys((trial.scenario, trial.strategy) for trial in trials)
        )
    }
    return sorted(keys, key=order.__getitem__)


def _summary(
    trials: Sequence[Trial], scenario: str, strategy: str, reference: str
) -> StrategySummary:
    mine = [t for t in trials if (t.scenario, t.strategy) == (scenario, strategy)]
    counts = total(trial.counts for trial in mine)
    firsts = [statistics.mean(t.request_seconds[: t.threads]) for t in mine]
    laters = [t.request_seconds[t.threads :] for t in mine]
    later = [statistics.mean(seconds) for seconds in laters if seconds]
    speedup = speedups(trials, scenario=scenario, strategy=strategy, reference=reference)
    return StrategySummary(
        scenario=scenario,
        strategy=strategy,
        rounds=len(mine),
        requests=sum(trial.requests for trial in mine),
        counts=counts,
        perfect=sum(_perfect(trial) for trial in mine),
        seconds_per_request=median_interval([seconds_per_request(t) for t in mine]),
        requests_per_second=median_interval([requests_per_second(t) for t in mine]),
        p95_s=percentile([s for t in mine for s in t.request_seconds], 0.95),
        first_request_s=median_interval(firsts),
        later_request_s=median_interval(later) if later else None,
        cpu_seconds_per_request=statistics.median(t.cpu_seconds / t.requests for t in mine),
        speedup=(median_interval(speedup) if speedup and strategy != reference else None),
        phases=phases_of(mine),
        warnings=_warnings(mine, counts.errors),
    )


def _perfect(trial: Trial) -> int:
    """How many connections would be enough: as many as were in flight at once; of a thread, one."""
    counts = trial.counts
    most = counts.most_at_once or 1
    return min(most, counts.opened) if counts.opened else most


def phases_of(trials: Sequence[Trial]) -> dict[str, float | None]:
    """The median seconds that a request spent in each phase; None where no trial had it."""
    return {
        phase: statistics.median(t.phases.get(phase, 0.0) / t.requests for t in trials)
        if any(phase in t.phases for t in trials)
        else None
        for phase in PHASES
    }


def seconds_per_request(trial: Trial) -> float:
    """The trial's wall time, making and closing the client included, shared among its requests.

    Requests of several threads overlap: then what a call took, waiting for a connection included,
    the mean.
    """
    if trial.threads > 1:
        return statistics.fmean(trial.request_seconds)
    return trial.seconds / trial.requests


def requests_per_second(trial: Trial) -> float:
    """The requests of all threads together, in each second of the trial."""
    return trial.requests / trial.seconds


def speedups(
    trials: Iterable[Trial], *, scenario: str, strategy: str, reference: str
) -> list[float]:
    """How many times faster than the reference, a ratio for each round in which both ran."""
    here = [trial for trial in trials if trial.scenario == scenario and not trial.warm_up]
    return ratios(
        [trial for trial in here if trial.strategy == reference],
        [trial for trial in here if trial.strategy == strategy],
    )


def ratios(trials: Iterable[Trial], others: Iterable[Trial]) -> list[float]:
    """How many times as long as the others, a ratio for each round that both have."""
    seconds = {other.round: other.seconds for other in others}
    return [trial.seconds / seconds[trial.round] for trial in trials if trial.round in seconds]


def all_narrow(summary: Iterable[StrategySummary], width: float) -> bool:
    """Whether every speed-up's interval is narrower than this share of its value."""
    intervals: list[Interval] = [row.speedup for row in summary if row.speedup is not None]
    return bool(intervals) and all(is_narrow(interval, width) for interval in intervals)


def _warnings(trials: Sequence[Trial], errors: Mapping[str, int]) -> tuple[str, ...]:
    warnings = []
    if errors:
        requests = sum(trial.requests for trial in trials)
        warnings.append(
            f"{failures_in_words(errors, requests)}: its times are those of failures too"
        )
    if (few := too_few(len(trials))) is not None:
        warnings.append(few)
    return tuple(warnings)


def too_few(rounds: int) -> str | None:
    """That so many rounds have no interval; None if they have one."""
    if rounds >= MINIMUM_ROUNDS:
        return None
    return (
        f"only {rounds_in_words(rounds)}; at least {MINIMUM_ROUNDS} are needed for an "
        f"interval (--rounds {MINIMUM_ROUNDS}, or a larger --budget)"
    )


def failures_in_words(errors: Mapping[str, int], requests: int) -> str:
    """How many requests failed, of how many, and the most frequent error."""
    most = max(errors, key=errors.__getitem__)
    return f"{sum(errors.values())} of {requests} requests failed ({most})"


def rounds_in_words(rounds: int) -> str:
    """So many rounds, in words."""
    return f"{rounds} round{'' if rounds == 1 else 's'}"
