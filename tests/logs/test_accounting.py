"""What a log's events amount to: the counts of each host, and the causes that remain."""

from __future__ import annotations

import pytest
from tests.logs.ledgers import (
    RETRY_STATUS,
    answer,
    causes,
    counts,
    discarding,
    finished,
    ledger_of,
    only_cause,
    origin,
    report,
    reset,
    retrying,
    start,
    the_host,
)

from keptalive.causes.log_sets import SETS, members_of
from keptalive.logs.accounting import LogLedger
from keptalive.logs.hosts import HOSTS_KEPT
from keptalive.logs.report import CANNOT
from keptalive.records.report import Range

# -- Counting ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([start(), answer(), answer(), answer()], (3, 3, 1, 1, 0, 2)),
        ([start(), answer(), reset(), answer(), reset(), answer()], (3, 3, 3, 3, 2, 0)),
        ([answer(), answer()], (2, 2, None, None, None, None)),
        ([start(), start(2), start(3), answer()], (3, 3, 3, 1, 0, 0)),
        ([start(), retrying(), start(2), retrying(), start(3), answer()], (1, 3, 3, 1, 0, 0)),
        (
            [answer(), start(), retrying(), start(2), retrying(), start(3)],
            (2, 4, 3, 0, 0, 1),
        ),
        ([start(), answer(), retrying(), start(2), answer()], (2, 3, 2, 2, 0, 0)),
        ([start(), answer(), RETRY_STATUS, answer()], (1, 2, 1, 1, 0, 1)),
        ([start(), answer(), answer(), RETRY_STATUS, answer()], (2, 3, 1, 1, 0, 2)),
        ([start(), answer(), reset(), retrying(), reset(), answer()], (2, 3, 3, 2, 1, 0)),
        ([start(), answer(), reset()], (2, 2, 2, 1, 0, 0)),
    ],
    ids=[
        "kept alive",
        "dropped each time",
        "a log that begins later",
        "failed, and sent again by the program",
        "retries",
        "retries that all fail",
        "a kept connection that was stale",
        "a status that is retried",
        "a status that is retried, later",
        "a retry that finds a dropped connection",
        "reconnecting fails",
    ],
)
def test_the_counting_rule(events, expected):
    assert counts(report(*events)) == expected


def test_a_dropped_tunnel_of_urllib3_1_26_is_one_attempt():
    events = [start(), answer(), reset(), start(2), answer()]
    assert counts(report(*events)) == (2, 2, 2, 2, 1, 0)


def test_without_a_tunnel_a_start_after_a_reset_is_another_attempt():
    plain = {"scheme": "http"}
    events = [start(**plain), answer(**plain), reset(), start(2, **plain), answer(**plain)]
    assert counts(report(*events), "http://h:80") == (3, 3, 3, 2, 0, 0)


def test_an_attempt_to_connect_to_another_host_than_the_next_response_is_of_has_failed():
    found = report(start(), answer(), start(host="other"), answer())
    assert counts(found) == (2, 2, 1, 1, 0, 1)
    assert counts(found, "https://other:443") == (1, 1, 1, 0, 0, 0)
    assert found.warnings == ("Attempts to connect without a response: 1.",)


def test_retries_count_for_the_host_whose_connection_failed():
    found = report(answer(), start(host="other"), retrying(), start(2, host="other"), answer())
    assert counts(found, "https://other:443") == (1, 2, 2, 0, 0, 0)
    assert counts(found) == (2, 2, None, None, None, None)


def test_each_thread_is_read_by_itself():
    events = [start(), start(2, thread=2), answer(thread=2), answer()]
    assert counts(report(*events)) == (2, 2, 2, 2, 0, 0)


def test_threads_that_are_not_told_apart_are_told_by_their_hosts_and_a_warning_says_so():
    events = [start(), start(2), start(host="b"), answer(), answer(host="b"), answer(), answer()]
    found = report(*events, knows_threads=False)
    assert counts(found) == (3, 3, 2, 2, 0, 1)
    assert counts(found, "https://b:443") == (1, 1, 1, 1, 0, 0)
    assert found.warnings[0].startswith("Connections that were opened while others were: 1.")
    assert "Put %(threadName)s into its format." in found.warnings[0]


def test_a_log_without_threads_of_a_program_with_one_raises_no_doubt():
    assert report(start(), answer(), reset(), answer(), knows_threads=False).warnings == (CANNOT,)


def test_errors_that_were_retried_are_counted_by_name_for_their_host():
    reset_by_peer = retrying(error="ConnectionResetError")
    found = report(start(), answer(), reset_by_peer, start(2), retrying(), start(3), answer())
    assert the_host(found).errors == {"ConnectionResetError": 1, "unknown": 1}


def test_what_no_log_shows_is_none():
    host = the_host(report(start(), answer()))
    assert (host.opened_unanswered, host.most_at_once, host.seconds_opening) == (None,) * 3
    assert (host.seconds_saved, host.seconds_lost, host.seconds_waiting_for_pool) == (None,) * 3
    assert (dict(host.phases), host.requests_per_connection) == ({}, None)
    assert (host.begun, host.discarded, host.pool_size) == (None,) * 3


