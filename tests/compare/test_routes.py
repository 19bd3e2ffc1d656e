"""Which route of the baseline is which of the candidate."""

from __future__ import annotations

import pytest
from tests.reports import FIRST_USE, host

from keptalive.compare.routes import Name, matches
from keptalive.records.report import HostReport


def route(name: str, via: str | None = None) -> HostReport:
    return host(name, FIRST_USE, via=via)


def names(before: list[HostReport], after: list[HostReport]) -> list[tuple[str, int, int]]:
    """Each match: its name, and how many entries each side has of it."""
    return [
        (f"{one.name.host} via {one.name.via}" if one.name.via else one.name.host, *sizes(one))
        for one in matches([before], [after])
    ]


def sizes(match) -> tuple[int, int]:
    return len(match.before[0]), len(match.after[0])


def test_routes_of_one_name_are_the_same_and_others_are_new_or_gone():
    before = [route("https://a:443"), route("https://old:443")]
    after = [route("https://new:443"), route("https://a:443"), route("https://newer:443")]
    assert names(before, after) == [
        ("https://new:443", 0, 1),
        ("https://a:443", 1, 1),
        ("https://newer:443", 0, 1),
        ("https://old:443", 1, 0),
    ]


def test_the_only_route_of_each_side_is_the_same_whatever_its_name():
    (match,) = matches([[route("https://api.test:443")]], [[route("https://staging.test:443")]])
    assert (match.name, match.was) == (
        Name("https://staging.test:443"),
        Name("https://api.test:443"),
    )


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "testserver"])
def test_a_port_that_the_system_chose_is_no_other_route(name):
    before = [route("https://a:443"), route(f"http://{name}:40123")]
    after = [route("https://a:443"), route(f"http://{name}:51234")]
    assert names(before, after) == [("https://a:443", 1, 1), (f"http://{name}:*", 1, 1)]


def test_several_servers_with_ports_by_chance_are_compared_as_one():
    before = [route(f"http://127.0.0.1:{port}") for port in (40001, 40002)]
    after = [route(f"http://127.0.0.1:{port}") for port in (40002, 40003, 40004)]
    assert names(before, after) == [("http://127.0.0.1:*", 2, 3)]


def test_ports_by_chance_that_are_the_same_on_both_sides_stay_apart():
    both = [route(f"http://127.0.0.1:{port}") for port in (40001, 40002)]
    assert names(both, both) == [("http://127.0.0.1:40001", 1, 1), ("http://127.0.0.1:40002", 1, 1)]


def test_a_fixed_port_is_a_server_of_its_own_but_of_this_machine_it_may_be_another():
    here, there = route("http://localhost:8000"), route("http://localhost:8001")
    other = route("https://a:443")
    assert names([here, other], [there, other]) == [
        ("http://localhost:*", 1, 1),
        ("https://a:443", 1, 1),
    ]
    kept = [here, route("http://localhost:40001")]
    later = [here, route("http://localhost:40002")]
    assert names(kept, later) == [("http://localhost:8000", 1, 1), ("http://localhost:*", 1, 1)]
    far = [[route("https://a:8443"), other], [route("https://a:9443"), other]]
    assert names(*far) == [
        ("https://a:9443", 0, 1),
        ("https://a:443", 1, 1),
        ("https://a:8443", 1, 0),
    ]


def test_a_proxy_that_is_there_on_one_side_only_makes_no_other_route():
    other = route("https://b:443")
    for was, now in ((None, "http://proxy:3128"), ("http://proxy:3128", None)):
        before, after = [route("https://a:443", was), other], [route("https://a:443", now), other]
        match, rest = matches([before], [after])
        assert (match.name, match.was) == (
            Name("https://a:443", now or ""),
            Name("https://a:443", was or ""),
        )
        assert (sizes(match), sizes(rest)) == ((1, 1), (1, 1))


def test_a_proxy_may_have_a_port_by_chance_too():
    before = [route("https://a:443", "http://127.0.0.1:40001")]
    after = [route("https://a:443", "http://127.0.0.1:40002")]
    assert names(before, after) == [("https://a:443 via http://127.0.0.1:*", 1, 1)]


def test_where_two_proxies_were_and_another_is_nothing_is_guessed():
    before = [route("https://a:443", "http://p:1"), route("https://a:443", "http://q:1")]
    assert len(names(before, [route("https://a:443", "http://r:1")])) == 3


def test_routes_with_several_client_certificates_have_one_name():
    both = [route("https://a:443"), route("https://a:443")]
    assert names(both, both) == [("https://a:443", 2, 2)]


@pytest.mark.parametrize("name", ["unix:/run/docker.sock", "http://[::1", "x", "http://a:b"])
def test_a_name_without_a_port_is_compared_as_it_is(name):
    assert names([route(name), route("x:1")], [route("x:1"), route(name)]) == [
        ("x:1", 1, 1),
        (name, 1, 1),
    ]


def test_a_report_of_several_need_not_have_every_route():
    (match,) = matches([[], [route("https://a:443")]], [[route("https://a:443")]])
    assert [len(hosts) for hosts in match.before] == [0, 1]
