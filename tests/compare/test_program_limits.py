from __future__ import annotations

from dataclasses import replace

import pytest
from tests.reports import cause, host, whole

from keptalive.compare.forbidden import ForbiddenOpening
from keptalive.compare.host_patterns import host_pattern
from keptalive.compare.program_limits import OpenedLimit, ProgramLimits, TooMany, judge
from keptalive.records.report import HostReport, Range, Report

CURE = "Change this."  # of `tests.reports.cause`
API, CDN, SENTRY = "https://api.test:443", "https://cdn.test:443", "https://o1.sentry.test:443"
PROXY = "http://proxy.test:3128"


def report(*hosts: HostReport) -> Report:
    return Report(source="run", hosts=hosts)


def limits(*opened: str, ignored: str = "", forbidden: str = "", **more: bool) -> ProgramLimits:
    pairs = [one.rpartition("=") for one in opened]
    return ProgramLimits(
        opened=tuple(
            OpenedLimit(host=host_pattern(name or "*"), at_most=int(number))
            for name, _, number in pairs
        ),
        ignored=tuple(map(host_pattern, ignored.split())),
        forbidden=frozenset(forbidden.split()),
        **more,
    )


def route(name: str, opened: int, **more: object) -> HostReport:
    return host(name, cause("new-session", opened), **more)


def broken(found: object) -> list[object]:
    return [
        (one.host.host, one.host.opened, one.allowed) if isinstance(one, TooMany) else one
        for one in found.broken
    ]


@pytest.mark.parametrize(
    ("given", "opened", "too_many"),
    [
        (["1"], {API: 1, CDN: 1}, []),
        (["1"], {API: 3, CDN: 1}, [(API, 3, 1)]),
        (["1"], {API: 3, CDN: 2}, [(API, 3, 1), (CDN, 2, 1)]),
        (["1", "api.test=3"], {API: 3, CDN: 2}, [(CDN, 2, 1)]),
        (["api.test=3"], {API: 3, CDN: 9}, []),
        (["api.test=3", "api.test:443=2"], {API: 3}, [(API, 3, 2)]),
        (["*.test=2", "api.test=3"], {API: 3, CDN: 3}, [(CDN, 3, 2)]),
        (["0"], {API: 1}, [(API, 1, 0)]),
    ],
)
def test_each_route_alone_may_open_what_its_most_precise_limit_allows(given, opened, too_many):
    found = judge(report(*(route(name, number) for name, number in opened.items())), limits(*given))
    assert (too_many, ()) == (broken(found), found.unjudged)
    assert found.holds is (too_many == [])


def test_connections_that_were_never_answered_do_not_count():
    found = judge(report(route(API, 1, opened_unanswered=4)), limits("1"))
    assert found.holds


def test_two_routes_to_one_host_are_judged_each_alone():
    found = judge(report(route(API, 1), route(API, 2, via=PROXY)), limits("api.test=1"))
    assert broken(found) == [(API, 2, 1)]


@pytest.mark.parametrize(
    "ignored", ["*.sentry.test", "o1.sentry.test:443", "https://o1.sentry.test"]
)
def test_an_ignored_host_breaks_no_limit_and_has_no_forbidden_cause(ignored):
    seen = report(host(API, cause("first-use", 1)), route(SENTRY, 9))
    found = judge(seen, limits("1", ignored=ignored, forbidden="new-session"))
    assert found.holds


def test_an_ignored_host_need_not_be_seen():
    assert judge(report(route(API, 1)), limits("1", ignored="*.sentry.test")).holds


def test_a_forbidden_cause_is_found_beside_a_limit_that_holds():
    found = judge(report(route(API, 2)), limits("2", forbidden="new-session"))
    assert [ForbiddenOpening(host=API, cause="new-session", count=2, cure=CURE)] == broken(found)


def test_what_a_set_of_causes_leaves_open_is_not_judged():
    several = cause("new-pool", 2, members=("new-session", "new-adapter"))
    found = judge(report(host(API, several)), limits(forbidden="new-session"))
    said = "2 connections to https://api.test may have the forbidden cause new-session"
    assert broken(found) == []
    assert found.unjudged == (f"{said}, or another one",)


