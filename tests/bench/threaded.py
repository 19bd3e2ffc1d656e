"""Trials whose requests several threads send, for the tests of what they do and count."""

from __future__ import annotations

import threading
from typing import Any

from keptalive.bench.plan import Plan
from keptalive.bench.rounds import Turn
from keptalive.bench.runner import Bench
from keptalive.bench.strategies import STRATEGIES
from keptalive.bench.strategy import Answer, Request, Strategy
from keptalive.bench.targets import LookalikeTarget
from keptalive.lookalike.process import Lookalike
from keptalive.records.run import Trial

POOLS = ("session-pool=2", "session-pool=4", "session-pool-block=2")
PLAN = Plan(
    requests=("/user",), repeats=3, threads=4, rounds=1, rtt_ms=0, strategies=(*STRATEGIES, *POOLS)
)


def bench_on(lookalike: Lookalike, plan: Plan, **strategies: type[Strategy]) -> Bench:
    """A bench of these strategies, or of the plan's."""
    return Bench(plan=plan, target=LookalikeTarget(lookalike, plan), strategies=strategies)


def trial_of(bench: Bench, scenario: str = "keep-alive") -> Trial:
    (name,) = bench.contestants()
    return bench.trial(Turn(scenario=scenario, name=name, round=1))


class Calls(Strategy):
    """Answers when all four threads have asked."""

    label = "calls"
    connects_in_python = False
    thread_safe = True

    def __init__(self, access: Any) -> None:
        super().__init__(access)
        self.gate = threading.Barrier(4)

    def send(self, request: Request) -> Answer:
        self.gate.wait(30)
        return Answer(status=200, body=b"")
