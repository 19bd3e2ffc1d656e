"""What a debug log shows by its threads and times: what was at once, errors, slow openings."""

from __future__ import annotations

import pytest
from tests.logs.texts import (
    API,
    RESET,
    RESET_BY_PEER,
    at,
    cause,
    causes,
    explained,
    finding,
    full,
    host_of,
    opening,
    response,
    retrying,
)

from keptalive.logs.host import AtOnce
from keptalive.records.report import Range
from keptalive.render.verdict import verdict

ONE = Range(least=1, most=1)
TIMED_OUT = (
    "ReadTimeoutError(\"HTTPSConnectionPool(host='api.example', port=443): Read timed out. "
    '(read timeout=10)")'
)


def one_by_one(count: int, **line: str) -> list[str]:
    """Each request opens a connection of the same pool."""
    pairs = ((at(n, opening(n), **line), at(n + 0.1, response(), **line)) for n in range(1, count))
    return [line for pair in pairs for line in pair]


# -- Threads -------------------------------------------------------------------------------------


def test_one_named_thread_cannot_be_concurrent():
    found = explained(one_by_one(7))
    assert (host_of(found).perfect, verdict(found)) == (
        ONE,
        "5 of 6 connections were not necessary.",
    )
    busy = cause(found, "connection-not-returned")
    assert (busy.count, busy.members[:2]) == (5, ("unread-body", "failed-request"))
    assert "concurrency" not in busy.members
    assert busy.evidence == (
        "Numbered 1 to 6 in turn: one pool, and none of its connections was used again."
    )


def test_ordinals_that_are_not_in_turn_are_not_said_to_be_of_one_pool():
    lines = [at(0, opening(1)), at(0.1, response())]
    for number in (2, 2, 3):
        lines += [at(number, opening(number)), at(number + 0.1, response())]
    assert cause(explained(lines), "connection-not-returned").evidence == ""


def test_a_thread_without_a_name_may_be_several():
    found = explained(line.replace("MainThread ", "") for line in one_by_one(7))
    assert host_of(found).perfect == Range(least=1, most=6)
    assert "concurrency" in cause(found, "no-free-connection").members


def test_one_thread_of_each_process_cannot_be_concurrent():
    lines = [
        line
        for n in range(1, 4)
        for pid in (11, 12)
        for line in (
            at(n, opening(n), thread=f"[pid {pid}] MainThread"),
            at(n + 0.1, response(), thread=f"[pid {pid}] MainThread"),
        )
    ]
    found = explained(lines)
    assert host_of(found).perfect == Range(least=2, most=2)
    assert causes(found) == {"first-use": 2, "connection-not-returned": 4}


def test_so_many_threads_are_so_many_connections_at_most():
    lines = [
        line
        for n in range(1, 7)
        for line in (
            at(n, opening(n), thread=f"Thread-{1 + n % 2}"),
            at(n + 0.1, response(), thread=f"Thread-{1 + n % 2}"),
        )
    ]
    assert host_of(explained(lines)).perfect == Range(least=1, most=2)


def test_new_pools_of_one_thread_may_still_be_new_processes():
    lines = [line for n in range(3) for line in (at(n, opening(1)), at(n + 0.1, response()))]
    assert host_of(explained(lines)).perfect == Range(least=1, most=3)


def test_a_full_pool_of_one_thread_is_one_of_responses_that_are_open_at_once():
    found = explained([*one_by_one(4), at(9, full(size=1)), at(9, full(size=1))])
    small = cause(found, "full-pool")
    assert "concurrency" not in small.members
    assert small.cure.startswith("Read each response fully before the next request; or ")
    assert host_of(found).perfect == ONE


# -- At once -------------------------------------------------------------------------------------


def test_connections_that_are_being_opened_at_once_are_necessary():
    lines = [at(n / 10, opening(n), thread=f"Thread-{n}") for n in range(1, 5)]
    lines += [at(1 + n / 10, response(), thread=f"Thread-{n}") for n in range(1, 5)]
    found = explained(lines)
    assert host_of(found).perfect == Range(least=4, most=4)
    assert causes(found) == {"first-use": 1, "concurrency": 3}
    assert verdict(found) == "Nothing to change."


def test_a_pool_that_was_full_is_too_small_though_each_connection_was_necessary():
    lines = [at(n / 10, opening(n), thread=f"Thread-{n}") for n in range(1, 4)]
    lines += [at(1 + n / 10, response(), thread=f"Thread-{n}") for n in range(1, 4)]
    found = explained([*lines, at(2, full(size=2), thread="Thread-3")])
    assert causes(found) == {"first-use": 1, "concurrency": 2}
    assert finding(found, "pool-too-small").facts["threads"] == 3
    assert verdict(found) == "All 3 connections were necessary; see the other finding below."


def test_an_opening_that_fails_shows_nothing_of_what_was_at_once():
    lines = [at(0, opening(1), thread="Thread-1"), at(0, opening(2), thread="Thread-2")]
    lines += [at(1, response(), thread="Thread-1")]
    assert host_of(explained(lines)).perfect == ONE


