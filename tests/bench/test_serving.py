from __future__ import annotations

import pytest

from keptalive.bench.plan import Plan, with_values
from keptalive.bench.serving import served
from keptalive.errors import UsageError

NEAR = {"scenarios": ["keep-alive"], "rtt_ms": 1}
OWN = "some.package:Strategy"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (
            {"strategies": ["session", OWN]},
            "because a method of your own may need this machine's network",
        ),
        (
            {"program": {"command": "python sync.py {url}"}},
            "because your programs may need this machine's network",
        ),
        ({"link": "delay"}, "as asked"),
    ],
)
def test_a_plan_gets_no_true_link_where_that_could_harm_or_is_not_wanted(values, why):
    with served(with_values(Plan(), {**NEAR, **values}, source=None)) as ours:
        assert ours.link.kind == "delay"
        assert ours.facts() == {
            "link": "delay",
            "link_why": f"Link: a delay in the test server, {why}.",
        }
        assert ours.lookalike.url("keep-alive").startswith("https://127.0.0.1:")
        assert ours.notes()[0] == ours.facts()["link_why"]


def test_a_scenario_of_the_path_is_refused_where_the_plan_wants_a_delay():
    plan = with_values(Plan(), {"scenarios": ["nat-timeout"], "link": "delay"}, source=None)
    with pytest.raises(UsageError, match="scenario nat-timeout=2 works on a true link only"):
        with served(plan):
            raise AssertionError("served")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"link": "wire"}, '--link \'wire\' must be one of "auto", "tun", "veth", "delay".'),
        (
            {"link": "tun", "target": "https://h.example"},
            'link is for target = "lookalike" alone. Next: leave it out.',
        ),
        (
            {"link": "tun", "program": {"command": "python sync.py"}},
            "--link does nothing for programs, which send requests of their own.",
        ),
    ],
)
def test_a_link_that_would_do_nothing_is_refused(values, complaint):
    with pytest.raises(UsageError) as refused:
        with_values(Plan(), values, source=None)
    assert complaint in str(refused.value)
