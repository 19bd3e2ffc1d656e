"""Rows of the table, from trials made by hand."""

from __future__ import annotations

import random

import pytest

from keptalive.bench.summary import all_narrow, seconds_per_request, speedups, summarise
from keptalive.records.counts import HostCounts
from keptalive.records.run import Interval, Trial, Witnesses

FRESH = HostCounts(requests=2, opened=2)
KEPT = HostCounts(requests=2, opened=1, reused=1)


def trial(
    strategy: str = "fresh",
    number: int = 1,
    *,
    scenario: str = "keep-alive",
    seconds: float = 1.0,
    each: tuple[float, ...] = (0.75, 0.25),
    counts: HostCounts = FRESH,
) -> Trial:
    """One of round ``number``; round 0 is the warm-up."""
    return Trial(
        scenario=scenario,
        strategy=strategy,
        round=number,
        warm_up=number == 0,
        counts=counts,
        witnesses=Witnesses(pool_log=counts.opened, sockets=counts.opened),
        seconds=seconds,
        cpu_seconds=seconds / 2,
        request_seconds=each,
    )


def test_a_row_sums_the_counts_and_takes_medians_over_the_rounds():
    rows = summarise([trial(number=n, seconds=float(n), each=(n, n / 2)) for n in range(8)])
    assert len(rows) == 1
    assert (
        rows[0].scenario,
        rows[0].strategy,
        rows[0].rounds,
        rows[0].perfect,
    ) == ("keep-alive", "fresh", 7, 7)
    assert HostCounts(requests=14, opened=14) == rows[0].counts
    assert rows[0].requests == 14
    assert Interval(median=2.0, low=0.5, high=3.5) == rows[0].seconds_per_request
    assert Interval(median=4.0, low=1, high=7) == rows[0].first_request_s
    assert Interval(median=2.0, low=0.5, high=3.5) == rows[0].later_request_s
    assert rows[0].cpu_seconds_per_request == 1.0
    assert pytest.approx(rows[0].p95_s) == 6.35
    assert rows[0].warnings == ()


def test_warm_up_trials_alone_make_no_row():
    assert summarise([trial(number=0), trial("session", 0)]) == ()
    assert summarise([]) == ()


def test_rows_stand_in_the_order_of_the_warm_up_however_the_rounds_were_shuffled():
    keys = [(where, how) for where in ("b", "a") for how in ("tuned", "fresh", "session")]
    counted = [trial(how, n, scenario=where) for n in range(1, 4) for where, how in keys]
    random.Random(1).shuffle(counted)
    rows = summarise([trial(how, 0, scenario=where) for where, how in keys] + counted)
    assert keys == [(row.scenario, row.strategy) for row in rows]


def test_a_speed_up_is_paired_within_its_round_and_its_scenario():
    trials = [
        trial("fresh", 0, seconds=99.0),
        trial("session", 0),
        trial("session", 1, seconds=1.0),
        trial("fresh", 1, seconds=4.0),
        trial("fresh", 2, seconds=30.0),
        trial("session", 2, seconds=10.0),
        trial("fresh", 3),  # interrupted before its session
        trial("fresh", 1, scenario="other", seconds=50.0),
    ]
    found = speedups(trials, scenario="keep-alive", strategy="session", reference="fresh")
    assert found == [4.0, 3.0]


def test_the_reference_strategy_has_no_speed_up_and_the_others_have_one():
    fresh, session = summarise([trial("fresh", seconds=3.0), trial("session", counts=KEPT)])
    assert None is fresh.speedup
    assert Interval(median=3.0) == session.speedup


def test_without_the_reference_strategy_there_is_no_speed_up():
    assert None is summarise([trial("session")])[0].speedup


def test_another_reference_strategy_may_be_named():
    fresh, session = summarise([trial("fresh"), trial("session")], reference="session")
    assert (Interval(median=1.0), None) == (fresh.speedup, session.speedup)


def test_trials_of_one_request_have_no_later_ones():
    row = summarise([trial(each=(0.5,))])[0]
    assert (Interval(median=0.5), None) == (row.first_request_s, row.later_request_s)


def test_the_wall_time_is_shared_among_the_requests():
    assert seconds_per_request(trial(seconds=1.0)) == 0.5


@pytest.mark.parametrize(("rounds", "expected"), [(1, True), (5, True), (6, False)])
def test_fewer_than_six_rounds_are_too_few_and_the_warning_says_what_to_do(rounds, expected):
    row = summarise([trial(number=n) for n in range(1, rounds + 1)])[0]
    assert expected == any(
        "only " in warning and "--rounds 6" in warning for warning in row.warnings
    )


def test_failures_are_a_warning_with_the_most_frequent_error():
    trials = [trial(number=n) for n in range(1, 6)]
    for number, errors in ((6, {"X": 1}), (7, {"Refused": 2})):
        counts = HostCounts(requests=2, unanswered=2, errors=errors)
        trials.append(trial(number=number, counts=counts))
    (row,) = summarise(trials)
    assert row.warnings == (
        "3 of 14 requests failed (Refused): its times are those of failures too",
    )
    assert row.counts.errors == {"X": 1, "Refused": 2}
    assert row.failed == 3


def rows(session: list[float], tuned: list[float]):
    trials = []
    for n, (one, other) in enumerate(zip(session, tuned, strict=True), 1):
        trials += [trial("fresh", n), trial("session", n, seconds=one)]
        trials += [trial("tuned", n, seconds=other)]
    return summarise(trials)


@pytest.mark.parametrize(
    ("session", "tuned", "expected"),
    [
        ([0.5] * 6, [0.5] * 6, True),
        ([0.5] * 6, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], False),
        ([0.5] * 5, [0.5] * 5, False),  # no bounds yet
    ],
)
def test_all_speed_ups_must_be_narrow(session, tuned, expected):
    assert expected == all_narrow(rows(session, tuned), 0.05)


def test_without_a_speed_up_nothing_is_narrow():
    assert False is all_narrow(summarise([trial(number=n) for n in range(9)]), 0.05)
