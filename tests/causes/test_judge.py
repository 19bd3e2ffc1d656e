"""Causes from bare records: which rule applies, and which patterns only all of them show."""

from __future__ import annotations

from typing import Any

import pytest

from keptalive.causes.catalogue import ROWS
from keptalive.causes.judge import RULES, judged
from keptalive.records.evidence import Ended, How, Opening, Traffic

HOST = "https://h:443"


def opening(**facts: Any) -> Opening:
    return Opening(**{"host": HOST, "owner": 1, "thread": 1, "answered": True, **facts})


def found(how: How = How.FIN, **facts: Any) -> Opening:
    return opening(again=True, ended=Ended(how=how, **{"idle_s": 0.0, "served": 1, **facts}))


def fin(idle_s: float | None, served: int = 1) -> Opening:
    return found(idle_s=idle_s, served=served)


FIRST = opening(pool_is_new=True)


def causes(*openings: Opening, **traffic: Any) -> list[str]:
    """Those after the first."""
    first, *rest = judged([FIRST, *openings], {HOST: Traffic(**traffic)})
    assert first == "first-use"
    return rest


def test_every_cause_has_its_words_and_all_words_have_a_cause():
    assert {cause for cause, _ in RULES} | {"unknown"} == set(ROWS)


@pytest.mark.parametrize(
    ("evidence", "cause"),
    [
        (opening(), "unknown"),
        (opening(retry=True, pool_is_new=False), "retry"),
        (opening(host="http://other:80", pool_is_new=True), "first-use"),
        (opening(host="http://other:80", pool_is_new=True, redirected=True), "redirect"),
        (opening(pool_is_new=True, redirected=True), "pool-evicted"),
        (opening(pool_is_new=True, owner=2), "new-session"),
        (opening(pool_is_new=True, closings=1), "session-closed"),
        (opening(pool_is_new=True), "pool-evicted"),
        (opening(pool_is_new=True, tls="x"), "tls-settings-differ"),
        (opening(pool_is_new=True, proxy="http://p"), "proxy-differs"),
        (found(How.CLOSED_HERE, requested=True, announced=True), "close-requested"),
        (found(How.CLOSED_HERE, announced=True), "close-announced"),
        (found(How.CLOSED_HERE, unframed=True), "http-1.0"),
        (found(How.CLOSED_HERE, unread=True), "abandoned-body"),
        (found(How.CLOSED_HERE, error="ProtocolError"), "failed-request"),
        (found(How.CLOSED_HERE), "unknown"),
        (found(How.UNKNOWN, error="ReadTimeout"), "failed-request"),
        (found(How.UNKNOWN), "unknown"),
        (found(How.RESET, idle_s=600.0), "server-reset"),
        (found(How.TIMEOUT_408, idle_s=60.0), "timeout-408"),
        (found(How.STRAY_BYTES), "stray-bytes"),
        (found(How.TLS_MESSAGE), "tls-message"),
        (found(How.REPLACED, idle_s=56.0), "idle-timeout"),
        (found(How.FIN), "server-closed"),
        (opening(busy=2), "concurrency"),
        (opening(busy=2, discarded=True), "pool-too-small"),
        (opening(busy=2, unread=1), "unread-body"),
    ],
)
def test_one_opening_after_the_first_use(evidence, cause):
    assert causes(evidence) == [cause]


def test_what_came_to_nothing_makes_no_host_known():
    failed = opening(pool_is_new=True, answered=False)
    assert judged([failed, FIRST], {})[1:] == ["first-use"]


def test_hosts_are_judged_each_by_its_own_traffic():
    other = opening(host="http://other:80", pool_is_new=True)
    dropped = opening(host="http://other:80", ended=Ended(how=How.FIN, idle_s=30.0, served=1))
    traffic = {HOST: Traffic(longest_survived_s=300.0)}
    assert judged([FIRST, other, dropped, fin(30.0)], traffic) == [
        "first-use",
        "first-use",
        "idle-timeout",
        "server-closed",
    ]


# -- Idle timeouts ---------------------------------------------------------------------------


def test_one_drop_after_a_long_time_is_an_idle_timeout():
    assert causes(fin(60.0)) == ["idle-timeout"]


def test_a_drop_after_less_than_others_survived_is_none():
    assert causes(fin(60.0), longest_survived_s=61.0) == ["server-closed"]


def test_nor_one_after_as_much_give_or_take_what_clocks_do():
    assert causes(fin(60.05), longest_survived_s=60.0) == ["server-closed"]


def test_nor_one_after_no_time_to_speak_of():
    assert causes(fin(0.4)) == ["server-closed"]


def test_nor_one_whose_time_was_not_seen():
    assert causes(fin(None), fin(None)) == ["server-closed"] * 2


def test_idle_timeouts_are_told_from_ends_within_the_time_that_others_survived():
    assert causes(fin(61.0, 3), fin(2.0, 8), fin(75.0, 1), longest_survived_s=55.0) == [
        "idle-timeout",
        "server-closed",
        "idle-timeout",
    ]


# -- Request limits ----------------------------------------------------------------------------


def test_two_ends_after_as_many_requests_are_a_limit():
    assert causes(fin(0.0, 100), fin(0.1, 100), most_served=100) == ["request-limit"] * 2


def test_one_is_not():
    assert causes(fin(0.0, 100), most_served=100) == ["server-closed"]


def test_no_limit_is_what_another_connection_has_exceeded():
    assert causes(fin(0.0, 5), fin(0.0, 5), most_served=6) == ["server-closed"] * 2


def test_nor_what_does_not_recur():
    assert causes(fin(0.0, 5), fin(0.0, 5), fin(0.0, 4), most_served=5) == ["server-closed"] * 3


def test_a_pause_between_all_requests_makes_a_limit_no_idle_timeout():
    # the last pause happens to be the longest by far
    ends = fin(1.01, 5), fin(1.0, 5), fin(3.0, 5)
    assert causes(*ends, longest_survived_s=1.02, most_served=5) == ["request-limit"] * 3


def test_a_limit_and_an_idle_timeout_at_one_server_are_both_told():
    ends = fin(0.0, 100), fin(80.0, 7), fin(1.0, 100), fin(90.0, 33)
    assert causes(*ends, longest_survived_s=50.0, most_served=100) == [
        "request-limit",
        "idle-timeout",
        "request-limit",
        "idle-timeout",
    ]


def test_resets_say_nothing_of_a_limit():
    ends = found(How.RESET, served=5), found(How.RESET, served=5)
    assert causes(*ends, most_served=5) == ["server-reset"] * 2


# -- Threads and owners ------------------------------------------------------------------------


def test_threads_that_share_a_limit_are_told_as_one():
    ends = [
        opening(thread=n, ended=Ended(how=How.FIN, idle_s=0.0, served=10), busy=n) for n in range(8)
    ]
    assert causes(*ends, most_served=10) == ["request-limit"] * 8


def test_the_pools_of_one_owner_are_nothing_to_another():
    later = opening(pool_is_new=True, owner=2, tls="x", proxy="http://p", closings=3)
    assert causes(later, opening(pool_is_new=True, owner=2, closings=3)) == [
        "new-session",
        "proxy-differs",
    ]


def test_an_owner_that_was_closed_counts_its_closings_for_each_pool():
    closed_once = opening(pool_is_new=True, closings=1)
    assert causes(closed_once, opening(pool_is_new=True, closings=1)) == [
        "session-closed",
        "pool-evicted",
    ]
