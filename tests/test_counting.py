"""What each order of events amounts to; most are rows that were measured on real connections."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keptalive.counting import Ledger, add, count
from keptalive.records.pool_events import (
    Answered,
    CallBegan,
    CallEnded,
    Event,
    Resetting,
    Retrying,
    RetryingStatus,
    Starting,
)
from keptalive.records.run import Counts


def began(thread: int = 1) -> Event:
    return CallBegan(thread=thread)


def ended(thread: int = 1) -> Event:
    return CallEnded(thread=thread, failed=False)


def failed(thread: int = 1) -> Event:
    return CallEnded(thread=thread, failed=True)


def start(thread: int = 1, scheme: str = "http") -> Event:
    return Starting(thread=thread, scheme=scheme, host="h", port=80)


def reset(thread: int = 1) -> Event:
    return Resetting(thread=thread, host="h")


def retry(thread: int = 1) -> Event:
    return Retrying(thread=thread)


def answer(thread: int = 1, status: int = 200) -> Event:
    return Answered(thread=thread, scheme="http", host="h", port=80, status=status)


def call(*within: Event, end: Event | None = None) -> list[Event]:
    return [began(), *within, end or ended()]


NEW = call(start(), answer())
KEPT = call(answer())
AGAIN = call(reset(), answer())
REFUSED = call(start(), end=failed())

ROWS = {
    "nothing": ([], Counts()),
    "keep-alive, 3 requests": (
        NEW + KEPT + KEPT,
        Counts(requests=3, attempts=3, opened=1, reused=2),
    ),
    "dropped after each response, 3 requests": (
        NEW + AGAIN + AGAIN,
        Counts(requests=3, attempts=3, opened=3, reopened=2),
    ),
    "connection refused, DNS failure or connect timeout": (
        REFUSED,
        Counts(requests=1, attempts=1, unanswered=1, errors=1),
    ),
    "refused, max_retries=3": (
        call(start(), retry(), start(), retry(), start(), retry(), start(), end=failed()),
        Counts(requests=1, attempts=4, unanswered=4, errors=1),
    ),
    "TLS verification fails, retries=2": (
        call(
            *(start(scheme="https"), retry()) * 2,
            start(scheme="https"),
            end=failed(),
        ),
        Counts(requests=1, attempts=3, unanswered=3, errors=1),
    ),
    "reset, then refused": (
        NEW + AGAIN + call(reset(), end=failed()),
        Counts(requests=3, attempts=3, opened=2, reopened=1, unanswered=1, errors=1),
    ),
    "CONNECT tunnel dropped, urllib3 2.x": (
        call(start(scheme="https"), answer()) + AGAIN + AGAIN,
        Counts(requests=3, attempts=3, opened=3, reopened=2),
    ),
    "CONNECT tunnel dropped, urllib3 1.x": (
        call(start(scheme="https"), answer())
        + call(reset(), start(scheme="https"), answer())
        + call(reset(), start(scheme="https"), answer()),
        Counts(requests=3, attempts=3, opened=3, reopened=2),
    ),
    "body unread, or a pool of another origin evicted, 3 requests": (
        NEW * 3,
        Counts(requests=3, attempts=3, opened=3),
    ),
    "a kept connection fails, its retry opens another": (
        NEW + call(retry(), start(), answer()),
        Counts(requests=2, attempts=3, opened=2),
    ),
    "a kept connection fails without a retry": (
        NEW + call(end=failed()),
        Counts(requests=2, attempts=2, opened=1, errors=1),
    ),
    "the reopened connection fails, its retry opens another": (
        NEW + call(reset(), retry(), start(), answer()),
        Counts(requests=2, attempts=3, opened=2, unanswered=1),
    ),
    "the body fails after the head": (
        call(start(), answer(), end=failed()),
        Counts(requests=1, attempts=1, opened=1, errors=1),
    ),
    "the body fails on a kept connection": (
        NEW + call(answer(), end=failed()),
        Counts(requests=2, attempts=2, opened=1, reused=1, errors=1),
    ),
    "a redirect to the same host": (
        call(start(), answer(status=302), answer()),
        Counts(requests=1, attempts=2, opened=1, reused=1),
    ),
    "a redirect to a host that refuses": (
        call(start(), answer(status=302), start(), end=failed()),
        Counts(requests=1, attempts=2, opened=1, unanswered=1, errors=1),
    ),
    "requests that nobody marked as calls": (
        [start(), answer(), answer()],
        Counts(attempts=2, opened=1, reused=1),
    ),
    "two threads interleaved": (
        [
            *(began(1), began(2), start(1), reset(2), answer(1), ended(1)),
            *(began(1), answer(2), retry(1), ended(2), start(1), answer(1), ended(1)),
        ],
        Counts(requests=3, attempts=4, opened=3, reopened=1),
    ),
    "8 threads on a pool of 2": (
        [event for step in (began, start, answer, ended) for event in map(step, range(8))],
        Counts(requests=8, attempts=8, opened=8),
    ),
}


@pytest.mark.parametrize(("events", "expected"), ROWS.values(), ids=ROWS)
def test_each_row_of_the_measured_table_counts_as_measured(events, expected):
    assert expected == count(events)


def test_an_attempt_left_open_by_a_call_is_not_taken_for_the_next_ones():
    assert Counts(requests=2, attempts=2, unanswered=1, errors=1, reused=1) == count(
        call(start(), end=failed()) + KEPT
    )


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


def test_the_sum_so_far_is_there_after_every_event():
    ledger = Ledger()
    opened = []
    for event in NEW + AGAIN:
        ledger.record(event)
        opened.append(ledger.counts.opened)
    assert opened == [0, 0, 1, 1, 1, 1, 2, 2]


CALLS = st.lists(st.sampled_from([NEW, KEPT, AGAIN, REFUSED, call(end=failed())]), max_size=20)


@given(CALLS, CALLS)
def test_counts_of_whole_calls_add_up(one, other):
    first, second = [*chain(*one)], [*chain(*other)]
    assert add(count(first), count(second)) == count(first + second)


@given(CALLS)
def test_every_try_is_opened_reused_unanswered_or_failed(calls):
    counts = count(chain(*calls))
    assert counts.requests == counts.attempts
    assert counts.requests - counts.errors == counts.opened + counts.reused
    assert counts.reopened <= counts.opened


def test_a_redirect_whose_second_request_breaks_is_two_attempts() -> None:
    events = [
        CallBegan(thread=1),
        Starting(thread=1, scheme="https", host="h", port=443),
        Answered(thread=1, scheme="https", host="h", port=443, status=302),
        CallEnded(thread=1, failed=True),
    ]
    expected = Counts(requests=1, attempts=2, opened=1, errors=1)
    assert count(events) == expected


def test_a_status_retry_that_then_breaks_is_two_attempts() -> None:
    events = [
        CallBegan(thread=1),
        Starting(thread=1, scheme="https", host="h", port=443),
        Answered(thread=1, scheme="https", host="h", port=443, status=503),
        RetryingStatus(thread=1),
        CallEnded(thread=1, failed=True),
    ]
    assert count(events) == Counts(requests=1, attempts=2, opened=1, errors=1)
