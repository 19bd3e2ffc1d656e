"""What is worth to be changed though it opens no connection: names, counts, and never a value."""

from __future__ import annotations

from typing import Any

import pytest
from tests.causes.records import HOST, opened, process, reported

from keptalive.causes.judge import nothing_to_change
from keptalive.records.connection import CloseReason, Connection
from keptalive.records.counts import FailedAddress
from keptalive.records.report import Finding


def found(*connections: Connection, **counts: Any) -> list[Finding]:
    """The findings of a route with these counts."""
    return list(reported(process(*(connections or (opened(1),)), **counts)).findings)


def test_there_is_nothing_to_find_of_a_host_without_blemish():
    assert found(requests=9, reused=8) == []


@pytest.mark.parametrize(
    ("counts", "name", "facts", "evidence"),
    [
        (
            {"cleartext_credentials": 3},
            "cleartext-credentials",
            {"requests": 3},
            (
                f"Credentials were sent over plain http to {HOST} (3 times): they can be read on "
                "the way."
            ),
        ),
        (
            {"unverified": 1},
            "unverified-tls",
            {"connections": 1},
            (
                f"The certificate of {HOST} was not verified (verify=False): anyone in between can "
                "read and change everything."
            ),
        ),
        (
            {"leaked_headers": {"http://a:80 Cookie": 2}},
            "leaked-headers",
            {"header": "Cookie", "from": "http://a:80", "requests": 2},
            f"A redirect from http://a:80 took Cookie along to {HOST} (2 times).",
        ),
        (
            {"failed_addresses": {"::1": FailedAddress(count=2, seconds=9.0, error="E")}},
            "failed-address",
            {"address": "::1", "error": "E", "attempts": 2},
            f"{HOST} was tried at ::1 first, which failed (E) (2 times): 9.0 s lost.",
        ),
        (
            {"retried": 2, "unanswered": 2, "requests": 1, "errors": {"ReadTimeout": 2}},
            "silent-retries",
            {"retried": 2, "errors": {"ReadTimeout": 2}},
            f"2 failures at {HOST} were retried silently: 1 request, 3 sent in total.",
        ),
        (
            {
                "seconds_waiting_for_pool": 2.5,
                "waits": 4,
                "longest_wait_s": 1.0,
                "blocking_pool_size": 2,
                "pool_size_needed": 6,
                "errors": {"EmptyPoolError": 1},
            },
            "waiting-for-pool",
            {
                "seconds_waiting_for_pool": 2.5,
                "waits": 4,
                "longest_wait_s": 1.0,
                "pool_size": 2,
                "needed": 6,
                "refused": 1,
            },
            (
                "4 requests waited 2.5 s in all, the longest 1.0 s, for a free connection of 2 to "
                f"{HOST}: the pool blocks. 1 request got none."
            ),
        ),
        (
            {"discarded": 3, "pool_size": 10, "most_at_once": 13},
            "full-pool",
            {"discarded": 3, "pool_size": 10, "most_at_once": 13},
            (
                'urllib3 said "Connection pool is full" 3 times, and discarded 3 connections to '
                f"{HOST}; no later request needed one. Up to 13 requests at once; the pool keeps "
                "10."
            ),
        ),
    ],
)
def test_a_finding_has_its_facts_and_its_sentence(counts, name, facts, evidence):
    (finding,) = found(**counts)
    assert (finding.finding, finding.host) == (name, HOST)
    assert dict(finding.facts) == facts
    assert finding.evidence == evidence
    assert finding.cure.endswith(".")


def test_an_address_that_refuses_at_once_is_not_worth_a_word():
    quick = FailedAddress(count=9, seconds=0.02, error="E")
    assert found(failed_addresses={"::1": quick}) == []


def test_a_moment_of_waiting_for_the_pool_is_not_worth_a_word():
    assert found(seconds_waiting_for_pool=0.09) == []


# -- The CA bundle


def loop(**first: Any) -> list[Connection]:
    """Four connections in a row, each replacing the one before."""
    return [
        opened(n, replaces=n - 1 or None, how=CloseReason.FIN, end={"idle_s": 60.0}, **first)
        for n in range(1, 5)
    ]


def test_the_price_of_the_ca_bundle_is_found_where_connections_remain():
    (finding,) = found(*loop(), phases={"ca_bundle": 0.2}, seconds_opening=0.4)
    assert finding.finding == "ca-bundle"
    assert finding.seconds == pytest.approx(0.15)  # it is loaded once, instead of four times
    assert "tuned_session() loads the CA bundle once" in finding.cure


def test_a_cheap_ca_bundle_is_not_worth_a_word():
    assert found(*loop(), phases={"ca_bundle": 0.1}, seconds_opening=0.4) == []


def test_the_ca_bundle_is_not_worth_a_word_where_the_program_can_avoid_the_connections():
    sessions = [opened(n, owner=n, pool_is_new=True) for n in range(1, 5)]
    assert found(*sessions, phases={"ca_bundle": 0.2}, seconds_opening=0.4) == []


# -- The verdict


def verdict(*connections: Connection, **counts: Any) -> bool:
    report = reported(process(*connections, **counts))
    return nothing_to_change(report.hosts[0], report.findings)


WASTE = (opened(1), opened(2, owner=2, pool_is_new=True))


def test_there_is_nothing_to_change_where_nothing_can_be_saved():
    assert verdict(opened(1))
    assert verdict(opened(1), opened(2, most_at_once=2))


def test_there_is_something_to_change_where_connections_can_be_saved():
    assert not verdict(*WASTE)


def test_there_is_nothing_to_change_where_connections_cost_next_to_nothing():
    cheap = [Connection(**{**fields(one), "phases": {"connect": 0.004}}) for one in WASTE]
    assert verdict(*cheap)


def fields(one: Connection) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__slots__}


def test_there_is_something_to_change_where_a_finding_costs_more():
    assert not verdict(opened(1), seconds_waiting_for_pool=0.5)
    assert verdict(opened(1), retried=1, unanswered=1, seconds_lost=0.001)


def test_there_is_something_to_change_where_a_finding_is_no_matter_of_time():
    assert not verdict(opened(1), cleartext_credentials=1)


def test_a_finding_of_another_host_does_not_count():
    report = reported(process(opened(1)))
    other = Finding(finding="unverified-tls", host="https://other:443", evidence="")
    assert nothing_to_change(report.hosts[0], [other])


def test_nothing_is_said_of_reuse_where_nothing_was_ever_answered():
    silent = opened(1, served=0, how=CloseReason.FAILED)
    assert not verdict(silent)


def test_there_is_nothing_to_change_where_kept_connections_served_everything():
    assert verdict(opened=0, reused=5, opened_unanswered=0, unanswered=0)
