"""What a warm request costs the tuned Session, a plain one and httpx2 in CPU time of their own.

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
MOST_OF_A_SESSION = 0.6
PEER = "httpx2"


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start([WARM]) as running:
        yield running


@pytest.mark.benchmark(timer=CLOCK)
def test_a_warm_request_costs_six_tenths_of_a_sessions_and_no_more_than_httpx2s(
    benchmark, lookalike
):
    names = ("session", "tuned", PEER)
    measured = compare(lookalike, names, rounds=ROUNDS, blocks={WARM: REQUESTS})
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
    if PEER in measured:
        assert tuned.times(measured[PEER], "warm", "cpu_seconds").low < 1
