"""What each order of events amounts to; most are rows that were measured on real connections."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted

from keptalive.counting import Thread, count
from keptalive.records.counts import total
from keptalive.records.pool_events import (
    Answered,
    CallBegan,
    CallEnded,
    Event,
    PoolEvent,
    Resetting,
    Retrying,
    RetryingStatus,
    Starting,
)

PORTS = {"http": 80, "https": 443}


def began(thread: int = 1) -> Event:
    return CallBegan(thread=thread)


def ended(thread: int = 1) -> Event:
    return CallEnded(thread=thread, failed=False)


def failed(thread: int = 1) -> Event:
    return CallEnded(thread=thread, failed=True)


def start(thread: int = 1, scheme: str = "http") -> PoolEvent:
    return Starting(thread=thread, scheme=scheme, host="h", port=PORTS[scheme])


def reset(thread: int = 1) -> PoolEvent:
    return Resetting(thread=thread, host="h")


def retry(thread: int = 1) -> PoolEvent:
    return Retrying(thread=thread)


def answer(thread: int = 1, status: int = 200, scheme: str = "http") -> PoolEvent:
    return Answered(thread=thread, scheme=scheme, host="h", port=PORTS[scheme], status=status)


def call(*within: Event, end: Event | None = None) -> list[Event]:
    return [began(), *within, end or ended()]


NEW = call(start(), answer())
KEPT = call(answer())
AGAIN = call(reset(), answer())
REFUSED = call(start(), end=failed())

TLS = {"scheme": "https"}
ROWS = {
    "nothing": ([], {}),
    "keep-alive, 3 requests": (
        NEW + KEPT + KEPT,
        {"requests": 3, "connects": 1, "opened": 1, "reused": 2},
    ),
    "dropped after each response, 3 requests": (
        NEW + AGAIN + AGAIN,
        {"requests": 3, "connects": 3, "opened": 3, "reopened": 2},
    ),
    "connection refused, DNS failure or connect timeout": (
        REFUSED,
        {"requests": 1, "connects": 1, "unanswered": 1, "errors": 1},
    ),
    "refused, max_retries=3": (
        call(start(), retry(), start(), retry(), start(), retry(), start(), end=failed()),
        {"requests": 1, "connects": 4, "unanswered": 4, "errors": 1},
    ),
    "TLS verification fails, retries=2": (
        call(*(start(**TLS), retry()) * 2, start(**TLS), end=failed()),
        {"requests": 1, "connects": 3, "unanswered": 3, "errors": 1},
    ),
    "reset, then refused": (
        NEW + AGAIN + call(reset(), end=failed()),
        {"requests": 3, "connects": 3, "opened": 2, "reopened": 1, "unanswered": 1, "errors": 1},
    ),
    "CONNECT tunnel dropped, urllib3 2.x": (
        call(start(**TLS), answer(**TLS)) + call(reset(), answer(**TLS)) * 2,
        {"requests": 3, "connects": 3, "opened": 3, "reopened": 2},
    ),
    "CONNECT tunnel dropped, urllib3 1.26": (
        call(start(**TLS), answer(**TLS)) + call(reset(), start(**TLS), answer(**TLS)) * 2,
        {"requests": 3, "connects": 3, "opened": 3, "reopened": 2},
    ),
    "body unread, or a pool of another origin evicted, 3 requests": (
        NEW * 3,
        {"requests": 3, "connects": 3, "opened": 3},
    ),
    "a kept connection fails, its retry opens another": (
        NEW + call(retry(), start(), answer()),
        {"requests": 2, "connects": 2, "opened": 2, "unanswered": 1},
    ),
    "a kept connection fails without a retry": (
        NEW + call(end=failed()),
        {"requests": 2, "connects": 1, "opened": 1, "unanswered": 1, "errors": 1},
    ),
    "the reopened connection fails, its retry opens another": (
        NEW + call(reset(), retry(), start(), answer()),
        {"requests": 2, "connects": 3, "opened": 2, "unanswered": 1},
    ),
    "the body fails after the head": (
        call(start(), answer(), end=failed()),
        {"requests": 1, "connects": 1, "opened": 1, "errors": 1},
    ),
    "the body fails on a kept connection": (
        NEW + call(answer(), end=failed()),
        {"requests": 2, "connects": 1, "opened": 1, "reused": 1, "errors": 1},
    ),
    "a redirect to the same host": (
        call(start(), answer(status=302), answer()),
        {"requests": 1, "connects": 1, "opened": 1, "reused": 1},
    ),
    "a redirect to a host that refuses": (
        call(start(), answer(status=302), start(), end=failed()),
        {"requests": 1, "connects": 2, "opened": 1, "unanswered": 1, "errors": 1},
    ),
    "a redirect whose second request breaks": (
        call(start(), answer(status=302), end=failed()),
        {"requests": 1, "connects": 1, "opened": 1, "unanswered": 1, "errors": 1},
    ),
    "a status that is retried, and then a connection breaks": (
        call(start(), answer(status=503), RetryingStatus(thread=1), end=failed()),
        {"requests": 1, "connects": 1, "opened": 1, "unanswered": 1, "errors": 1},
    ),
    "requests that nobody marked as calls": (
        [start(), answer(), answer()],
        {"connects": 1, "opened": 1, "reused": 1},
    ),
    "a call that is not over": ([began(), start()], {"requests": 1, "connects": 1, "in_flight": 1}),
    "two threads interleaved": (
        [
            *(began(1), began(2), start(1), reset(2), answer(1), ended(1)),
            *(began(1), answer(2), retry(1), ended(2), start(1), answer(1), ended(1)),
        ],
        {"requests": 3, "connects": 3, "opened": 3, "reopened": 1, "unanswered": 1},
    ),
    "8 threads on a pool of 2": (
        [event for step in (began, start, answer, ended) for event in map(step, range(8))],
        {"requests": 8, "connects": 8, "opened": 8},
    ),
}


@pytest.mark.parametrize(("events", "expected"), ROWS.values(), ids=ROWS)
def test_each_row_of_the_measured_table_counts_as_measured(events, expected):
    assert expected == counted(count(events))


def test_an_attempt_left_open_by_a_call_is_not_taken_for_the_next_ones():
    expected = {"requests": 2, "connects": 1, "unanswered": 1, "errors": 1, "reused": 1}
    assert expected == counted(count(call(start(), end=failed()) + KEPT))


def test_errors_are_of_calls_that_failed_by_name():
    refused = CallEnded(thread=1, failed=True, error="ConnectionError")
    counts = count(call(start(), end=refused) * 2 + REFUSED)
    assert counts.errors == {"ConnectionError": 2, "unknown": 1}


def test_what_no_pool_log_tells_is_none():
    counts = count(NEW)
    assert (counts.opened_unanswered, counts.most_at_once, counts.seconds_opening) == (None,) * 3


def test_a_response_of_another_host_is_not_taken_for_the_one_that_is_connected():
    other = Answered(thread=1, scheme="http", host="other", port=80, status=200)
    expected = {"connects": 1, "unanswered": 1, "reused": 1}
    assert expected == counted(count([start(), other]))


def test_threads_that_are_not_told_apart_are_told_by_their_hosts():
    thread = Thread()
    other = Starting(thread=1, scheme="http", host="other", port=80)
    begun = [thread.take(event, is_one=False)[0] for event in (start(), start(), other)]
    (ended,) = thread.take(answer(), is_one=False)
    assert (ended.attempt, ended.answered) == (begun[0], True)
    assert thread.attempts == begun[1:]


@pytest.mark.parametrize("events", [[ended()], [failed()], [*NEW, ended()]])
def test_a_call_that_ends_before_it_began_raises(events):
    with pytest.raises(ValueError, match="ended that had not begun"):
        count(events)


def test_a_call_that_begins_within_a_call_raises():
    with pytest.raises(ValueError, match="began within a call"):
        count([began(), began()])


def test_a_call_on_one_thread_does_not_end_with_another_threads():
    with pytest.raises(ValueError, match="ended that had not begun"):
        count([began(1), ended(2)])


CALLS = st.lists(st.sampled_from([NEW, KEPT, AGAIN, REFUSED, call(end=failed())]), max_size=20)


@given(CALLS, CALLS)
def test_counts_of_whole_calls_add_up(one, other):
    first, second = [*chain(*one)], [*chain(*other)]
    assert total([count(first), count(second)]) == count(first + second)


@given(CALLS)
def test_every_try_is_opened_reused_or_unanswered(calls):
    counts = count(chain(*calls))
    assert counts.requests == counts.attempts
    assert counts.unanswered == sum(counts.errors.values())
    assert counts.reopened <= counts.opened <= counts.connects <= counts.attempts
