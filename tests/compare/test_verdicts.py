"""Two runs are compared: counts exactly, times as ratios, and nothing that cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.runs import run, trial, usual

from keptalive.compare.verdicts import (
    BETTER,
    NOT_COMPARABLE,
    NOT_SHOWN,
    SAME,
    WORSE,
    Comparison,
    Guard,
    Row,
    compare,
    judge_counts,
    judge_time,
    relative_change,
)
from keptalive.records.run import Interval, Run


def row(comparison: Comparison, strategy: str, measure: str) -> Row:
    (found,) = (r for r in comparison.rows if (r.strategy, r.measure) == (strategy, measure))
    return found


def verdicts(comparison: Comparison, strategy: str = "session") -> dict[str, str]:
    return {r.measure: r.verdict for r in comparison.rows if r.strategy == strategy}


def test_a_run_against_itself_is_the_same_in_everything():
    comparison = compare(run(), run())
    assert verdicts(comparison) == dict.fromkeys(("opened", "reopened", "attempts", "time"), SAME)
    assert comparison.regressions == ()
    assert comparison.unjudged == ()


def test_one_more_connection_a_trial_is_a_regression():
    comparison = compare(run(), run(usual(opened=2, reopened=1)))
    found = row(comparison, "session", "opened")
    assert (found.baseline, found.candidate, found.verdict) == (1, 2, WORSE)
    assert found.change == Interval(median=1)
    assert [r.measure for r in comparison.regressions] == ["opened", "reopened"]


def test_rounds_may_differ_and_the_warm_up_round_does_not_count():
    few = run(usual(6))
    many = usual(20)
    many[1] = replace(many[1], counts=replace(many[1].counts, opened=4))  # the session's warm-up
    assert verdicts(compare(few, run(many)))["opened"] == SAME


def test_times_are_ratios_so_that_a_machine_half_as_fast_changes_nothing():
    slow = [replace(t, seconds=2 * t.seconds) for t in usual()]
    assert verdicts(compare(run(), run(slow)))["time"] == SAME
    assert verdicts(compare(run(), run(slow), absolute=True))["time"] == WORSE


def test_the_reference_strategy_has_a_time_of_its_own_in_seconds_only():
    assert "time" not in verdicts(compare(run(), run()), "fresh")
    assert verdicts(compare(run(), run(), absolute=True), "fresh")["time"] == SAME


def test_a_slower_session_is_worse_once_the_whole_interval_lies_beyond_the_threshold():
    slower = run(usual(slower=1.2))
    assert verdicts(compare(run(), slower))["time"] == WORSE
    assert verdicts(compare(slower, run()))["time"] == BETTER
    at_half = compare(run(), slower, guard=Guard(threshold=0.5))
    assert verdicts(at_half)["time"] == SAME


def test_what_is_not_guarded_is_no_regression():
    comparison = compare(run(), run(usual(opened=2)), guard=Guard(measures=frozenset({"time"})))
    assert verdicts(comparison)["opened"] == WORSE
    assert comparison.regressions == ()


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (Interval(median=0.2, low=0.11, high=0.3), WORSE),
        (Interval(median=0.2, low=0.1, high=0.3), NOT_SHOWN),
        (Interval(median=0.04, low=-0.01, high=0.09), SAME),
        (Interval(median=-0.2, low=-0.3, high=-0.1), BETTER),
        (Interval(median=-0.08, low=-0.2, high=0.01), NOT_SHOWN),
        (Interval(median=0.9), NOT_SHOWN),
    ],
)
def test_a_time_is_judged_by_its_whole_interval(change, verdict):
    assert verdict == judge_time(change, 0.1)


def test_the_change_is_that_of_the_medians_where_one_side_is_the_other_times_a_factor():
    before = [1.0, 1.1, 0.9, 1.2, 0.8, 1.05]
    change = relative_change(before, [1.2 * value for value in before])
    assert change.median == pytest.approx(0.2)
    assert change.low < 0.2 < change.high


# -- Counts that vary within a side --------------------------------------------------------------


def called_worse(vary, shift: int, rounds: int, times: int = 400) -> float:
    """In what share of comparisons a shift of so many connections is called worse."""
    random = np.random.default_rng(rounds + 100 * shift)
    judged = [
        judge_counts(vary(random, rounds).tolist(), (vary(random, rounds) + shift).tolist())
        for _ in range(times)
    ]
    return sum(verdict == WORSE for _, verdict, _ in judged) / times


SOMETIMES_ONE_MORE = pytest.mark.parametrize("share", [0.05, 0.2, 0.5])


@SOMETIMES_ONE_MORE
@pytest.mark.parametrize("rounds", [6, 8, 12, 30])
def test_where_trials_differ_by_themselves_nothing_is_called_worse(share, rounds):
    assert called_worse(lambda r, n: 1 + r.binomial(1, share, n), 0, rounds) <= 0.02


@SOMETIMES_ONE_MORE
@pytest.mark.parametrize("rounds", [12, 30])
def test_where_trials_differ_by_themselves_one_more_in_each_is_not_missed(share, rounds):
    assert called_worse(lambda r, n: 1 + r.binomial(1, share, n), 1, rounds) >= 0.95


def test_a_few_trials_with_many_connections_hide_no_shift():
    assert called_worse(lambda r, n: 1 + 20 * r.binomial(1, 0.1, n), 1, 12) >= 0.98


def test_a_straggler_alone_is_not_called_worse():
    assert judge_counts([1] * 6, [1, 1, 1, 1, 1, 2]) == (0, NOT_SHOWN, True)


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [([1, 1, 1], [3, 3, 4], 2), ([1] * 3, [30, 30, 40], 29), ([1, 2], [3], 1.5)],
)
def test_a_side_whose_every_trial_opens_more_is_worse_however_few_they_are(before, after, change):
    assert judge_counts(before, after) == (change, WORSE, True)
    assert judge_counts(after, before) == (-change, BETTER, True)


def test_so_few_trials_that_differ_that_nothing_could_be_shown_are_not_comparable():
    assert judge_counts([1, 1, 1], [1, 3, 4]) == (2, NOT_COMPARABLE, True)
    assert judge_counts([1] * 6, [1, 1, 1, 1, 3, 4]) == (0, NOT_SHOWN, True)
    trials = usual(3)
    trials[-1] = usual(3, opened=2)[-1]
    comparison = compare(run(usual(3)), run(trials))
    said = "too few rounds (3 and 3) where trials differ; 6 are enough"
    assert reasons(comparison)["opened"] == said
    assert "opened" in {r.measure for r in comparison.unjudged}


@pytest.mark.parametrize("rounds", [4, 6])
@pytest.mark.parametrize("mean", [0.2, 1, 5, 40])
def test_where_trials_differ_much_nothing_is_called_worse_either(rounds, mean):
    assert called_worse(lambda r, n: 1 + r.poisson(mean, n), 0, rounds, times=600) <= 0.03


def test_two_trials_that_never_differ_are_enough():
    assert judge_counts([1, 1], [2, 2]) == (1, WORSE, False)


# -- What cannot be compared ---------------------------------------------------------------------


def reasons(comparison: Comparison, strategy: str = "session") -> dict[str, str | None]:
    return {r.measure: r.reason for r in comparison.rows if r.strategy == strategy}


def test_a_strategy_on_one_side_only_is_a_fault_only_if_it_is_missing_in_the_candidate():
    alone = run([t for t in usual() if t.strategy == "fresh"])
    gone = compare(run(), alone)
    assert set(reasons(gone).values()) == {"not in the candidate"}
    assert {r.strategy for r in gone.unjudged} == {"session"}
    new = compare(alone, run())
    assert set(reasons(new).values()) == {"not in the baseline"}
    assert new.unjudged == ()


def test_a_scenario_on_one_side_only_is_named_too():
    other = [replace(t, scenario="idle-timeout=60") for t in usual()]
    comparison = compare(run(), run([*usual(), *other]))
    found = {r.scenario: r.reason for r in comparison.rows if r.strategy == "session"}
    assert found == {"keep-alive": None, "idle-timeout=60": "not in the baseline"}


def test_requests_that_failed_make_nothing_comparable():
    failing = run(usual(errors={"ReadTimeout": 1}))
    said = "candidate: 8 of 32 requests failed (ReadTimeout)"
    assert set(reasons(compare(run(), failing)).values()) == {said}


def test_times_relative_to_a_reference_that_failed_are_not_comparable():
    trials = [
        replace(t, counts=replace(t.counts, errors={"Refused": 1})) if t.strategy == "fresh" else t
        for t in usual()
    ]
    found = reasons(compare(run(trials), run()))
    assert found["opened"] is None
    assert found["time"] == "baseline, fresh: 8 of 32 requests failed (Refused)"


def test_too_few_rounds_leave_the_counts_comparable():
    comparison = compare(run(), run(usual(5)))
    assert reasons(comparison)["time"] == "candidate: only 5 rounds; at least 6 are needed"
    assert verdicts(comparison)["opened"] == SAME


def test_other_requests_are_not_comparable_and_another_distance_not_in_time():
    other = compare(run(), run(plan={"repeats": 9}))
    assert set(reasons(other).values()) == {"the plans differ in repeats"}
    farther = compare(run(), run(plan={"rtt_ms": 0.0}))
    assert reasons(farther)["time"] == "the plans differ in rtt_ms"
    assert verdicts(farther)["opened"] == SAME


def at(target: str) -> Run:
    return run(plan={"target": target})


@pytest.mark.parametrize(
    "other", ["https://other.example/api", "https://h.example:8443/api", "https://h.example/api"]
)
def test_a_server_of_ones_own_may_have_another_host_and_port(other):
    comparison = compare(at("https://h.example/api"), at(other))
    assert set(reasons(comparison).values()) == {None}


@pytest.mark.parametrize(
    "other",
    ["http://h.example/api", "https://h.example/api/v2", "github", "lookalike", "http://[::1"],
)
def test_another_kind_of_server_is_not_comparable(other):
    comparison = compare(at("https://h.example/api"), at(other))
    assert set(reasons(comparison).values()) == {"the plans differ in target"}


def test_counts_that_neither_side_knows_have_no_row():
    unknown = run(usual(reused=None, unanswered=None, reopened=None))
    found = compare(unknown, unknown)
    assert verdicts(found) == {"opened": SAME, "time": SAME}
    assert found.unjudged == ()


def test_a_count_that_one_side_does_not_know_is_not_comparable():
    found = reasons(compare(run(), run(usual(reused=None, unanswered=None, reopened=None))))
    assert found["opened"] is None
    assert found["attempts"] == "attempts is not counted on both sides"


def test_a_plan_read_back_from_json_is_the_same_plan():
    listed = {"requests": list(run().plan["requests"])}
    assert verdicts(compare(run(plan=listed), run()))["opened"] == SAME


def test_times_relative_to_different_strategies_are_not_comparable():
    tuned = [replace(t, strategy="tuned") if t.strategy == "fresh" else t for t in usual()]
    found = reasons(compare(run(), run(tuned)))
    assert found["time"] == "its times are relative to fresh there, to tuned here"


def test_rows_stand_in_the_order_of_the_runs():
    trials = [trial(s, n, 0.1) for n in range(8) for s in ("fresh", "tuned", "session")]
    order = [r.strategy for r in compare(run(trials), run(trials)).rows]
    assert list(dict.fromkeys(order)) == ["fresh", "tuned", "session"]
    assert all(r.verdict != NOT_COMPARABLE for r in compare(run(trials), run(trials)).rows)


def test_times_over_a_true_link_and_with_a_delay_are_not_comparable_and_counts_are():
    true, delayed, old = (run(environment=one) for one in ({"link": "tun"}, {"link": "delay"}, {}))
    comparison = compare(delayed, true)
    assert reasons(comparison)["time"] == "the links differ (delay and tun)"
    assert verdicts(comparison)["opened"] == SAME
    assert reasons(compare(old, true))["time"] == "the links differ (none named and tun)"
    assert set(reasons(compare(true, true)).values()) == {None}


def of_threads(
    threads: int = 8,
    *,
    latency: float = 1.0,
    seconds: float = 1.0,
    cpu: float = 1.0,
    **plan: Any,
) -> Run:
    """A run in which only the session's times are so many times as long."""
    trials = [
        replace(
            t,
            threads=threads,
            request_seconds=tuple(
                s * (latency if t.strategy == "session" else 1) for s in t.request_seconds
            ),
            seconds=t.seconds * (seconds if t.strategy == "session" else 1),
            cpu_seconds=t.cpu_seconds * (cpu if t.strategy == "session" else 1),
        )
        for t in usual()
    ]
    return run(trials, plan={"threads": threads, **plan})


