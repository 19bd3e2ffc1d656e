"""Whether a result's numbers can be those of a run: all that is calculated from them is checked.

Types are checked before, while the file is decoded; here are the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keptalive.records.counts import HostCounts
from keptalive.records.run import Interval, Run, StrategySummary, Trial

MOST = 10**12  # no count or time is so large; and no arithmetic overflows
LEAST_S = 1 / MOST

_COUNTED = (
    *("requests", "connects", "opened", "opened_unanswered", "reopened", "reused", "unanswered"),
    *("in_flight", "most_at_once", "begun", "discarded", "pool_size"),
)


def check(run: Run) -> None:
    """Raise where a number is none that a run has.

    Raises:
        ValueError: with a sentence that says which.
    """
    for place, trial in enumerate(run.trials):
        _check(f"trials[{place}]", _of_trial(trial))
        if trial.strategy not in run.strategies:
            raise ValueError(f"trials[{place}]: its strategy is none of the strategies")
    for place, row in enumerate(run.summary):
        _check(f"summary[{place}]", _of_row(row))
    counted = {(trial.scenario, trial.strategy) for trial in run.trials if not trial.warm_up}
    if counted != {(row.scenario, row.strategy) for row in run.summary}:
        raise ValueError("summary: it is not that of the trials")


Named = tuple[str, float, float, float]  # a number, with the least and the most that it may be


def _check(where: str, numbers: Iterable[Named]) -> None:
    for name, value, least, most in numbers:
        if not least <= value <= most:
            raise ValueError(f"{where}.{name}: {value!r:.40} is out of range")


def _of_trial(trial: Trial) -> Iterator[Named]:
    yield from _counts(trial.counts)
    yield "seconds", trial.seconds, LEAST_S, MOST
    yield "threads", trial.threads, 1, MOST
    yield "cpu_seconds", trial.cpu_seconds, 0, MOST
    yield "request_seconds (how many)", len(trial.request_seconds), 1, MOST
    yield "request_seconds", min(trial.request_seconds, default=0), 0, MOST
    yield "request_seconds", max(trial.request_seconds, default=0), 0, MOST


def _of_row(row: StrategySummary) -> Iterator[Named]:
    yield from _counts(row.counts)
    yield "rounds", row.rounds, 1, MOST
    yield "requests", row.requests, 1, MOST
    yield "perfect", row.perfect, 0, MOST
    yield "p95_s", row.p95_s, 0, MOST
    yield "cpu_seconds_per_request", row.cpu_seconds_per_request, 0, MOST
    for name in (
        "seconds_per_request",
        "first_request_s",
        "later_request_s",
        "speedup",
        "requests_per_second",
    ):
        interval: Interval | None = getattr(row, name)
        if interval is not None:
            bounds = (interval.low, interval.median, interval.high)
            yield from ((name, value, LEAST_S, MOST) for value in bounds if value is not None)


def _counts(counts: HostCounts) -> Iterator[Named]:
    for name, count in counts.errors.items():
        yield f"counts.errors.{name}", count, 1, MOST
    for name in _COUNTED:
        if (value := getattr(counts, name)) is not None:
            yield f"counts.{name}", value, 0, MOST
