"""plan -> trials -> run: every strategy in every round, in random order, a fresh client each.

How rounds are made stands in ``rounds``; where the requests go, in ``targets``; how one trial is
made, in ``trial``; why connections were opened, in ``tracing``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from keptalive.bench.answers import Answers
from keptalive.bench.calls import Step
from keptalive.bench.machine import environment
from keptalive.bench.own_strategies import strategies_named
from keptalive.bench.rounds import Progress, Rounds, Turn, limits_of
from keptalive.bench.strategy import Strategy
from keptalive.bench.targets import Target
from keptalive.bench.tracing import traced
from keptalive.bench.trial import run_trial
from keptalive.records.run import About, Trace, Trial

__all__ = ["Bench", "Progress", "limits_of"]


@dataclass(slots=True, kw_only=True)
class Bench(Rounds):
    """One run of a plan's strategies against a target that is ready.

    Attributes:
        strategies: by name; the plan's unless given.
    """

    target: Target
    strategies: Mapping[str, type[Strategy]] = field(default_factory=dict)
    _answers: Answers = field(init=False)
    _abouts: Mapping[str, About] = field(init=False)

    def __post_init__(self) -> None:
        self.strategies = self.strategies or strategies_named(
            self.plan.strategies,
            retry=self.plan.retry,
            pool=self.plan.pool,
            threads=self.plan.threads,
        )
        self._answers = Answers(bodies=self.plan.compare == "body")
        self._abouts = {
            name: About(
                label=strategy.label,
                settings=strategy.settings(),
                thread_safe=strategy.thread_safe,
            )
            for name, strategy in self.strategies.items()
        }

    def contestants(self) -> Mapping[str, About]:
        return self._abouts

    def scenarios(self) -> Sequence[str]:
        return self.target.scenarios

    def environment(self) -> Mapping[str, Any]:
        return {"target": self.target.label, **environment(), **self.target.facts()}

    def trial(self, turn: Turn) -> Trial:
        return run_trial(self._step(turn), turn.round, self.plan, self.target, self._answers)

    def traced(self, turn: Turn) -> Trace | None:
        return traced(self._step(turn), turn.round, self.plan, self.target, self._answers)

    def _step(self, turn: Turn) -> Step:
        return Step(scenario=turn.scenario, name=turn.name, strategy=self.strategies[turn.name])
