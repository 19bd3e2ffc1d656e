"""plan -> trials -> run: every strategy in every round, in random order, a fresh client each.

What the numbers mean is decided in ``summary``; where the requests go, in ``targets``; how one
trial is made, in ``trial``; why connections were opened, in ``tracing``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from keptalive import interruption
from keptalive.bench.machine import environment
from keptalive.bench.own_strategies import strategies_named
from keptalive.bench.plan import DEFAULT_BUDGET_S, Plan
from keptalive.bench.stopping import Limits, seconds_left, why_stop
from keptalive.bench.strategy import Strategy
from keptalive.bench.summary import reference_strategy, summarise
from keptalive.bench.targets import Target
from keptalive.bench.tracing import traced
from keptalive.bench.trial import Answers, DisagreementError, Step, run_trial
from keptalive.errors import TargetError
from keptalive.interruption import Interrupted
from keptalive.records.run import About, Run, StrategySummary, Trace, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is; ``seconds_left`` is None before anything is known of it."""

    round: int
    trial: int
    trials_a_round: int
    elapsed_s: float
    seconds_left: float | None
    traced: bool = False


def limits_of(plan: Plan) -> Limits:
    """What the plan's run is bound by: its own numbers, else the default budget."""
    if plan.rounds is None and plan.budget_s is None:
        return Limits(rounds=None, budget_s=DEFAULT_BUDGET_S)
    return Limits(rounds=plan.rounds, budget_s=plan.budget_s)


@dataclass(slots=True, kw_only=True)
class Bench:
    """One run of a plan against a target that is ready.

    Attributes:
        strategies: by name; the plan's unless given. The others are timed against the
            `reference_strategy` among them.
        progress: is called after each trial.
        shuffle: puts a list into random order, in place.
    """

    plan: Plan
    target: Target
    strategies: Mapping[str, type[Strategy]] = field(default_factory=dict)
    progress: Callable[[Progress], None] = lambda _: None
    shuffle: Callable[[list[str]], None] = random.shuffle
    _trials: list[Trial] = field(default_factory=list)
    _traces: list[Trace] = field(default_factory=list)
    _round_seconds: list[float] = field(default_factory=list)
    _began: float = 0.0

    def __post_init__(self) -> None:
        self.strategies = self.strategies or strategies_named(
            self.plan.strategies, retry=self.plan.retry, pool=self.plan.pool
        )

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
            strategies={
                name: About(
                    label=strategy.label,
                    settings=strategy.settings(),
                    thread_safe=strategy.thread_safe,
                )
                for name, strategy in self.strategies.items()
            },
            trials=tuple(self._trials),
            summary=self._summary(),
            ended=ended,
            stopped_by=stopped_by,
            seconds=self._elapsed_s(),
            disagreements=disagreements,
            traces=tuple(self._traces),
        )

    def _all_rounds(self) -> str:
        limits = limits_of(self.plan)
        answers = Answers(bodies=self.plan.compare == "body")
        reason = None
        while reason is None:
            began = time.perf_counter()
            self._round(len(self._round_seconds), limits, answers)
            self._round_seconds.append(time.perf_counter() - began)
            reason = why_stop(limits, self._summary(), self._round_seconds, self._elapsed_s())
        self._traced_round(limits, answers)
        return reason

    def _steps(self, *, shuffled: bool = False) -> Iterator[Step]:
        """One for each strategy in each scenario.

        Those of a scenario follow one another, since they are compared: what slows the machine
        for some seconds slows them all.
        """
        for scenario in self._ordered(self.target.scenarios, shuffled):
            for name in self._ordered(self.strategies, shuffled):
                yield Step(scenario=scenario, name=name, strategy=self.strategies[name])

    def _ordered(self, names: Iterable[str], shuffled: bool) -> list[str]:
        listed = list(names)
        if shuffled:
            self.shuffle(listed)
        return listed

    def _round(self, number: int, limits: Limits, answers: Answers) -> None:
        """One trial of each strategy in each scenario; the warm-up round alone is in order."""
        for place, step in enumerate(self._steps(shuffled=number > 0), start=1):
            with interruption.allowed():
                self._trials.append(run_trial(step, number, self.plan, self.target, answers))
            self._report_progress(limits, number, place)

    def _traced_round(self, limits: Limits, answers: Answers) -> None:
        number = len(self._round_seconds)
        for place, step in enumerate(self._steps(), start=1):
            with interruption.allowed():
                trace = traced(step, number, self.plan, self.target, answers)
            self._traces += [] if trace is None else [trace]
            self._report_progress(limits, number, place, traced=True)

    def _report_progress(
        self, limits: Limits, number: int, trial: int, *, traced: bool = False
    ) -> None:
        elapsed_s = self._elapsed_s()
        self.progress(
            Progress(
                round=number,
                trial=trial,
                trials_a_round=len(self.target.scenarios) * len(self.strategies),
                elapsed_s=elapsed_s,
                seconds_left=seconds_left(limits, self._round_seconds, elapsed_s),
                traced=traced,
            )
        )

    def _summary(self) -> tuple[StrategySummary, ...]:
        return summarise(self._trials, reference=reference_strategy(self.strategies))

    def _elapsed_s(self) -> float:
        return time.perf_counter() - self._began
