"""Rounds of trials until it is enough: each contestant in every round, in random order.

What a trial is, strategies or programs decide, in a subclass of `Rounds`. What the numbers mean is
decided in ``summary``, when to stop in ``stopping``.
"""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from keptalive import interruption
from keptalive.bench.answers import DisagreementError
from keptalive.bench.plan import DEFAULT_BUDGET_S, Plan
from keptalive.bench.stopping import TRACED, Limits, seconds_left, why_stop
from keptalive.bench.summary import reference_strategy, summarise
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One contestant in one scenario, once: what a round is made of. Round 0 is the warm-up."""

    scenario: str
    name: str
    round: int


def limits_of(plan: Plan) -> Limits:
    """What the plan's run is bound by: its own numbers, else the default budget."""
    if plan.rounds is None and plan.budget_s is None:
        return Limits(rounds=None, budget_s=DEFAULT_BUDGET_S)
    return Limits(rounds=plan.rounds, budget_s=plan.budget_s)


@dataclass(slots=True, kw_only=True)
class Rounds(ABC):
    """One run of a plan.

    Attributes:
        progress: is called after each trial.
        shuffle: puts a list into random order, in place.
        traced_round: how long a traced round takes, in counted ones.
    """

    traced_round: ClassVar[float] = TRACED

    plan: Plan
    progress: Callable[[Progress], None] = lambda _: None
    shuffle: Callable[[list[str]], None] = random.shuffle
    _trials: list[Trial] = field(default_factory=list)
    _traces: list[Trace] = field(default_factory=list)
    _round_seconds: list[float] = field(default_factory=list)
    _began: float = 0.0

    @abstractmethod
    def contestants(self) -> Mapping[str, About]:
        """Who takes part, by name. The others are timed against the `reference_strategy`."""

    @abstractmethod
    def scenarios(self) -> Sequence[str]:
        """In which scenarios."""

    @abstractmethod
    def trial(self, turn: Turn) -> Trial:
        """Run a trial.

        Raises:
            DisagreementError: witnesses or answers differ.
            TargetError: the target stops it.
        """

    @abstractmethod
    def traced(self, turn: Turn) -> Trace | None:
        """Why connections were opened: asked for in one more round, after the counted ones.

        Raises:
            DisagreementError, TargetError: as `trial`.
        """

    @abstractmethod
    def environment(self) -> Mapping[str, Any]:
        """On what the results depend, for the result file."""

    def notes(self) -> tuple[str, ...]:
        """What else is to be said of the run, in sentences."""
        return ()

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
            environment=self.environment(),
            strategies=self.contestants(),
            trials=tuple(self._trials),
            summary=self._summary(),
            ended=ended,
            stopped_by=stopped_by,
            seconds=self._elapsed_s(),
            disagreements=disagreements,
            traces=tuple(self._traces),
            notes=self.notes(),
        )

    def _all_rounds(self) -> str:
        limits = replace(limits_of(self.plan), traced=self.traced_round)
        reason = None
        while reason is None:
            began = time.perf_counter()
            self._round(len(self._round_seconds), limits)
            self._round_seconds.append(time.perf_counter() - began)
            reason = why_stop(limits, self._summary(), self._round_seconds, self._elapsed_s())
        self._traced_round(limits)
        return reason

    def _turns(self, number: int, *, shuffled: bool = False) -> Iterator[Turn]:
        """One for each contestant in each scenario.

        Those of a scenario follow one another, since they are compared: what slows the machine
        for some seconds slows them all.
        """
        for scenario in self._ordered(self.scenarios(), shuffled):
            for name in self._ordered(self.contestants(), shuffled):
                yield Turn(scenario=scenario, name=name, round=number)

    def _ordered(self, names: Iterable[str], shuffled: bool) -> list[str]:
        listed = list(names)
        if shuffled:
            self.shuffle(listed)
        return listed

    def _round(self, number: int, limits: Limits) -> None:
        """One trial of each contestant in each scenario; the warm-up round alone is in order."""
        for place, turn in enumerate(self._turns(number, shuffled=number > 0), start=1):
            with interruption.allowed():
                self._trials.append(self.trial(turn))
            self._report_progress(limits, number, place)

    def _traced_round(self, limits: Limits) -> None:
        number = len(self._round_seconds)
        for place, turn in enumerate(self._turns(number), start=1):
            with interruption.allowed():
                trace = self.traced(turn)
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
                trials_a_round=len(self.scenarios()) * len(self.contestants()),
                elapsed_s=elapsed_s,
                seconds_left=seconds_left(limits, self._round_seconds, elapsed_s),
                traced=traced,
            )
        )

    def _summary(self) -> tuple[StrategySummary, ...]:
        return summarise(self._trials, reference=reference_strategy(self.contestants()))

    def _elapsed_s(self) -> float:
        return time.perf_counter() - self._began