def test_of_threads_throughput_and_cpu_time_are_compared_and_fail_nothing():
    slower = of_threads(latency=1.5, seconds=2, cpu=3)
    comparison = compare(of_threads(), slower)
    assert verdicts(comparison) == {
        **dict.fromkeys(("opened", "reopened", "attempts"), SAME),
        **dict.fromkeys(("time", "throughput", "cpu"), WORSE),
    }
    assert row(comparison, "session", "time").change.median == pytest.approx(0.5)
    assert row(comparison, "session", "throughput").change.median == pytest.approx(-0.5)
    assert row(comparison, "session", "cpu").change.median == pytest.approx(2)
    assert [one.measure for one in comparison.regressions] == ["time"]
    better = verdicts(compare(slower, of_threads()))
    assert (better["throughput"], better["cpu"]) == (BETTER, BETTER)


def test_in_seconds_throughput_is_requests_a_second_of_all_threads():
    comparison = compare(of_threads(), of_threads(), absolute=True)
    found = row(comparison, "fresh", "throughput")
    assert found.baseline == pytest.approx(4 / 0.4, rel=0.02)
    assert row(comparison, "fresh", "time").baseline == pytest.approx(0.4 / 4, rel=0.02)


@pytest.mark.parametrize("changed", [{"threads": 4}, {"bursts": True}])
def test_other_threads_are_not_comparable(changed):
    (why,) = set(reasons(compare(of_threads(), of_threads(**changed))).values())
    assert why == f"the plans differ in {next(iter(changed))}"
