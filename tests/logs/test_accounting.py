"""What a log's events amount to: the counting rule, and the causes that remain."""

from __future__ import annotations

from typing import Any

import pytest

from keptalive.causes.catalogue import ROWS
from keptalive.causes.log_sets import SETS, means, members_of, name_of
from keptalive.logs.accounting import CANNOT, HOSTS_KEPT, LogLedger
from keptalive.records.pool_events import (
    Answered,
    PoolEvent,
    Resetting,
    Retrying,
    RetryingStatus,
    Starting,
)

HOST = "https://h:443"


def start(
    number: int | None = 1, *, thread: int = 1, host: str = "h", scheme: str = "https"
) -> Starting:
    port = 443 if scheme == "https" else 80
    return Starting(thread=thread, scheme=scheme, host=host, port=port, ordinal=number)


def answer(
    *, thread: int = 1, host: str = "h", scheme: str = "https", status: int = 200
) -> Answered:
    port = 443 if scheme == "https" else 80
    return Answered(thread=thread, scheme=scheme, host=host, port=port, status=status)


def reset(*, thread: int = 1, host: str = "h") -> Resetting:
    return Resetting(thread=thread, host=host)


def retrying(*, thread: int = 1) -> Retrying:
    return Retrying(thread=thread)


def report(*events: PoolEvent, **settings: Any) -> dict[str, Any]:
    ledger = LogLedger()
    for event in events:
        ledger.record(event, **settings)
    return ledger.report(warnings=[])


def timed(*events: tuple[float, PoolEvent]) -> dict[str, Any]:
    ledger = LogLedger()
    for at_s, event in events:
        ledger.record(event, at_s)
    return ledger.report(warnings=[])


def counts(told: dict[str, Any], host: str = HOST) -> tuple[int, ...]:
    """Requests, attempts, opened, reopened, reused."""
    (row,) = (row for row in told["hosts"] if row["host"] == host)
    return tuple(row[n] for n in ("requests", "attempts", "opened", "reopened", "reused"))


def kinds(told: dict[str, Any], host: str = HOST) -> dict[str, int]:
    (row,) = (row for row in told["hosts"] if row["host"] == host)
    return {c["cause"].partition(":")[0]: c["count"] for c in row["causes"]}


def only_cause(told: dict[str, Any], kind: str) -> dict[str, Any]:
    (cause,) = (c for c in told["hosts"][0]["causes"] if c["cause"].partition(":")[0] == kind)
    return cause


# -- Counting ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([start(), answer(), answer(), answer()], (3, 3, 1, 0, 2)),
        ([start(), answer(), reset(), answer(), reset(), answer()], (3, 3, 3, 2, 0)),
        ([answer(), answer()], (2, 2, 0, 0, 2)),
        ([start()], (1, 1, 0, 0, 0)),
        ([start(), start(2), start(3), answer()], (3, 3, 1, 0, 0)),
        ([start(), retrying(), start(2), retrying(), start(3), answer()], (1, 3, 1, 0, 0)),
        ([start(), retrying(), start(2), retrying(), start(3)], (1, 3, 0, 0, 0)),
        ([start(), answer(), retrying(), start(2), answer()], (2, 3, 2, 0, 0)),
        ([start(), answer(), RetryingStatus(thread=1), answer()], (1, 2, 1, 0, 1)),
        ([start(), answer(), reset(), retrying(), reset(), answer()], (2, 3, 2, 1, 0)),
        ([start(), answer(), reset()], (2, 2, 1, 0, 0)),
    ],
    ids=[
        "kept alive",
        "dropped each time",
        "a log that begins later",
        "no answer",
        "failed, and asked again by the program",
        "retries",
        "retries that all fail",
        "a kept connection that was stale",
        "a status that is retried",
        "a retry that finds a dropped connection",
        "reconnecting fails",
    ],
)
def test_the_counting_rule(events, expected):
    assert counts(report(*events)) == expected


def test_a_dropped_tunnel_of_urllib3_1_is_one_attempt():
    events = [start(), answer(), reset(), start(2), answer()]
    assert counts(report(*events)) == (2, 2, 2, 1, 0)


