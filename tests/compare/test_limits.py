from __future__ import annotations

import pytest

from keptalive.compare.limits import Limit, beyond, causes_of_all, limit_of
from keptalive.errors import UsageError


def host(opened: int, **causes: float) -> dict:
    """One of a report's: its causes with their seconds, once each."""
    rows = [
        {"cause": name.replace("_", "-"), "count": 1, "seconds": s} for name, s in causes.items()
    ]
    return {"host": f"http://host-{opened}", "opened": opened, "causes": rows}


@pytest.mark.parametrize(
    ("limit", "opened", "refused"),
    [
        (Limit(at_most=2), [1, 1], None),
        (Limit(at_most=1), [1, 0, 1], [1, 1]),
        (Limit(at_most=0), [], None),
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
def test_the_hosts_beyond_a_limit_are_told(limit, opened, refused):
    hosts = beyond(limit, [host(number) for number in opened])
    assert refused == (None if hosts is None else [row["opened"] for row in hosts])


def test_what_is_owed_comes_after_what_could_be_spared_and_the_dearest_before_the_others():
    hosts = [
        host(3, first_use=9.0, new_session=0.1, idle_timeout=0.2),
        host(3, first_use=9.0, new_session=0.3, concurrency=10.0),
    ]
    assert list(causes_of_all(hosts).items()) == [
        ("new-session", 2),
        ("idle-timeout", 1),
        ("first-use", 2),
        ("concurrency", 1),
    ]


def test_a_limit_is_said_by_names():
    assert Limit(at_most=3, per_host=True) == limit_of((), {"at_most": 3, "per_host": True})
    with pytest.raises(UsageError, match=r"^what is 3\? say at_most=N or exactly=N"):
        limit_of((3,), {})
