from __future__ import annotations

import pytest
from tests.reports import FIRST_USE, cause, host

from keptalive.compare.limits import Limit
from keptalive.compare.rules import USE, Rule, breach_of, rule_of
from keptalive.errors import UsageError

AT_MOST_1 = Limit(at_most=1)
NEW_SESSION = frozenset({"new-session"})
A = host("http://a:80", cause("new-session", 2), FIRST_USE)
B = host("http://b:80", cause("unread-body", 1))


@pytest.mark.parametrize(
    ("named", "rule"),
    [
        ({"at_most": 1}, Rule(limit=AT_MOST_1)),
        ({"exactly": 2, "per_host": True}, Rule(limit=Limit(exactly=2, per_host=True))),
        ({"forbid": "new-session"}, Rule(forbidden=NEW_SESSION)),
        ({"forbid": ["new-session"], "at_most": 1}, Rule(limit=AT_MOST_1, forbidden=NEW_SESSION)),
        ({"forbid": ()}, Rule(forbidden=frozenset())),
    ],
)
def test_a_rule_is_set_by_names(named, rule):
    assert rule == rule_of((), named)


@pytest.mark.parametrize(
    ("positional", "named", "wrong"),
    [
        ((3,), {}, f"unknown argument 3; {USE}"),
        ((), {"3": 1}, f"unknown argument 3; {USE}"),
        ((), {}, USE),
        ((), {"forbid": None}, USE),
        ((), {"per_host": True, "forbid": "retry"}, "use at_most=N or exactly=N, one of them"),
        ((), {"forbid": True}, "forbid is the name of a cause, or a list of them, not True"),
        ((), {"forbid": "concurrency"}, 'forbid: "concurrency" is necessary, so it cannot be'),
    ],
)
def test_arguments_that_make_no_sense_are_refused(positional, named, wrong):
    with pytest.raises(UsageError) as refused:
        rule_of(positional, named)
    assert str(refused.value).startswith(wrong)


def test_a_wider_rule_holds_where_the_nearer_one_does_not_speak():
    wider = Rule(limit=AT_MOST_1, forbidden=NEW_SESSION)
    assert wider == Rule().or_else(wider)
    assert Rule(limit=Limit(exactly=3)).or_else(wider) == Rule(
        limit=Limit(exactly=3), forbidden=NEW_SESSION
    )
    assert Rule(forbidden=frozenset()).or_else(wider) == Rule(
        limit=AT_MOST_1, forbidden=frozenset()
    )


@pytest.mark.parametrize(
    ("rule", "limit", "beyond", "forbidden", "hosts"),
    [
        (Rule(limit=AT_MOST_1), AT_MOST_1, (A, B), [], (A, B)),
        (Rule(forbidden=NEW_SESSION), None, (), [("http://a:80", 2)], (A,)),
        (
            Rule(limit=Limit(at_most=2, per_host=True), forbidden=frozenset({"unread-body"})),
            Limit(at_most=2, per_host=True),
            (A,),
            [("http://b:80", 1)],
            (A, B),
        ),
    ],
)
def test_a_breach_has_the_routes_of_the_limit_and_of_the_causes(
    rule, limit, beyond, forbidden, hosts
):
    breach = breach_of(rule, [A, B])
    assert breach is not None
    assert (limit, beyond, hosts) == (breach.limit, breach.beyond, breach.hosts)
    assert forbidden == [(one.host, one.count) for one in breach.forbidden]


def test_a_rule_that_is_kept_has_no_breach():
    kept = Rule(limit=Limit(at_most=4), forbidden=frozenset({"retry"}))
    assert breach_of(kept, [A, B]) is None
    assert breach_of(Rule(), [A, B]) is None
