"""plan -> trials -> run: every strategy in every round, in random order, a fresh client each.

What the numbers mean is decided in ``analysis``; where the requests go, in ``targets``; how one
trial is made, in ``trying``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from keptalive import interruption
from keptalive.bench.machine import environment
from keptalive.bench.plan import DEFAULT_BUDGET_S, Plan
from keptalive.bench.stopping import Limits, seconds_left, why_stop
from keptalive.bench.strategies import STRATEGIES, Strategy
from keptalive.bench.summary import summarise, yardstick
from keptalive.bench.targets import Target
from keptalive.bench.trial import Answers, DisagreementError, try_once
from keptalive.errors import TargetError
from keptalive.interruption import Interrupted
from keptalive.records.run import Run, StrategySummary, Trial

Step = tuple[str, type[Strategy]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is; ``seconds_left`` is None before anything is known of it."""

    round: int
    trial: int
    trials_a_round: int
    elapsed_s: float
    seconds_left: float | None


def limits_of(plan: Plan) -> Limits:
    """What the plan's run is bound by: its own numbers, else the default budget."""
    if plan.rounds is None and plan.budget_s is None:
        return Limits(rounds=None, budget_s=DEFAULT_BUDGET_S)
    return Limits(rounds=plan.rounds, budget_s=plan.budget_s)


@dataclass(slots=True, kw_only=True)
class Bench:
    """One run of a plan against a target that is ready.

    ``strategies`` are the plan's unless given; the others are timed against the `yardstick` among
    them. ``progress`` is told after each trial. ``shuffle``
    puts a round's steps into random order, in place.
    """

    plan: Plan
    target: Target
    strategies: Sequence[type[Strategy]] = ()
    progress: Callable[[Progress], None] = lambda _: None
    shuffle: Callable[[list[Step]], None] = random.shuffle
    _trials: list[Trial] = field(default_factory=list)
    _round_seconds: list[float] = field(default_factory=list)
    _began: float = 0.0

    def __post_init__(self) -> None:
        self.strategies = self.strategies or [STRATEGIES[name] for name in self.plan.strategies]

    def run(self) -> Run:
        """Run it to its end, or until a signal or the target stops it; keep what was measured."""
        self._began = time.perf_counter()
        stopped_by: str | None = None
        disagreements: tuple[str, ...] = ()
        try:
            ended = self._all_rounds()
        except (KeyboardInterrupt, Interrupted):
            ended = "interrupted"
        except TargetError as error:
            ended, stopped_by = "stopped", str(error)
        except DisagreementError as error:
            ended, disagreements = "disagreement", (str(error),)
        return Run(
            plan=self.plan.as_dict(),
            environment={"target": self.target.label, **environment(), **self.target.facts()},
            labels={way.name: way.label for way in self.strategies},
            settings={way.name: way.settings() for way in self.strategies},
            trials=tuple(self._trials),
            summary=self._summary(),
            ended=ended,
            stopped_by=stopped_by,
            seconds=self._elapsed_s(),
            disagreements=disagreements,
        )

    def _all_rounds(self) -> str:
        limits = limits_of(self.plan)
        answers = Answers(bodies=self.plan.compare == "body")
        while True:
            began = time.perf_counter()
            self._round(len(self._round_seconds), limits, answers)
            self._round_seconds.append(time.perf_counter() - began)
            reason = why_stop(limits, self._summary(), self._round_seconds, self._elapsed_s())
            if reason is not None:
                return reason

    def _round(self, number: int, limits: Limits, answers: Answers) -> None:
        """One trial of each strategy in each scenario; the warm-up round alone is in order."""
        steps = [(scenario, way) for scenario in self.target.scenarios for way in self.strategies]
        if number:
            self.shuffle(steps)
        for place, (scenario, way) in enumerate(steps, start=1):
            with interruption.allowed():
                trial = try_once(way, scenario, number, self.plan, self.target, answers)
            self._trials.append(trial)
            elapsed_s = self._elapsed_s()
            self.progress(
                Progress(
                    round=number,
                    trial=place,
                    trials_a_round=len(steps),
                    elapsed_s=elapsed_s,
                    seconds_left=seconds_left(limits, self._round_seconds, elapsed_s),
                )
            )

    def _summary(self) -> tuple[StrategySummary, ...]:
        reference = yardstick(way.name for way in self.strategies)
        return summarise(self._trials, reference=reference)

    def _elapsed_s(self) -> float:
        return time.perf_counter() - self._began
