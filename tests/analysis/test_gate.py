"""The limits of a plan's gate: what breaks them, and for whom they hold."""

from __future__ import annotations

import pytest
from tests.runs import run, usual

from keptalive.analysis.gate import Breach, Limit, breaches


def broken(limit: Limit, **session: int) -> list[tuple[str, str, float]]:
    return [(b.strategy, b.limit, b.found) for b in breaches(run(usual(**session)), [limit])]


def test_a_limit_holds_for_all_but_the_yardstick_unless_it_names_one():
    assert broken(Limit(max_opened=1)) == []
    assert broken(Limit(max_opened=1, strategy="fresh")) == [("fresh", "max_opened", 4)]
    assert broken(Limit(max_opened=0)) == [("session", "max_opened", 1)]
    assert broken(Limit(max_opened=0, scenario="idle-timeout=60")) == []


def test_a_single_trial_that_opens_more_breaks_max_opened():
    trials = usual()
    trials[-1] = usual(opened=3)[-1]
    said = breaches(run(trials), [Limit(max_opened=2)])
    assert said == (
        Breach(scenario="keep-alive", strategy="session", limit="max_opened", allowed=2, found=3),
    )


def test_the_warm_up_round_breaks_nothing():
    trials = usual()
    trials[1] = usual(opened=3)[1]
    assert breaches(run(trials), [Limit(max_opened=1)]) == ()


@pytest.mark.parametrize(("least", "breaks"), [(0.75, False), (0.76, True)])
def test_reuse_is_the_share_of_attempts_on_a_kept_connection(least, breaks):
    found = [("session", "min_reuse", 0.75)] if breaks else []
    assert found == broken(Limit(min_reuse=least))


def test_a_speed_up_breaks_its_limit_only_with_its_whole_interval():
    speedup = run().summary[1].speedup_vs_fresh
    assert speedup.low < speedup.median < speedup.high
    between = (speedup.median + speedup.high) / 2
    assert broken(Limit(min_speedup=between)) == []
    just_above = speedup.high * 1.001
    assert broken(Limit(min_speedup=just_above)) == [("session", "min_speedup", speedup.median)]


def test_too_few_rounds_break_no_speed_up():
    assert breaches(run(usual(3)), [Limit(min_speedup=100)]) == ()
