from __future__ import annotations

import pytest
from tests.reports import cause, host

from keptalive.causes.catalogue import CATALOGUE
from keptalive.compare.forbidden import (
    MAY_BE_FORBIDDEN,
    ForbiddenOpening,
    forbidden_causes,
    openings_forbidden,
    places_of,
)
from keptalive.errors import UsageError

CURE = "Change this."  # of `tests.reports.cause`
API = "https://api.test:443"


def test_causes_are_named_one_by_one_or_with_commas():
    named = ["new-session, unread-body", "retry"]
    assert {"new-session", "unread-body", "retry"} == forbidden_causes(named, source="--forbid")
    assert frozenset() == forbidden_causes([], source="--forbid")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("concurrency", '"concurrency" is necessary, so it cannot be forbidden'),
        ("new-sesion", 'there is no cause "new-sesion". Next: is it new-session?'),
        ("session", 'there is no cause "session". Next: is it new-session or session-closed?'),
        ("new-session,", 'there is no cause "". Next: use a name of docs/causes.md.'),
        ("x" * 99, f'there is no cause "{"x" * 40}". Next: use a name of docs/causes.md.'),
    ],
)
def test_a_word_that_cannot_be_forbidden_is_refused_with_the_next_step(word, said):
    with pytest.raises(UsageError, match=r"^--forbid: ") as refused:
        forbidden_causes([word], source="--forbid")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_everything_but_what_is_unavoidable_may_be_forbidden():
    assert set(CATALOGUE) - {"first-use", "concurrency"} == set(MAY_BE_FORBIDDEN)
    assert set(MAY_BE_FORBIDDEN) == forbidden_causes(MAY_BE_FORBIDDEN, source="--forbid")


def test_a_forbidden_cause_is_found_with_its_route_number_and_places():
    made = {"sessions_at": {"sync.py:12": 3, "sync.py:30": 1}, "sessions_through_at": {"lib:1": 4}}
    hosts = [
        host(API, cause("idle-timeout", 5), cause("new-session", 4, facts=made)),
        host(API, cause("new-session", 0, unanswered=2), via="http://proxy.test:3128"),
        host(API, cause("first-use", 1)),
    ]
    assert (
        ForbiddenOpening(
            host=API, cause="new-session", count=4, places=("sync.py:12", "sync.py:30"), cure=CURE
        ),
        ForbiddenOpening(
            host=API, via="http://proxy.test:3128", cause="new-session", count=2, cure=CURE
        ),
    ) == openings_forbidden(hosts, frozenset({"new-session", "retry"}))


@pytest.mark.parametrize(
    ("members", "maybe"),
    [
        (("new-session", "session-closed"), ()),
        (("new-session", "first-use"), ("new-session",)),
    ],
)
def test_a_set_of_causes_breaks_the_rule_for_certain_only_if_all_of_it_is_forbidden(members, maybe):
    several = cause("new-pool", 2, members=members)
    (found,) = openings_forbidden(
        [host(API, several)], frozenset({"new-session", "session-closed"})
    )
    assert (found.cause, found.count, found.maybe) == ("new-pool", 2, maybe)


def test_a_set_without_a_forbidden_cause_is_none():
    several = cause("new-pool", 2, members=("new-session", "first-use"))
    assert openings_forbidden([host(API, several)], frozenset({"retry"})) == ()


def test_the_most_frequent_place_of_a_cause_comes_first():
    placed = cause(
        "unread-body",
        4,
        facts={"unread_at": {"a.py:1": 1}, "unread_in_at": {"b.py:2": 3}, "unread_at_more": 2},
    )
    assert places_of(placed) == ("b.py:2", "a.py:1")
