"""The limits of a plan's gate: what breaks them, and for whom they hold."""

from __future__ import annotations

from typing import Any

import pytest
from tests.runs import run, usual

from keptalive.bench.gate import Breach, Gate, Limit, Unjudged, judge


def broken(limit: Limit, **session: Any) -> list[tuple[str, str, float]]:
    return [(b.strategy, b.limit, b.found) for b in judge(run(usual(**session)), [limit]).breaches]


def test_a_limit_holds_for_all_but_the_reference_strategy_unless_it_names_one():
    assert broken(Limit(max_opened=1)) == []
    assert broken(Limit(max_opened=1, strategy="fresh")) == [("fresh", "max_opened", 4)]
    assert broken(Limit(max_opened=0)) == [("session", "max_opened", 1)]
    assert broken(Limit(max_opened=0, scenario="idle-timeout=60")) == []


def test_a_single_trial_that_opens_more_breaks_max_opened():
    trials = usual()
    trials[-1] = usual(opened=3)[-1]
    said = judge(run(trials), [Limit(max_opened=2)]).breaches
    assert said == (
        Breach(scenario="keep-alive", strategy="session", limit="max_opened", allowed=2, found=3),
    )


def test_the_warm_up_round_breaks_nothing():
    trials = usual()
    trials[1] = usual(opened=3)[1]
    assert judge(run(trials), [Limit(max_opened=1)]).holds


@pytest.mark.parametrize(("least", "breaks"), [(0.75, False), (0.76, True)])
def test_reuse_is_the_share_of_attempts_on_a_kept_connection(least, breaks):
    found = [("session", "min_reuse", 0.75)] if breaks else []
    assert found == broken(Limit(min_reuse=least))


def test_a_speed_up_breaks_its_limit_only_with_its_whole_interval():
    speedup = run().summary[1].speedup
    assert speedup.low < speedup.median < speedup.high
    between = (speedup.median + speedup.high) / 2
    assert broken(Limit(min_speedup=between)) == []
    just_above = speedup.high * 1.001
    assert broken(Limit(min_speedup=just_above)) == [("session", "min_speedup", speedup.median)]


def unjudged(gate: Gate) -> list[tuple[str | None, str | None, str, str]]:
    return [(u.scenario, u.strategy, u.limit, u.reason) for u in gate.unjudged]


def test_too_few_rounds_leave_min_speedup_unjudged():
    gate = judge(run(usual(3)), [Limit(min_speedup=100)])
    assert gate == Gate(
        limits=1,
        unjudged=(
            Unjudged(
                scenario="keep-alive",
                strategy="session",
                limit="min_speedup",
                allowed=100,
                reason="it has only 3 rounds; at least 6 are needed",
            ),
        ),
    )
    assert not gate.holds


def test_a_limit_that_meets_no_trial_is_unjudged():
    limits = [Limit(max_opened=1, min_reuse=0.5, strategy="tuned"), Limit(max_opened=4)]
    gate = judge(run(), [*limits, Limit(max_opened=1, scenario="idle-timeout=60")])
    assert gate.breaches == ()
    assert unjudged(gate) == [
        (None, "tuned", "max_opened", "the result has no such trial"),
        (None, "tuned", "min_reuse", "the result has no such trial"),
        ("idle-timeout=60", None, "max_opened", "the result has no such trial"),
    ]


def test_where_requests_failed_a_limit_is_unjudged_unless_it_is_broken():
    failing = run(usual(errors={"Refused": 4}, opened=2, reused=0, unanswered=2))
    limits = [Limit(max_opened=2), Limit(max_opened=1), Limit(min_reuse=0.5), Limit(min_speedup=2)]
    gate = judge(failing, limits)
    assert [breach.allowed for breach in gate.breaches] == [1]
    assert {limit.reason for limit in gate.unjudged} == {"32 of 32 requests failed (Refused)"}
    assert len(gate.unjudged) == 3


def test_the_reference_strategy_has_no_speed_up_to_limit():
    (limit,) = judge(run(), [Limit(min_speedup=2, strategy="fresh")]).unjudged
    assert limit.reason == "it is timed against nothing"


def test_a_gate_holds_if_there_is_one_and_all_its_limits_were_looked_at():
    assert judge(run(), []) == Gate(limits=0)
    assert not Gate(limits=0).holds
    gate = judge(run(), [Limit(max_opened=1, min_reuse=0.75), Limit(min_speedup=2)])
    assert (gate.limits, gate.holds) == (3, True)


def test_a_breach_of_reuse_says_what_perfect_reuse_would_be():
    (breach,) = judge(run(), [Limit(min_reuse=0.95)]).breaches
    assert (breach.found, breach.perfect) == (0.75, 0.75)


def test_what_a_strategy_without_a_log_cannot_know_is_unjudged():
    unknown = {"opened": None, "reused": None, "unanswered": None, "connects": None}
    limits = [Limit(max_opened=1), Limit(min_reuse=0.5)]
    gate = judge(run(usual(**unknown)), limits)
    assert gate.breaches == ()
    assert {limit.reason for limit in gate.unjudged} == {
        "its connections are not counted",
        "reuse is not counted without a log of its connections",
    }


def test_connections_that_the_sockets_counted_are_judged_without_a_log():
    gate = judge(run(usual(reused=None, unanswered=None)), [Limit(max_opened=0)])
    assert [breach.found for breach in gate.breaches] == [1]
