"""What a warm request costs the tuned Session next to a plain one, in the client's own CPU time.

Each has a process to itself: the interpreter adapts to the code that it runs, and would to both at
once. requests looks through the whole environment for proxies at each request, so that the figures
depend on how many variables there are. The benchmark replays the tuned Session's CPU seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from bench.side_by_side import CLOCK, WARM, compare, replay

from keptalive.lookalike.process import Lookalike

ROUNDS = 40
REQUESTS = 60
MOST_OF_A_SESSION = 0.75


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start([WARM]) as running:
        yield running


@pytest.mark.benchmark(timer=CLOCK)
def test_a_warm_request_costs_three_quarters_of_a_sessions(benchmark, lookalike):
    measured = compare(lookalike, ("session", "tuned"), rounds=ROUNDS, blocks={WARM: REQUESTS})
    session, tuned = measured["session"], measured["tuned"]
    share = tuned.times(session, "warm", "cpu_seconds")
    replay(benchmark, [cost.cpu_seconds for cost in tuned.costs("warm")])
    benchmark.extra_info |= {
        "environment_variables": len(os.environ),
        "session_cpu_us": session.median("warm", "cpu_seconds") * 1e6,
        "tuned_cpu_us": tuned.median("warm", "cpu_seconds") * 1e6,
        "tuned_to_session_cpu": [share.median, share.low, share.high],
    }
    assert {cost.opened for cost in tuned.costs("warm")} == {0}
    assert share.median <= MOST_OF_A_SESSION
