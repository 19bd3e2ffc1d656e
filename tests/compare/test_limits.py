from __future__ import annotations

import pytest
from tests.reports import cause
from tests.reports import host as route

from keptalive.compare.limits import Limit, beyond, causes_of_all, numbers_of_all
from keptalive.records.report import HostReport, Range


def host(opened: int | None, **numbers: object) -> HostReport:
    return route(f"http://host-{opened}:80", **{"opened": opened, **numbers})


def with_causes(**seconds: float | None) -> HostReport:
    """A route with each of these causes once."""
    return route(
        "http://a:80", *(cause(name.replace("_", "-"), 1, s) for name, s in seconds.items())
    )


@pytest.mark.parametrize(
    ("limit", "opened", "refused"),
    [
        (Limit(at_most=2), [1, 1], None),
        (Limit(at_most=1), [1, 0, 1], [1, 1]),
        (Limit(at_most=0), [], None),
        (Limit(at_most=0), [None], None),
        (Limit(at_most=1, per_host=True), [1, 1], None),
        (Limit(at_most=1, per_host=True), [1, 3, 2], [3, 2]),
        (Limit(exactly=2), [1, 1], None),
        (Limit(exactly=2), [1], [1]),
        (Limit(exactly=2), [0], []),
        (Limit(exactly=1), [], []),
        (Limit(exactly=0), [], None),
        (Limit(exactly=1, per_host=True), [1, 0, 2], [0, 2]),
        (Limit(exactly=1, per_host=True), [1, 1], None),
        (Limit(exactly=1, per_host=True), [], []),
    ],
)
def test_the_hosts_beyond_a_limit_are_found(limit, opened, refused):
    hosts = beyond(limit, [host(number) for number in opened])
    assert refused == (None if hosts is None else [row.opened for row in hosts])


def test_connections_that_were_never_answered_count_against_no_limit():
    assert beyond(Limit(exactly=0), [host(0, opened_unanswered=3)]) is None


def test_the_most_expensive_cause_comes_first_and_unavoidable_ones_last():
    hosts = [
        with_causes(first_use=9.0, new_session=0.1, idle_timeout=0.2),
        with_causes(first_use=9.0, new_session=0.3, concurrency=10.0, retry=None),
    ]
    assert list(causes_of_all(hosts).items()) == [
        ("new-session", 2),
        ("idle-timeout", 1),
        ("retry", 1),
        ("first-use", 2),
        ("concurrency", 1),
    ]


def test_a_cause_of_connections_that_were_never_answered_is_not_counted():
    silent = route("http://a:80", cause("retry", 0, unanswered=2), cause("first-use", 1))
    assert causes_of_all([silent]) == {"first-use": 1}


def test_the_numbers_of_all_hosts_are_sums_and_of_a_range_the_least():
    hosts = [
        host(3, perfect=Range(least=2, most=2), reused=5, reopened=1),
        host(4, perfect=Range(least=1, most=4), reused=1, reopened=None),
        host(None, perfect=None, reused=None),
    ]
    assert numbers_of_all(hosts) == {"opened": 7, "perfect": 3, "reused": 6, "reopened": 1}
