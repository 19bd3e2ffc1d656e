"""Limits that a plan sets: which of them a run breaks, and which cannot be judged. Pure.

Needs no baseline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from keptalive.bench.summary import (
    MINIMUM_ROUNDS,
    failures_in_words,
    reference_strategy,
    rounds_in_words,
)
from keptalive.records.counts import HostCounts
from keptalive.records.run import Run, StrategySummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One ``[gate]`` of a plan; what is None is not limited.

    Without ``scenario`` it holds in every one, without ``strategy`` for all but the reference; of
    programs for that one too, except a ``min_speedup``.
    ``max_opened`` is connections in any one trial, ``min_reuse`` the share of attempts that went
    over a kept connection, ``min_speedup`` times as fast as the reference.
    """

    scenario: str | None = None
    strategy: str | None = None
    max_opened: int | None = None
    min_reuse: float | None = None
    min_speedup: float | None = None

    def set(self) -> dict[str, float]:
        """What is limited, and to what."""
        values = {name: getattr(self, name) for name in _FINDERS}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A limit that is broken: ``found`` is the value that breaks it, in the limit's unit.

    ``perfect`` is what perfect reuse would be, for `min_reuse` alone.
    """

    scenario: str
    strategy: str
    limit: str
    allowed: float
    found: float
    perfect: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """A limit that could not be looked at, and why; no scenario or strategy where it has none."""

    scenario: str | None
    strategy: str | None
    limit: str
    allowed: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What became of a plan's limits, and how many there are."""

    limits: int
    breaches: tuple[Breach, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether there are limits, and all were looked at and hold."""
        return self.limits > 0 and not self.breaches and not self.unjudged


def judge(run: Run, limits: Iterable[Limit]) -> Gate:
    """What breaks the limits and what cannot be judged, in their order.

    A speed-up breaks its limit only if its whole interval lies below it: noise breaks nothing. A
    limit without an interval, with failed requests, or that meets no row of the run is unjudged:
    if it cannot be checked, it does not hold.
    """
    limits = tuple(limits)
    found = [one for limit in limits for one in _judged(limit, run)]
    return Gate(
        limits=sum(len(limit.set()) for limit in limits),
        breaches=tuple(one for one in found if isinstance(one, Breach)),
        unjudged=tuple(one for one in found if isinstance(one, Unjudged)),
    )


def _judged(limit: Limit, run: Run) -> Iterator[Breach | Unjudged]:
    for name, allowed in limit.set().items():
        rows = [row for row in run.summary if _holds_for(limit, name, row, run)]
        for row in rows:
            found = _FINDERS[name](allowed, row, run)
            if isinstance(found, str):
                yield Unjudged(
                    scenario=row.scenario,
                    strategy=row.strategy,
                    limit=name,
                    allowed=allowed,
                    reason=found,
                )
            elif found is not None:
                yield Breach(
                    scenario=row.scenario,
                    strategy=row.strategy,
                    limit=name,
                    allowed=allowed,
                    found=found,
                    perfect=_perfect_reuse(row) if name == "min_reuse" else None,
                )
        if not rows:
            yield Unjudged(
                scenario=limit.scenario,
                strategy=limit.strategy,
                limit=name,
                allowed=allowed,
                reason="the result has no such trial",
            )


def _holds_for(limit: Limit, name: str, row: StrategySummary, run: Run) -> bool:
    if limit.strategy is None and row.strategy == reference_strategy(run.strategies):
        is_a_program = bool(run.plan.get("program"))
        if not is_a_program or name == "min_speedup":
            return False
    return limit.scenario in (None, row.scenario) and limit.strategy in (None, row.strategy)


# -- What breaks a limit: the value that does, why it cannot be judged, or None -------------------

_Found = float | str | None


def _max_opened(allowed: float, row: StrategySummary, run: Run) -> _Found:
    opened = [
        trial.counts.opened
        for trial in run.trials
        if (trial.scenario, trial.strategy, trial.warm_up) == (row.scenario, row.strategy, False)
    ]
    most = max((count for count in opened if count is not None), default=0)
    if most > allowed:
        return most
    return "its connections are not counted" if None in opened else _failures(row)


def _min_reuse(allowed: float, row: StrategySummary, _: Run) -> _Found:
    reuse = reuse_of(row.counts)
    if reuse is None:
        return _failures(row) or "reuse is not counted without a log of its connections"
    return _failures(row) or (reuse if reuse < allowed else None)


def _min_speedup(allowed: float, row: StrategySummary, _: Run) -> _Found:
    speedup = row.speedup
    if speedup is None:
        return "it is timed against nothing"
    if speedup.high is None:
        return f"it has only {rounds_in_words(row.rounds)}; at least {MINIMUM_ROUNDS} are needed"
    return _failures(row) or (speedup.median if speedup.high < allowed else None)


_FINDERS = {"max_opened": _max_opened, "min_reuse": _min_reuse, "min_speedup": _min_speedup}


def reuse_of(counts: HostCounts) -> float | None:
    """The share of tries that went over a kept connection; None if it is unknown."""
    if counts.attempts is None or counts.reused is None:
        return None
    return counts.reused / counts.attempts if counts.attempts else 0.0


def _failures(row: StrategySummary) -> str | None:
    """Requests that failed open and reuse no connection, and take any time."""
    return failures_in_words(row.counts.errors, row.requests) if row.failed else None


def _perfect_reuse(row: StrategySummary) -> float:
    attempts = row.counts.attempts
    return 1 - row.perfect / attempts if attempts else 0.0
