"""What only all connections of a route show together: idle timeouts and request limits."""

from __future__ import annotations

from typing import Any

import pytest
from tests.causes.records import causes, opened, process, reported

from keptalive.causes.patterns import Pattern, announced_timeout_s, pattern_of, safe_max_idle_s
from keptalive.records.connection import CloseReason, Connection, ConnectionEnd
from keptalive.records.process import ProcessRecord

FIN = CloseReason.FIN


def dying(*ends: tuple[float | None, int] | float | None, **values: Any) -> list[Connection]:
    """Connections one after the other: each is closed after that idle time (and responses)."""
    known = [end if isinstance(end, tuple) else (end, 1) for end in ends]
    connections = [
        opened(
            n,
            replaces=n - 1 if n > 1 else None,
            how=FIN,
            end={"idle_s": idle_s},
            served=served,
            **values,
        )
        for n, (idle_s, served) in enumerate(known, start=1)
    ]
    return [*connections, opened(len(known) + 1, replaces=len(known))]


def of(*ends: tuple[float | None, int] | float | None, **counts: Any) -> list[str | None]:
    """The causes of all but the first."""
    return causes(*dying(*ends), **counts)[1:]


# -- Idle timeouts


def test_one_end_after_a_long_time_is_an_idle_timeout():
    assert of(60.0) == ["idle-timeout"]


@pytest.mark.parametrize("how", [CloseReason.FIN, CloseReason.TLS_CLOSE])
def test_a_tls_close_is_as_good_as_a_fin(how):
    first = opened(1, how=how, end={"idle_s": 60.0})
    assert causes(first, opened(2, replaces=1))[1:] == ["idle-timeout"]


def test_an_end_after_as_much_as_was_survived_is_none_give_or_take_what_clocks_do():
    assert of(60.05, longest_survived_s=60.0) == ["server-closed"]
    assert of(59.95, longest_survived_s=60.0) == ["server-closed"]


def test_an_end_after_a_moment_shows_nothing():
    assert of(0.4) == ["server-closed"]
    assert of(0.4, longest_survived_s=60.0) == ["server-closed"]


def test_an_end_whose_time_was_not_seen_shows_nothing():
    assert of(None, None) == ["server-closed"] * 2


def test_an_end_after_less_than_the_same_connection_survived_is_no_idle_timeout():
    ends = dying((2.0, 8), longest_idle_s=55.0)
    assert causes(*ends)[1:] == ["server-closed"]


def test_an_end_after_the_announced_time_is_an_idle_timeout_whatever_was_survived():
    for keep_alive, cause in (("timeout=5", "idle-timeout"), (None, "server-closed")):
        end = {"idle_s": 5.2, "keep_alive": keep_alive}
        ends = [opened(1, how=FIN, end=end), opened(2, replaces=1)]
        assert causes(*ends, longest_survived_s=5.15)[1:] == [cause]


# -- Servers that differ


def test_an_end_sooner_than_another_connection_survived_shows_that_servers_differ():
    assert of(6.0, longest_survived_s=55.0) == ["idle-timeout"]
    assert pattern(*dying(6.0), longest_survived_s=55.0).servers_differ
    assert not pattern(*dying(6.0), longest_survived_s=5.0).servers_differ


def pattern(*connections: Connection, **counts: Any) -> Pattern:
    return pattern_of(connections, process(*connections, **counts).hosts)


def three_processes() -> list[ProcessRecord]:
    """Their connections died at 61, 6 and 30 s idle, while 55, 3 and 40 s were survived."""
    times = [(61.0, 55.0), (6.0, 3.0), (30.0, 40.0)]
    return [
        process(
            opened(1, how=FIN, end={"idle_s": died_s}, longest_idle_s=survived_s, served=2),
            opened(2, replaces=1),
            number=number,
        )
        for number, (died_s, survived_s) in enumerate(times, start=1)
    ]


def test_where_servers_differ_max_idle_lies_below_the_shortest_death():
    (host,) = reported(*three_processes()).hosts
    found = {cause.cause: cause for cause in host.causes}
    assert {name: cause.count for name, cause in found.items()} == {
        "first-use": 3,
        "idle-timeout": 3,
    }
    idle = found["idle-timeout"]
    assert 3.0 < idle.facts["max_idle_s"] < 6.0
    assert "servers behind this name differ" in idle.evidence
    assert "died after 6.0 s idle, another survived 55.0 s" in idle.evidence


