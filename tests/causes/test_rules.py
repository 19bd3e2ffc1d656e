"""Causes from bare records: what an expert would say of one opening, and of a whole program."""

from __future__ import annotations

from typing import Any

import pytest
from tests.causes.records import causes, host_of, opened, process, reported
from tests.invariants import check

from keptalive.causes.catalogue import CATALOGUE, CAUSE_OF_END
from keptalive.records.connection import CloseReason, Connection
from keptalive.records.report import UNAVOIDABLE

FAILED = {"served": 0, "how": CloseReason.FAILED, "end": {"error": "ReadTimeout"}}
REFUSED = {"served": 0, "connected_s": None, "how": CloseReason.FAILED}


def after(how: CloseReason, **end: Any) -> list[str | None]:
    """The cause of the opening that replaces a connection which ended so."""
    return causes(opened(1, how=how, end=end), opened(2, replaces=1))[1:]


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        (CloseReason.FIN, "server-closed"),
        (CloseReason.TLS_CLOSE, "server-closed"),
        (CloseReason.RST, "server-reset"),
        (CloseReason.TIMEOUT_408, "timeout-408"),
        (CloseReason.STRAY_BYTES, "stray-bytes"),
        (CloseReason.TLS_MESSAGE, "tls-message"),
        (CloseReason.CLOSE_ANNOUNCED, "close-announced"),
        (CloseReason.CLOSE_REQUESTED, "close-requested"),
        (CloseReason.HTTP_1_0, "http-1.0"),
        (CloseReason.CLOSED_UNREAD, "abandoned-body"),
        (CloseReason.NEVER_READ, "unread-body"),
        (CloseReason.REPLACED, "max-idle"),
        (CloseReason.DISCARDED, "pool-too-small"),
        (CloseReason.FAILED, "failed-request"),
        (CloseReason.SILENT, "silent-drop"),
        (CloseReason.POOL_CLOSED, "unknown"),
        (CloseReason.CLOSED_BY_CLIENT, "unknown"),
        (CloseReason.UNKNOWN, "unknown"),
    ],
)
def test_how_the_predecessor_ended_is_the_cause(how, cause):
    assert after(how, idle_s=0.0) == [cause]


def test_every_way_to_end_is_decided_by_the_predecessors_end_or_on_purpose_not():
    judged_by_pattern = {CloseReason.FIN, CloseReason.TLS_CLOSE, CloseReason.FAILED}
    says_nothing = {CloseReason.POOL_CLOSED, CloseReason.CLOSED_BY_CLIENT, CloseReason.UNKNOWN}
    assert judged_by_pattern | says_nothing | set(CAUSE_OF_END) == set(CloseReason)


def test_the_predecessors_end_comes_before_the_retry():
    ended = opened(1, how=CloseReason.FIN, end={"idle_s": 60.0})
    assert causes(ended, opened(2, replaces=1, retry=True)) == ["first-use", "idle-timeout"]


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        ({}, "unknown"),
        ({"retry": True}, "retry"),
        ({"unread": 1}, "unread-body"),
        ({"pool_discarded": True}, "pool-too-small"),
        ({"most_at_once": 2}, "concurrency"),
        ({"most_at_once": 2, "pool_discarded": True}, "concurrency"),
        ({"pool_is_new": True}, "pool-evicted"),
        ({"pool_is_new": True, "closings": 1}, "session-closed"),
        ({"pool_is_new": True, "tls": "other"}, "tls-settings-differ"),
        ({"pool_is_new": True, "proxy": "http://PROXY:1"}, "proxy-differs"),
        ({"pool_is_new": True, "owner": 2}, "new-session"),
        ({"pool_is_new": True, "owner": 2, "new_adapter": True}, "new-adapter"),
        ({"pool_is_new": True, "owner": 2, "most_at_once": 2}, "concurrency"),
        ({"pool_is_new": True, "owner": 2, "redirected": True}, "new-session"),
    ],
)
def test_one_opening_after_the_first_use(facts, cause):
    assert causes(opened(1), opened(2, **facts)) == ["first-use", cause]


def test_every_cause_that_the_rules_know_is_in_the_catalogue():
    found = {"first-use", "redirect", "idle-timeout", "request-limit", "server-closed", "unknown"}
    failures = {"stale-connection", "failed-request"}
    assert found | set(CAUSE_OF_END.values()) | failures <= set(CATALOGUE)


def test_a_redirect_to_a_new_host_is_told_once():
    first = opened(1, redirected=True)
    assert causes(first, opened(2, owner=2, pool_is_new=True, redirected=True)) == [
        "redirect",
        "new-session",
    ]


