"""When is a run long enough? Decided from what it has shown so far and the time it may take."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from keptalive.bench.summary import all_narrow
from keptalive.records.run import StrategySummary

NARROW = 0.05  # an interval narrower than this share of its value needs no more rounds

# Looking again after each round, and stopping on a narrow interval, favours those that are narrow
# by chance: from 6 rounds on, the 95 % interval of quiet runs held only 95.6 to 97 % of the time
# in simulation (log-normal ratios, spread 1 to 2 %); from 8 on, 97.8 to 99 %.
ROUNDS_BEFORE_NARROW = 8


TRACED = 1.5  # how long a traced round takes, in counted rounds: watching takes its time


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run is bound by.

    Attributes:
        rounds: an exact number, or None: until narrow.
        budget_s: None: no bound.
        traced: how long the traced round takes, in counted rounds.
    """

    rounds: int | None
    budget_s: float | None
    traced: float = TRACED


def seconds_left(limits: Limits, round_seconds: Sequence[float], elapsed_s: float) -> float | None:
    """How long it can still take; None without a budget before the first round has ended.

    Args:
        limits: what the run is bound by.
        round_seconds: each round so far, the warm-up round included.
        elapsed_s: since the run began.
    """
    left = []
    if limits.rounds is not None and round_seconds:
        typical = statistics.median(round_seconds)
        left.append(typical * (1 + limits.rounds + limits.traced) - elapsed_s)
    if limits.budget_s is not None:
        left.append(limits.budget_s - elapsed_s)
    return max(0.0, min(left)) if left else None


def why_stop(
    limits: Limits,
    summary: Sequence[StrategySummary],
    round_seconds: Sequence[float],
    elapsed_s: float,
) -> str | None:
    """Why no further round is counted, "rounds", "narrow" or "budget"; None to go on.

    The warm-up round is the first of ``round_seconds``. At least one round is counted. Another
    one begins only if it and the traced one will end within the budget, going by a typical one.
    """
    counted = len(round_seconds) - 1
    if counted < 1:
        return None
    if limits.rounds is not None and counted >= limits.rounds:
        return "rounds"
    if limits.rounds is None and counted >= ROUNDS_BEFORE_NARROW and all_narrow(summary, NARROW):
        return "narrow"
    typical = statistics.median(round_seconds)
    to_come = (1 + limits.traced) * typical
    if limits.budget_s is not None and elapsed_s + to_come > limits.budget_s:
        return "budget"
    return None
