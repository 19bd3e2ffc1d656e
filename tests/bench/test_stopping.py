"""A run stops when it has shown enough, or has no time left."""

from __future__ import annotations

import pytest

from keptalive.bench.stopping import Limits, seconds_left, why_stop
from keptalive.bench.summary import summarise
from keptalive.records.counts import HostCounts
from keptalive.records.run import Trial, Witnesses


def summary(rounds: int, spread: float = 0.0):
    """Of a session twice as fast as fresh, give or take."""
    return summarise(
        [
            Trial(
                scenario="keep-alive",
                strategy=strategy,
                round=number,
                warm_up=False,
                counts=HostCounts(requests=1, opened=1),
                witnesses=Witnesses(pool_log=1, sockets=1),
                seconds=seconds,
                cpu_seconds=seconds,
                request_seconds=(seconds,),
            )
            for number in range(1, rounds + 1)
            for strategy, seconds in [("fresh", 2.0), ("session", 1.0 + spread * number)]
        ]
    )


def limits(rounds: int | None = None, budget_s: float | None = None) -> Limits:
    return Limits(rounds=rounds, budget_s=budget_s)


@pytest.mark.parametrize(
    ("bounds", "counted", "spread", "elapsed_s", "expected"),
    [
        (limits(), 0, 0.0, 1.0, None),
        (limits(budget_s=1), 0, 0.0, 99.0, None),  # at least one is counted
        (limits(budget_s=1), 1, 0.0, 99.0, "budget"),
        (limits(rounds=3), 2, 0.0, 3.0, None),
        (limits(rounds=3), 3, 0.0, 4.0, "rounds"),
        (limits(rounds=3, budget_s=1), 3, 0.0, 4.0, "rounds"),
        (limits(rounds=9, budget_s=4.5), 3, 0.0, 4.0, "budget"),
        (limits(rounds=9), 8, 0.0, 9.0, None),  # an exact number, narrow or not
        (limits(), 7, 0.0, 8.0, None),
        (limits(), 8, 0.0, 9.0, "narrow"),
        (limits(), 6, 0.1, 7.0, None),
        (limits(budget_s=9.5), 6, 0.1, 7.0, None),  # one more and the traced one just fit
        (limits(budget_s=9.4), 6, 0.1, 7.0, "budget"),
        (limits(budget_s=9), 8, 0.0, 9.0, "narrow"),
    ],
)
def test_it_stops_at_the_rounds_when_narrow_or_at_the_budget(
    bounds, counted, spread, elapsed_s, expected
):
    rounds = [1.0] * (counted + 1)  # the warm-up too
    assert expected == why_stop(bounds, summary(counted, spread), rounds, elapsed_s)


def test_nothing_run_yet_is_no_reason_to_stop():
    assert None is why_stop(limits(rounds=1, budget_s=1), (), [], 0.0)


def test_one_slow_round_does_not_make_the_next_seem_slow():
    rounds = [1.0, 30.0, 1.0]
    assert None is why_stop(limits(budget_s=40), summary(2), rounds, 32.0)


@pytest.mark.parametrize(
    ("bounds", "round_seconds", "elapsed_s", "expected"),
    [
        (limits(), [1.0], 1.0, None),
        (limits(rounds=3), [], 0.5, None),
        (limits(rounds=3), [2.0], 2.0, 9.0),
        (limits(rounds=3), [2.0, 2.0, 2.0], 6.0, 5.0),
        (limits(rounds=3, budget_s=5), [2.0], 2.0, 3.0),
        (limits(rounds=3, budget_s=50), [2.0], 2.0, 9.0),
        (limits(budget_s=5), [2.0], 2.0, 3.0),
        (limits(budget_s=5), [2.0], 7.0, 0.0),
        (limits(rounds=1), [1.0, 1.0], 9.0, 0.0),
    ],
)
def test_what_is_left_is_bounded_by_rounds_and_budget_and_never_negative(
    bounds, round_seconds, elapsed_s, expected
):
    assert expected == seconds_left(bounds, round_seconds, elapsed_s)