def test_a_redirect_takes_the_place_of_a_first_use():
    first = opened(1, redirected=True, how=CloseReason.UNKNOWN)
    assert causes(first, opened(2)) == ["redirect", "unknown"]


# -- What was never answered


def test_a_host_is_used_first_until_its_first_response():
    silent = opened(1, **FAILED)
    assert causes(silent, opened(2, owner=2, pool_is_new=True), opened(3, owner=3)) == [
        "first-use",
        "first-use",
        "unknown",
    ]


def test_what_was_connected_and_never_answered_has_a_cause_and_is_not_counted_as_opened():
    host = host_of(opened(1), opened(2, retry=True, **FAILED), opened(3, replaces=2))
    found = {cause.cause: (cause.count, cause.unanswered) for cause in host.causes}
    assert found == {"first-use": (1, 0), "retry": (0, 1), "failed-request": (1, 0)}
    assert (host.opened, host.opened_unanswered) == (2, 1)


def test_an_attempt_that_never_connected_has_no_cause():
    assert causes(opened(1), opened(2, **REFUSED)) == ["first-use", None]


def test_attempts_that_never_connected_are_passed_over_in_the_search_for_a_predecessor():
    ended = opened(1, how=CloseReason.FIN, end={"idle_s": 60.0})
    refused = opened(2, replaces=1, **REFUSED)
    assert causes(ended, refused, opened(3, replaces=2, retry=True)) == [
        "first-use",
        None,
        "idle-timeout",
    ]


def test_a_refused_attempt_leaves_the_reason_why_its_pool_is_new_to_the_next():
    refused = opened(2, owner=2, pool_is_new=True, **REFUSED)
    later = opened(3, owner=2, replaces=2, retry=True)
    assert causes(opened(1), refused, later) == ["first-use", None, "new-session"]


def test_until_the_first_response_each_connection_is_a_first_use():
    # perfect reuse needs one connection: the second took its place, the third is one too many
    first, second = opened(1, **FAILED), opened(2, replaces=1, retry=True)
    assert causes(first, second, opened(3)) == ["first-use", "first-use", "unknown"]


def test_who_replaces_a_later_connection_that_failed_unanswered_has_that_failure_for_a_cause():
    first, failed = opened(1), opened(2, most_at_once=2, **FAILED)
    later = opened(3, replaces=2, most_at_once=2)
    assert causes(first, failed, later) == ["first-use", "concurrency", "failed-request"]


def test_a_connection_from_before_the_record_is_a_predecessor_and_no_opening():
    before = opened(1, how=CloseReason.FIN, attempted_s=None, connected_s=None, served=0)
    assert causes(before, opened(2, replaces=1)) == ["server-closed"]


def test_why_a_pool_from_before_the_record_opens_another_connection_is_unknown():
    assert causes(opened(2, pool_is_new=False)) == ["unknown"]


def test_a_pool_from_before_the_record_may_hold_a_response_unread():
    assert causes(opened(2, pool_is_new=False, unread=1)) == ["unread-body"]


def test_the_first_connection_of_all_takes_a_place_whatever_its_cause():
    before = opened(1, how=CloseReason.FIN, attempted_s=None, connected_s=None, served=0)
    again, another = opened(2, replaces=1), opened(3, owner=2, pool_is_new=True)
    assert causes(before, again, another) == ["server-closed", "new-session"]
    assert causes(opened(2, pool_is_new=False), another) == ["unknown", "new-session"]


def test_what_was_never_answered_takes_no_place():
    silent = opened(1, most_at_once=2, **FAILED)
    assert causes(silent, opened(2, most_at_once=2), opened(3, most_at_once=2)) == [
        "first-use",
        "first-use",
        "concurrency",
    ]


# -- Pools


def test_a_pool_that_began_empty_lacks_what_another_pool_has():
    first = [opened(1), opened(2, most_at_once=2)]
    second = [opened(3, owner=2, pool_is_new=True, most_at_once=2), opened(4, owner=2)]
    assert causes(*first, *second)[2:] == ["new-session", "new-session"]


def test_the_first_pool_may_lack_what_a_later_one_keeps():
    other = opened(2, owner=2, pool_is_new=True, most_at_once=2)
    assert causes(opened(1), other, opened(3, most_at_once=2)) == [
        "first-use",
        "concurrency",
        "new-session",
    ]


def test_the_pools_of_one_owner_are_nothing_to_another():
    later = opened(2, pool_is_new=True, owner=2, tls="x", proxy="http://p", closings=3)
    assert causes(opened(1), later, opened(3, pool_is_new=True, owner=2, closings=3)) == [
        "first-use",
        "new-session",
        "proxy-differs",
    ]


