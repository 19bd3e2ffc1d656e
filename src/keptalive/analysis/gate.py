"""Limits that a plan sets, and which of them a run breaks. Pure; needs no baseline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from keptalive.analysis.summary import yardstick
from keptalive.model import Interval, Run, StrategySummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One ``[gate]`` of a plan; what is None is not limited.

    Without ``scenario`` it holds in every one, without ``strategy`` for all but the yardstick.
    ``max_opened`` is connections in any one trial, ``min_reuse`` the share of attempts that went
    over a kept connection, ``min_speedup`` times as fast as the yardstick.
    """

    scenario: str | None = None
    strategy: str | None = None
    max_opened: int | None = None
    min_reuse: float | None = None
    min_speedup: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A limit that is broken: ``found`` is the value that breaks it, in the limit's unit."""

    scenario: str
    strategy: str
    limit: str
    allowed: float
    found: float


def breaches(run: Run, limits: Iterable[Limit]) -> tuple[Breach, ...]:
    """What breaks the limits, in their order.

    A speed-up breaks its limit only if its whole interval lies below it: noise breaks nothing.
    """
    return tuple(
        breach
        for limit in limits
        for row in run.summary
        if _holds_for(limit, row, run)
        for breach in _broken(limit, row, run)
    )


def _holds_for(limit: Limit, row: StrategySummary, run: Run) -> bool:
    if limit.strategy is None and row.strategy == yardstick(run.labels):
        return False
    return limit.scenario in (None, row.scenario) and limit.strategy in (None, row.strategy)


def _broken(limit: Limit, row: StrategySummary, run: Run) -> Iterable[Breach]:
    opened = max(
        trial.counts.opened
        for trial in run.trials
        if (trial.scenario, trial.strategy, trial.warm_up) == (row.scenario, row.strategy, False)
    )
    reuse = row.counts.reused / row.counts.attempts if row.counts.attempts else 0.0
    speedup = row.speedup_vs_fresh
    found: list[tuple[str, float, float]] = []
    if limit.max_opened is not None and opened > limit.max_opened:
        found.append(("max_opened", limit.max_opened, opened))
    if limit.min_reuse is not None and reuse < limit.min_reuse:
        found.append(("min_reuse", limit.min_reuse, reuse))
    if limit.min_speedup is not None and speedup and _is_below(speedup, limit.min_speedup):
        found.append(("min_speedup", limit.min_speedup, speedup.median))
    for name, allowed, value in found:
        yield Breach(
            scenario=row.scenario,
            strategy=row.strategy,
            limit=name,
            allowed=allowed,
            found=value,
        )


def _is_below(speedup: Interval, least: float) -> bool:
    return speedup.high is not None and speedup.high < least