def test_processes_are_counted_that_opened_connections_to_the_route():
    seen = whole()
    (connection,) = seen.connections
    more = [replace(connection, id=2, process=2), replace(connection, id=3, process=3, served=0)]
    seen = replace(seen, connections=(connection, *more))
    (found,) = judge(seen, limits("1")).broken
    assert found.processes == 2


# -- A proxy that serves several hosts on one connection -----------------------------------------


@pytest.mark.parametrize(
    ("given", "opened", "expected"),
    [
        (["1"], 2, "broken"),
        (["2"], 2, "holds"),
        (["proxy.test=1", "a.test=5"], 2, "broken"),
        (["a.test=2"], 2, "holds"),
        (["a.test=1"], 2, "unjudged"),
        (["a.test=1", "b.test=1"], 2, "unjudged"),
        (["a.test=1", "b.test=1"], 3, "broken"),
        (["a.test=3", "1"], 2, "unjudged"),
    ],
)
def test_limits_on_hosts_behind_a_proxy_are_judged_as_far_as_its_connections_show(
    given, opened, expected
):
    seen = route(PROXY, opened, origins=("http://a.test:80", "http://b.test:80"))
    found = judge(report(seen), limits(*given))
    assert expected == ("holds" if found.holds else "broken" if found.broken else "unjudged")


def test_a_proxy_is_ignored_if_all_hosts_are_for_which_it_was_asked():
    seen = route(PROXY, 2, origins=("http://a.test:80", "http://b.test:80"))
    assert judge(report(route(API, 1), seen), limits("1", ignored="a.test b.test")).holds
    (reason,) = judge(report(route(API, 1), seen), limits("1", ignored="a.test")).unjudged
    assert reason == (
        "http://proxy.test:3128 is a proxy, and its 2 connections served http://a.test and "
        "http://b.test together: limit http://proxy.test:3128 itself"
    )


# -- What cannot be judged -----------------------------------------------------------------------

NOTHING = (
    "no response through requests or urllib3 was seen; other clients and mocks are not watched"
)


@pytest.mark.parametrize(
    ("hosts", "given", "said"),
    [
        ([], limits("1"), [NOTHING]),
        ([], limits(forbidden="retry"), [NOTHING]),
        ([], limits("0"), []),
        ([route(API, 0, reused=0)], limits("1"), [NOTHING]),
        ([route(API, 0, reused=2)], limits("1"), []),
        (
            [route(SENTRY, 1)],
            limits("1", ignored="*.test"),
            ["every host that responded is ignored"],
        ),
        (
            [route(CDN, 1)],
            limits("api.test=1"),
            ["no response from api.test was seen; responses came from https://cdn.test"],
        ),
        ([route(CDN, 1)], limits("api.test=0"), []),
        (
            [route(CDN, 1), route(API, 1)],
            limits("api.test=1", ignored="api.test"),
            ["api.test is ignored, and has a limit"],
        ),
        (
            [host(API, opened=None, reused=1)],
            limits("1"),
            ["connections to https://api.test were not counted"],
        ),
    ],
)
def test_a_limit_that_was_not_looked_at_does_not_hold(hosts, given, said):
    assert said == list(judge(report(*hosts), given).unjudged)


def test_a_project_s_limit_on_a_host_that_this_program_does_not_use_is_only_named():
    of_project = limits("1", "other.test=2", of_project=True)
    found = judge(report(route(API, 1)), of_project)
    assert (found.holds, found.unseen) == (True, ("other.test",))
    assert judge(report(), of_project).unjudged == (NOTHING,)


def test_what_may_be_missing_from_the_report_makes_a_limit_unjudged_but_no_breach_undone():
    doubts = ["1 process still runs"]
    assert judge(report(route(API, 1)), limits("1"), doubts).unjudged == tuple(doubts)
    assert broken(judge(report(route(API, 2)), limits("1"), doubts)) == [(API, 2, 1)]


def test_connections_beyond_those_that_are_recorded_leave_a_forbidden_cause_open():
    beyond = host(
        API, cause("unknown", 5, facts={"not_recorded": 5}), perfect=Range(least=1, most=1)
    )
    (reason,) = judge(report(beyond), limits(forbidden="new-session")).unjudged
    assert reason == "5 connections to https://api.test are counted without a cause: too many"
    assert judge(report(beyond), limits("5")).holds
