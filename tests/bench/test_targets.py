"""What a target knows: how time passes for its server, and how many requests a plan makes."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from keptalive.bench.plan import Plan
from keptalive.bench.targets import PAUSE_FACTOR, LookalikeTarget, planned_requests
from keptalive.lookalike.process import Lookalike

SCENARIOS = ("keep-alive", "idle-timeout=60")


def test_of_a_pause_that_nobody_waits_for_the_clock_advances() -> None:
    with Lookalike.start(SCENARIOS) as lookalike:
        target = LookalikeTarget(lookalike, Plan(scenarios=SCENARIOS))
        really_began, began = time.monotonic(), target.clock()
        target.pause("keep-alive")
        target.pause("idle-timeout=60")
        advanced = target.clock() - began
        really = time.monotonic() - really_began
    assert 60 * PAUSE_FACTOR <= advanced <= 60 * PAUSE_FACTOR + really


@pytest.mark.parametrize(("rounds", "expected"), [(None, 2 * 6), (1, 3 * 2 * 6), (6, 8 * 2 * 6)])
def test_a_plan_makes_a_warm_up_and_a_traced_round_beside_the_counted_ones(
    rounds: int | None, expected: int
) -> None:
    plan = Plan(requests=("/a", "/b"), repeats=3, strategies=("fresh", "session"), rounds=rounds)
    assert planned_requests(plan) == expected
    assert planned_requests(replace(plan, threads=8)) == 8 * expected