def test_an_owner_that_was_closed_counts_its_closings_for_each_pool():
    closed_once = opened(2, pool_is_new=True, closings=1)
    assert causes(opened(1), closed_once, opened(3, pool_is_new=True, closings=1)) == [
        "first-use",
        "session-closed",
        "pool-evicted",
    ]


def test_a_connection_that_its_closed_session_took_along_is_told_as_such():
    closed = opened(1, how=CloseReason.POOL_CLOSED)
    assert causes(closed, opened(2, replaces=1, closings=1, pool_is_new=True)) == [
        "first-use",
        "session-closed",
    ]


def test_a_connection_that_went_with_a_pool_is_explained_by_the_new_pool():
    closed = opened(1, how=CloseReason.POOL_CLOSED)
    for closings in (0, 1):
        another = opened(2, replaces=1, owner=2, closings=closings, pool_is_new=True)
        assert causes(closed, another)[1:] == ["new-session"]


def test_a_response_that_another_thread_left_unread_is_told():
    held = opened(1, how=CloseReason.NEVER_READ)
    assert causes(held, opened(2, thread=2), opened(3, thread=2)) == [
        "first-use",
        "unread-body",
        "unknown",
    ]


def test_a_response_that_was_left_unread_makes_one_connection_necessary():
    held = opened(1, how=CloseReason.NEVER_READ)
    assert causes(held, opened(2, replaces=1), opened(3)) == ["first-use", "unread-body", "unknown"]


# -- Whole programs


def program(*connections: Connection, **counts: Any) -> tuple[int, dict[str, int]]:
    """What perfect reuse would have opened, and how often each cause is there."""
    report = reported(process(*connections, **counts))
    check(report)
    (host,) = report.hosts
    assert host.perfect is not None
    return host.perfect.most, {cause.cause: cause.count for cause in host.causes}


def test_ten_threads_in_bursts_with_a_session_for_each_batch():
    bursts = [
        opened(
            10 * batch + thread + 1,
            owner=100 * batch + thread,
            pool_is_new=True,
            most_at_once=thread + 1 if batch == 0 else 10,
        )
        for batch in range(6)
        for thread in range(10)
    ]
    assert program(*bursts) == (10, {"first-use": 1, "concurrency": 9, "new-session": 50})


def test_ten_threads_in_bursts_that_share_a_session_for_each_batch():
    bursts = [
        opened(
            10 * batch + thread + 1,
            owner=batch,
            pool_is_new=thread == 0,
            most_at_once=thread + 1 if batch == 0 else 10,
        )
        for batch in range(6)
        for thread in range(10)
    ]
    assert program(*bursts) == (10, {"first-use": 1, "concurrency": 9, "new-session": 50})


def test_six_responses_held_unread_in_a_row():
    held = [opened(n, unread=n - 1, how=CloseReason.NEVER_READ) for n in range(1, 7)]
    assert program(*held) == (1, {"first-use": 1, "unread-body": 5})


def test_a_response_that_is_read_while_another_request_runs_is_concurrency():
    assert program(opened(1), opened(2, unread=1, most_at_once=2)) == (
        2,
        {"first-use": 1, "concurrency": 1},
    )


def test_what_a_full_pool_discards_is_filled_up_again_and_again():
    first = [opened(n, most_at_once=n) for n in range(1, 5)]
    again = [opened(n, most_at_once=4, pool_discarded=True) for n in range(5, 11)]
    assert program(*first, *again) == (
        4,
        {"first-use": 1, "concurrency": 3, "pool-too-small": 6},
    )


def test_requests_get_in_a_loop():
    loop = [opened(n, owner=n, pool_is_new=True) for n in range(1, 14)]
    assert program(*loop) == (1, {"first-use": 1, "new-session": 12})


def test_a_mount_before_each_request():
    mounts = [opened(n, owner=n, pool_is_new=True, new_adapter=n > 1) for n in range(1, 5)]
    assert program(*mounts) == (1, {"first-use": 1, "new-adapter": 3})


def test_two_processes_each_use_a_host_first():
    report = reported(process(opened(1)), process(opened(1), opened(2, most_at_once=2), number=2))
    check(report)
    (host,) = report.hosts
    assert {cause.cause: cause.count for cause in host.causes} == {
        "first-use": 2,
        "concurrency": 1,
    }
    assert host.perfect is not None
    assert (host.perfect.most, host.opened) == (3, 3)


def test_no_more_is_unavoidable_than_ran_at_once_whatever_opened_it():
    mixed = [opened(n, owner=n, pool_is_new=True, most_at_once=min(n, 3)) for n in range(1, 9)]
    perfect, found = program(*mixed)
    assert sum(found[name] for name in UNAVOIDABLE) == perfect == 3