def test_without_a_tunnel_a_start_after_a_reset_is_another_attempt():
    plain = {"scheme": "http"}
    events = [start(**plain), answer(**plain), reset(), start(2, **plain), answer(**plain)]
    assert counts(report(*events), "http://h:80") == (3, 3, 2, 0, 0)


def test_an_opening_to_another_host_than_the_next_answers_has_failed():
    told = report(start(), answer(), start(host="other"), answer())
    assert counts(told) == (2, 2, 1, 0, 1)
    assert counts(told, "https://other:443") == (1, 1, 0, 0, 0)
    assert told["warnings"] == ["Attempts to open a connection that had no answer: 1."]


def test_each_thread_is_read_by_itself():
    events = [start(), start(2, thread=2), answer(thread=2), answer()]
    assert counts(report(*events)) == (2, 2, 2, 0, 0)


def test_threads_that_are_not_told_apart_are_told_by_their_hosts_and_it_is_said():
    events = [start(), start(2), start(host="b"), answer(), answer(host="b"), answer(), answer()]
    told = report(*events, told=False)
    assert counts(told) == (3, 3, 2, 0, 1)
    assert counts(told, "https://b:443") == (1, 1, 1, 0, 0)
    assert told["warnings"][0].startswith("Connections opened while others were: 1.")
    assert "Next: %(threadName)s in its format." in told["warnings"][0]


def test_a_log_without_threads_of_a_program_with_one_raises_no_doubt():
    told = report(start(), answer(), reset(), answer(), told=False)
    assert told["warnings"] == [CANNOT]


# -- Causes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([start(), answer()], {"first-use": 1}),
        ([start(), retrying(), start(2), answer()], {"first-use": 1}),
        ([start(), start(2), answer()], {"first-use": 1}),
        ([start(), answer(), start(), answer()], {"first-use": 1, "new pool or run": 1}),
        (
            [start(), answer(), start(), retrying(), start(2), answer()],
            {"first-use": 1, "new pool or run": 1},
        ),
        ([start(), answer(), start(2), answer()], {"first-use": 1, "busy": 1}),
        ([start(), answer(), start(None), answer()], {"first-use": 1, "new": 1}),
        ([start(), answer(), retrying(), start(2), answer()], {"first-use": 1, "retry": 1}),
        ([start(), answer(), reset(), answer()], {"first-use": 1, "dropped": 1}),
        ([answer(), reset(), answer()], {"dropped": 1}),
        (
            [start(), start(2, thread=2), answer(thread=2), answer()],
            {"first-use": 1, "busy": 1},
        ),
        ([start(2, thread=2), start(), answer(), answer(thread=2)], {"first-use": 1, "busy": 1}),
    ],
)
def test_what_is_opened_has_the_causes_that_remain(events, expected):
    assert kinds(report(*events)) == expected


def test_where_processes_are_told_each_has_its_first_use():
    ledger = LogLedger()
    for process in (1, 2):
        for event in (start(thread=process), answer(thread=process), start(), answer()):
            ledger.record(event, process=process)
    assert kinds(ledger.report(warnings=[])) == {"first-use": 2, "new pool": 2}


def test_a_host_that_a_redirect_may_have_led_to_is_no_certain_first_use():
    told = report(start(), answer(status=302), start(host="b"), answer(host="b"))
    assert kinds(told, "https://b:443") == {"first": 1}
    assert kinds(told) == {"first-use": 1}


def test_only_a_full_pool_is_one_that_may_be_too_small():
    ledger = LogLedger()
    for event in (start(), start(2, thread=2), answer(), answer(thread=2)):
        ledger.record(event)
    ledger.discarding(2, "h")
    cause = only_cause(ledger.report(warnings=[]), "busy, pool full")
    assert "pool-too-small" in members_of(cause["cause"])
    assert cause["evidence"] == '"Connection pool is full": 1 times.'
    assert "pool-too-small" not in SETS["busy"].members


