"""The noise floor: the same code against itself must not be called faster (A/A).

A hundred independent short runs, each ended by the real stopping rule. An interval for a speed-up
that is truly 1 should contain 1 in some 95 of them. The intervals alone would in 96 to 98, their
order statistics being wider than 95 % asks for; stopping once they are narrow takes that back, to
between 93 and 97 in simulation, least where rounds differ by 3 to 5 %. On such a machine this
fails by chance up to once in five times; then run it again.
"""

from __future__ import annotations

import statistics
from collections import Counter

from keptalive.bench.influences import neutral
from keptalive.bench.plan import Plan
from keptalive.bench.runner import Bench
from keptalive.bench.strategies import OneSession
from keptalive.bench.targets import LookalikeTarget
from keptalive.lookalike.process import Lookalike
from keptalive.records.run import Interval, Run

RUNS = 100
LEAST_THAT_CONTAIN_ONE = 92
PLAN = Plan(
    requests=("/user",),
    repeats=4,
    rtt_ms=0.0,
    scenarios=("keep-alive",),
    budget_s=2.0,
)


class Again(OneSession):
    """The same code under another name."""

    label = "Session again"


STRATEGIES = {"session": OneSession, "session-again": Again}


def all_runs() -> list[Run]:
    with neutral(), Lookalike.start(PLAN.scenarios, rtt_ms=PLAN.rtt_ms) as lookalike:
        target = LookalikeTarget(lookalike, PLAN)
        return [Bench(plan=PLAN, target=target, strategies=STRATEGIES).run() for _ in range(RUNS)]


def speedup_of_again(run: Run) -> Interval:
    (interval,) = (row.speedup for row in run.summary if row.strategy == "session-again")
    assert interval is not None
    return interval


def contains_one(interval: Interval) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= 1 <= interval.high


def test_a_session_is_not_called_faster_than_itself(benchmark):
    runs = benchmark.pedantic(all_runs, rounds=1)
    speedups = [speedup_of_again(run) for run in runs]
    contain_one = sum(contains_one(speedup) for speedup in speedups)
    benchmark.extra_info |= {
        "runs": len(runs),
        "contain_one": contain_one,
        "called_faster": sum(speedup.low > 1 for speedup in speedups),
        "called_slower": sum(speedup.high < 1 for speedup in speedups),
        "median_rounds": statistics.median(run.summary[0].rounds for run in runs),
        "median_width": statistics.median(s.high - s.low for s in speedups),
        "ended": dict(Counter(run.ended for run in runs)),
    }
    assert all(run.valid for run in runs)
    assert contain_one >= LEAST_THAT_CONTAIN_ONE