@pytest.mark.parametrize(
    ("spans", "most"),
    [
        ([], 0),
        ([(0, 1)], 1),
        ([(0, 1), (2, 3)], 1),
        ([(0, 2), (1, 3)], 2),
        ([(0, 9), (1, 2), (3, 4), (5, 6)], 2),
        ([(0, 9), (1, 8), (2, 7), (3, 4), (5, 6)], 4),
        ([(0, None), (1, 3), (2, 4)], 2),
    ],
)
def test_the_most_spans_that_overlap(spans, most):
    at_once, began = AtOnce(), {}
    steps = [(start, number, True) for number, (start, _) in enumerate(spans)]
    steps += [(end, number, False) for number, (_, end) in enumerate(spans) if end is not None]
    for _, number, begins in sorted(steps):
        if begins:
            began[number] = at_once.ends
        else:
            at_once.end(began[number])
    assert at_once.most == most


# -- Errors --------------------------------------------------------------------------------------


def test_retries_of_openings_are_named_with_what_was_requested():
    lines = []
    for number in range(1, 6):
        lines += [opening(number), retrying(RESET_BY_PEER, "/simple/pip/", left=5 - number)]
    found = explained([*lines, opening(6)])
    host = host_of(found)
    assert (host.begun, host.opened, dict(host.errors)) == (6, None, {"ConnectionResetError": 5})
    assert verdict(found) == "6 openings begun; 5 tries failed; this log has no responses."
    failed = finding(found, "failed-tries")
    assert failed.evidence == (
        f"5 tries failed at {API} and were repeated: 5 × ConnectionResetError. Requested: "
        "/simple/pip/ (5). All on connections that were new, so no kept one was stale. For 1 "
        "request no retry was left; how it ended is not shown."
    )
    assert failed.cure.startswith("New connections are ended by the server, or by what is before")
    assert causes(found) == {"first-use": 1, "retried-opening": 5}


def test_the_time_that_failed_openings_took_is_counted():
    timeout = (
        "ConnectTimeoutError(<HTTPSConnection object>, 'Connection to api.example timed out.')"
    )
    lines = []
    for number in range(3):
        lines += [at(25 * number, opening(number + 1)), at(25 * number + 20, retrying(timeout))]
    found = explained([*lines, at(80, opening(4)), at(80.2, response())])
    failed = finding(found, "failed-tries")
    assert failed.seconds == 60
    assert "60.0 s passed from these openings to the errors." in failed.evidence
    assert verdict(found) == (
        "Connections are reused as they should be; 1 min of 1 min 20 s could be saved otherwise: "
        "see the other finding below."
    )


def test_errors_on_kept_connections_are_told_from_those_on_new_ones():
    lines = [at(0, opening(1)), at(0.1, response())]
    for number in range(1, 4):
        lines += [
            at(30 * number, retrying(TIMED_OUT)),
            at(30 * number + 0.1, opening(number + 1)),
            at(30 * number + 0.2, response()),
        ]
    failed = finding(explained(lines), "failed-tries")
    assert failed.facts["on_new_connections"] == 0
    assert "All on kept connections." in failed.evidence
    both = [*lines, at(200, opening(5)), at(201, retrying(RESET_BY_PEER)), at(202, opening(6))]
    assert "On new connections: 1; on kept ones: 3." in (
        finding(explained([*both, at(203, response())]), "failed-tries").evidence
    )


# -- Slow openings -------------------------------------------------------------------------------


def slow(took: float, kept: float, *, pools: int = 4, **line: str) -> list[str]:
    """New Sessions that open a connection each, and use it twice."""
    return [
        one
        for number in range(pools)
        for one in (
            at(60 * number, opening(1), **line),
            at(60 * number + took, response(), **line),
            at(60 * number + took + kept, response(), **line),
        )
    ]


def test_openings_that_take_long_are_reported_with_the_time():
    found = finding(explained(slow(26.4, 0.2)), "slow-opening")
    assert found.evidence == (
        "Opening each of 4 connections took 26.4 s, from urllib3's line to the response: name "
        "lookup, connect, TLS and the response together. On a kept connection a response took "
        "0.2 s, so most was the opening."
    )
    assert found.seconds == pytest.approx(4 * 26.2)
    assert found.facts == {"count": 4, "seconds_each": {"least": 26.4, "most": 26.4}, "kept_s": 0.2}


def test_one_slow_opening_of_several_is_reported():
    lines = [at(0, opening(1)), at(0.1, response()), at(0.2, response()), at(60, RESET)]
    found = finding(explained([*lines, at(65.2, response())]), "slow-opening")
    assert found.evidence.startswith("Opening 1 of 2 connections took 5.2 s")


@pytest.mark.parametrize(
    ("took", "kept", "line"), [(8.0, 8.0, {}), (8.0, 0.1, {"thread": ""})], ids=["server", "who?"]
)
def test_where_the_response_may_have_been_slow_nothing_is_said_of_the_opening(took, kept, line):
    found = finding(explained(slow(took, kept, **line)), "slow-opening")
    assert found.evidence.endswith("TLS and the response together.")
    assert found.cure.endswith("It may be the response that is slow.")
    assert found.seconds is None


@pytest.mark.parametrize(("took", "kept"), [(0.9, 0.1), (4.0, 3.0)])
def test_openings_that_may_well_be_quick_are_not_reported(took, kept):
    assert explained(slow(took, kept)).findings == ()


def test_times_in_whole_seconds_may_be_one_too_many():
    lines = [line.replace(",000", "") for line in slow(1, 0)]
    assert explained(lines).findings == ()