# -- Causes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([start(), answer()], {"first-use": 1}),
        ([start(), retrying(), start(2), answer()], {"first-use": 1}),
        ([start(), start(2), answer()], {"first-use": 1}),
        ([start(), answer(), start(), answer()], {"first-use": 1, "new-pool-or-process": 1}),
        (
            [start(), answer(), start(), retrying(), start(2), answer()],
            {"first-use": 1, "new-pool-or-process": 1},
        ),
        ([start(), answer(), start(2), answer()], {"first-use": 1, "connection-not-returned": 1}),
        ([start(), answer(), start(None), answer()], {"first-use": 1, "new-connection": 1}),
        ([start(), answer(), retrying(), start(2), answer()], {"first-use": 1, "retried": 1}),
        ([start(), answer(), reset(), answer()], {"first-use": 1, "dropped": 1}),
        ([answer(), reset(), answer()], {"dropped": 1}),
        (
            [start(), start(2, thread=2), answer(thread=2), answer()],
            {"first-use": 1, "concurrency": 1},
        ),
        (
            [start(2, thread=2), start(), answer(), answer(thread=2)],
            {"first-use": 1, "concurrency": 1},
        ),
    ],
)
def test_what_is_opened_has_the_causes_that_remain(events, expected):
    assert causes(report(*events)) == expected


def test_a_cause_that_is_certain_has_no_members_and_a_set_has_all():
    found = report(start(), answer(), reset(), answer())
    assert only_cause(found, "first-use").members is None
    assert only_cause(found, "dropped").members == SETS["dropped"].members


def test_where_processes_are_named_each_has_its_first_use():
    ledger = LogLedger()
    for process in (1, 2):
        events = (start(thread=process), answer(thread=process), start(), answer())
        ledger.record([(event, None, origin(process)) for event in events])
    assert causes(finished(ledger)) == {"first-use": 2, "new-pool": 2}


def test_a_host_that_a_redirect_may_have_led_to_is_no_certain_first_use():
    found = report(start(), answer(status=302), start(host="b"), answer(host="b"))
    assert causes(found, "https://b:443") == {"first-or-redirect": 1}
    assert causes(found) == {"first-use": 1}


def test_only_a_full_pool_is_one_that_may_be_too_small():
    begun = [start(), answer(), start(2, thread=2), answer(thread=2)]
    cause = only_cause(report(*begun, discarding(thread=2)), "full-pool")
    assert "pool-too-small" in members_of(cause.cause)
    assert cause.evidence == (
        '"Connection pool is full": once. At least 11 connections were in use at once; 2 threads '
        "are named."
    )
    assert cause.facts == {
        "discarded": 1,
        "pool_size": 10,
        "most_at_once_least": 11,
        "threads": 2,
    }
    assert "pool-too-small" not in SETS["no-free-connection"].members


def test_a_full_pool_is_that_of_the_host_its_thread_has_used():
    events = []
    for number, scheme in enumerate(("https", "http"), 1):
        on = {"thread": number, "scheme": scheme}
        events += [start(**on), answer(**on), start(2, **on), answer(**on)]
    found = report(*events, discarding())
    assert causes(found) == {"first-use": 1, "full-pool": 1}
    assert causes(found, "http://h:80") == {"first-use": 1, "connection-not-returned": 1}


def test_a_full_pool_counts_for_a_host_that_is_named_later():
    host = the_host(report(discarding(), start(), answer()))
    assert (host.discarded, host.pool_size) == (1, 10)


# -- Perfect reuse -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([start(), answer()], Range(least=1, most=1)),
        ([answer()], None),
        ([start(), answer(), reset(), answer()], Range(least=1, most=1)),
        ([start(), answer(), *(start(2), answer()) * 3], Range(least=1, most=1)),
        ([start(), answer(), *(start(), answer()) * 3], Range(least=1, most=4)),
        ([answer(), reset(), answer()], Range(least=1, most=1)),
    ],
    ids=["one", "none", "dropped", "not at once", "maybe new processes", "a log that is cut"],
)
def test_perfect_reuse_is_as_certain_as_the_causes_are(events, expected):
    assert the_host(report(*events)).perfect == expected


# -- Memory --------------------------------------------------------------------------------------


def test_hosts_beyond_those_that_are_kept_count_together():
    ledger = ledger_of(
        event
        for number in range(HOSTS_KEPT + 5)
        for event in (start(host=f"h{number}"), answer(host=f"h{number}"))
    )
    found = finished(ledger)
    assert len(found.hosts) == HOSTS_KEPT
    assert found.warnings == (
        "Hosts beyond the first 10000 are left out: 5 requests, 5 connections.",
    )


def test_threads_that_have_not_been_seen_for_long_are_forgotten_and_their_attempts_counted():
    threads = 20_000
    ledger = ledger_of([answer(), *(start(thread=thread) for thread in range(2, threads))])
    assert len(ledger._threads) + len(ledger._older) < threads / 2
    assert counts(finished(ledger)) == (threads - 1, threads - 1, threads - 2, 0, 0, 1)


def test_a_thread_without_an_end_of_attempts_is_bounded():
    ledger = ledger_of([start(number) for number in range(1, 1001)], knows_threads=False)
    (thread,) = ledger._threads.values()
    assert len(thread.attempts) < 100
    ledger.record([(answer(), None, origin())], knows_threads=False)
    assert counts(finished(ledger)) == (1000, 1000, 1000, 1, 0, 0)


def test_names_of_errors_are_bounded():
    found = report(answer(), *[retrying(error=f"E{number}") for number in range(1000)], answer())
    assert len(the_host(found).errors) < 100
    assert sum(the_host(found).errors.values()) == 1000
