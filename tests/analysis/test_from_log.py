"""A log's events are told as causes, or as the sets of causes that it cannot tell apart."""

from __future__ import annotations

import pytest

from keptalive.analysis.from_log import (
    BUSY,
    DROPPED,
    DROPPED_AT_ONCE,
    DROPPED_IDLE,
    NEW,
    NEW_POOL,
    LogLedger,
    means,
)
from keptalive.model import Answered, Resetting, Retrying, Starting


def starting(thread=1, ordinal=None, host="h.test"):
    return Starting(thread=thread, scheme="https", host=host, port=443, ordinal=ordinal)


def answered(thread=1, host="h.test", status=200):
    return Answered(thread=thread, scheme="https", host=host, port=443, status=status)


def resetting(thread=1):
    return Resetting(thread=thread, host="h.test")


def told(*events):
    ledger = LogLedger()
    for event in events:
        event, at_s = event if isinstance(event, tuple) else (event, None)
        ledger.record(event, at_s)
    return ledger.report(warnings=[])


def causes(report):
    (host,) = report["hosts"]
    return {cause["cause"]: cause["count"] for cause in host["causes"]}


def test_a_kept_connection_is_the_first_use_and_reuse():
    report = told(starting(), answered(), answered(), answered())
    (host,) = report["hosts"]
    numbers = {name: host[name] for name in ("requests", "attempts", "opened", "reused")}
    assert numbers == {"requests": 3, "attempts": 3, "opened": 1, "reused": 2}
    assert causes(report) == {"first-use": 1}
    assert host["seconds_opening"] is None


@pytest.mark.parametrize(("ordinal", "cause"), [(1, NEW_POOL), (2, BUSY), (None, NEW)])
def test_a_second_connection_is_told_by_its_ordinal(ordinal, cause):
    report = told(starting(ordinal=1), answered(), starting(ordinal=ordinal), answered())
    assert causes(report) == {"first-use": 1, cause: 1}


@pytest.mark.parametrize(
    ("then_s", "cause"), [(72.0, DROPPED_IDLE), (0.1, DROPPED_AT_ONCE), (None, DROPPED)]
)
def test_a_dropped_connection_is_told_by_how_long_it_was_unused(then_s, cause):
    report = told(starting(), (answered(), 0.0), (resetting(), then_s), (answered(), then_s))
    assert causes(report) == {"first-use": 1, cause: 1}
    assert report["hosts"][0]["reopened"] == 1


def test_a_request_that_is_sent_again_counts_once():
    report = told(
        starting(), answered(), Retrying(thread=1), starting(ordinal=2), answered(), answered()
    )
    assert causes(report) == {"first-use": 1, "retry": 1}
    assert (report["hosts"][0]["requests"], report["hosts"][0]["attempts"]) == (2, 3)


def test_threads_are_read_each_by_itself():
    report = told(starting(1, 1), starting(2, 2), answered(2), answered(1), answered(2))
    assert report["hosts"][0]["opened"] == 2
    assert report["hosts"][0]["reused"] == 1


def test_a_full_pool_names_its_cause():
    ledger = LogLedger()
    for event in (starting(1, 1), starting(2, 2), answered(1), answered(2)):
        ledger.record(event)
    ledger.discarding("h.test")
    assert "pool-too-small" in causes(ledger.report(warnings=[]))


def test_a_dropped_tunnel_of_urllib3_1_is_one_connection():
    report = told(starting(), answered(), resetting(), starting(ordinal=2), answered())
    assert causes(report) == {"first-use": 1, DROPPED: 1}


def test_an_attempt_without_an_answer_is_no_connection():
    assert told(starting())["hosts"] == []


def test_each_set_of_causes_has_words():
    assert all(means(cause) != cause for cause in (NEW, NEW_POOL, BUSY, DROPPED, "first-use"))