def test_a_full_pool_is_that_of_the_host_its_thread_has_asked():
    ledger = LogLedger()
    for number, scheme in enumerate(("https", "http"), 1):
        for event in (
            start(thread=number, scheme=scheme),
            answer(thread=number, scheme=scheme),
            start(2, thread=number, scheme=scheme),
            answer(thread=number, scheme=scheme),
        ):
            ledger.record(event)
    ledger.discarding(1, "h")
    told = ledger.report(warnings=[])
    assert kinds(told) == {"first-use": 1, "busy, pool full": 1}
    assert kinds(told, "http://h:80") == {"first-use": 1, "busy": 1}


# -- What the times tell -------------------------------------------------------------------------


def test_a_lone_connections_idle_time_is_told_and_what_survived():
    cause = only_cause(
        timed(
            (0, start()),
            (1, answer()),
            (58, answer()),
            (129, reset()),
            (130, answer()),
            (190.2, reset()),
            (191, answer()),
        ),
        "dropped",
    )
    assert cause["evidence"] == (
        "It had been unused for 60.2 to 71.0 s; answers 57.0 s apart came on a kept one."
    )
    assert cause["cure"] == "If the server closes unused ones: tuned_session(max_idle=57)."


def test_of_several_connections_only_the_least_idle_time_is_known():
    cause = only_cause(
        timed(
            (0, start()),
            (0, start(2, thread=2)),
            (1, answer()),
            (2, answer(thread=2)),
            (40, answer()),
            (70, reset(thread=2)),
            (71, answer(thread=2)),
        ),
        "dropped",
    )
    assert cause["evidence"] == "It had been unused for at least 30.0 s."
    assert cause["cure"].endswith("tuned_session(max_idle=T), T below its time.")


def test_a_connection_that_is_dropped_at_once_was_not_idle_for_too_long():
    events = [(0, start()), (1, answer()), (1.1, answer()), (1.2, reset()), (1.3, answer())]
    cause = only_cause(timed(*events), "dropped at once")
    assert "idle-timeout" not in members_of(cause["cause"])
    assert "idle-timeout" in SETS["dropped"].members
    assert cause["evidence"] == "Responses on each: 2."


def test_without_times_nothing_is_told_of_them():
    cause = only_cause(report(start(), answer(), reset(), answer()), "dropped")
    assert cause["evidence"] == ""


# -- Words ---------------------------------------------------------------------------------------


def test_every_set_names_causes_that_there_are_and_its_name_names_them_all():
    for kind, remaining in SETS.items():
        assert set(remaining.members) <= set(ROWS)
        assert members_of(name_of(kind)) == remaining.members
        assert all(member in name_of(kind) for member in remaining.members)
        assert means(name_of(kind)) == means(kind) == remaining.means


def test_what_a_log_cannot_tell_is_said_once_and_only_where_it_matters():
    assert report(start(), answer())["warnings"] == []
    assert report(start(), answer(), start(), answer(), reset(), answer())["warnings"] == [CANNOT]


# -- Memory --------------------------------------------------------------------------------------


def test_hosts_beyond_those_that_are_kept_count_together():
    ledger = LogLedger()
    for number in range(HOSTS_KEPT + 5):
        ledger.record(start(host=f"h{number}"))
        ledger.record(answer(host=f"h{number}"))
    told = ledger.report(warnings=[])
    assert len(told["hosts"]) == HOSTS_KEPT
    assert told["warnings"] == [
        "Hosts beyond the first 10000 are left out: 5 requests, 5 connections opened."
    ]


def test_lanes_of_long_ago_are_forgotten_and_their_openings_counted():
    ledger = LogLedger()
    threads = 20_000
    for thread in range(threads):
        ledger.record(start(thread=thread))
    assert len(ledger._lanes) + len(ledger._older) < threads / 2
    assert counts(ledger.report(warnings=[])) == (threads, threads, 0, 0, 0)


def test_a_lane_without_an_end_of_openings_is_bounded():
    ledger = LogLedger()
    for number in range(1, 1001):
        ledger.record(start(number), told=False)
    (lane,) = ledger._lanes.values()
    assert len(lane.openings) < 100
    ledger.record(answer(), told=False)
    assert counts(ledger.report(warnings=[])) == (1000, 1000, 1, 0, 0)