def test_ends_of_one_server_do_not_show_that_servers_differ():
    (host,) = reported(three_processes()[0]).hosts
    assert "differ" not in host.causes[0].evidence


# -- Request limits


def test_two_ends_after_as_many_requests_are_a_limit():
    assert of((0.0, 100), (0.1, 100)) == ["request-limit"] * 2


def test_one_end_is_no_limit():
    assert of((0.0, 100)) == ["server-closed"]


def test_what_another_connection_has_exceeded_is_no_limit():
    assert of((0.0, 5), (0.0, 5), most_served=6) == ["server-closed"] * 2


def test_a_number_that_does_not_recur_is_no_limit():
    assert of((0.0, 5), (0.0, 5), (0.0, 4)) == ["server-closed"] * 3


def test_a_pause_between_all_requests_makes_a_limit_no_idle_timeout():
    # the last pause happens to be the longest by far
    ends = dying((1.01, 5), (1.0, 5), (3.0, 5), longest_idle_s=1.02)
    assert causes(*ends)[1:] == ["request-limit"] * 3


def test_connections_that_die_idle_after_as_many_requests_show_no_limit():
    assert of((60.0, 2), (61.0, 2), longest_survived_s=50.0) == ["idle-timeout"] * 2


def test_a_limit_and_an_idle_timeout_at_one_server_are_both_told():
    ends = (0.0, 100), (80.0, 7), (0.1, 100), (90.0, 33)
    assert of(*ends, longest_survived_s=50.0) == [
        "request-limit",
        "idle-timeout",
        "request-limit",
        "idle-timeout",
    ]


def test_a_limit_does_not_show_that_servers_differ():
    # closed at once after its second response, and found so 5 s later
    ends = (0.0, 2), (0.0, 2), (5.0, 2)
    assert of(*ends, longest_survived_s=50.0) == ["request-limit"] * 3
    assert not pattern(*dying(*ends), longest_survived_s=50.0).servers_differ


def test_resets_show_no_limit():
    ends = [
        opened(n, replaces=n - 1 or None, how=CloseReason.RST, served=5, end={"idle_s": 0.0})
        for n in (1, 2, 3)
    ]
    assert causes(*ends)[1:] == ["server-reset"] * 2


def test_ends_after_the_announced_time_show_no_limit():
    end = {"idle_s": 5.0, "keep_alive": "timeout=5"}
    ends = [
        opened(n, replaces=n - 1 or None, how=FIN, end=end, served=2, longest_idle_s=4.95)
        for n in (1, 2, 3)
    ]
    assert causes(*ends)[1:] == ["idle-timeout"] * 2


def test_a_limit_is_found_over_all_processes():
    several = [process(*dying((0.0, 10)), number=number) for number in (1, 2)]
    found = {c.cause: c.count for c in reported(*several).hosts[0].causes}
    assert found == {"first-use": 2, "request-limit": 2}


# -- Numbers


@pytest.mark.parametrize(
    ("survived_s", "died_s", "announced_s", "max_idle_s"),
    [
        (57.96, 100.0, None, 61),
        (3.002, 6.0, None, 3.2),
        (5.0, 5.1, None, 5.02),
        (0.199, 100.0, None, 0.21),
        (0.0, 7.1, 5.0, 4.5),
        (6.0, 7.1, 5.0, 4.5),
        (0.0, 7.1, None, None),
        (0.05, 7.1, None, None),
    ],
)
def test_max_idle_is_above_what_survived_and_below_what_did_not(
    survived_s, died_s, announced_s, max_idle_s
):
    assert safe_max_idle_s(died_s, survived_s, announced_s) == max_idle_s


@pytest.mark.parametrize(
    ("headers", "announced_s"),
    [([None], None), (["max=3"], None), (["timeout=5, max=100", "Timeout = 4"], 4.0)],
)
def test_the_least_announced_time_counts(headers, announced_s):
    ends = [ConnectionEnd(how=FIN, keep_alive=header) for header in headers]
    assert announced_timeout_s(ends) == announced_s


def test_the_longest_survived_time_below_a_limit():
    shown = Pattern(survived_s=(3.0, 40.0, 55.0))
    assert [shown.survived_below_s(limit_s) for limit_s in (3.0, 6.0, 55.0, 99.0)] == [
        0.0,
        3.0,
        40.0,
        55.0,
    ]
