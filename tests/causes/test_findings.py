"""What is worth to be changed though it opens no connection: names, counts, and never a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.causes.records import HOST, OPENING_S, counts_of, opened, process, reported

from keptalive.causes.judge import nothing_to_change
from keptalive.records.connection import CloseReason, Connection
from keptalive.records.counts import FailedAddress, ResponseTime
from keptalive.records.process import ProcessRecord
from keptalive.records.report import Finding
from keptalive.render.verdict import NOTHING_TO_CHANGE
from keptalive.render.verdict import verdict as verdict_of


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
            {"retried": 2, "requests": 1, "retried_statuses": {"503": 2}, "seconds_backing_off": 9},
            "silent-retries",
            {"retried": 2, "statuses": {"503": 2}, "seconds_backing_off": 9},
            (
                f"2 failures at {HOST} were retried silently: 1 request, 1 sent in total; 9.0 s of "
                "waiting before them."
            ),
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


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "tuned_session(threads=6), or HTTPAdapter(pool_maxsize=6, pool_block=True)."),
        ({"is_bare": True}, "PoolManager(maxsize=6, block=True)."),
        (
            {"is_bare": True, "request_library": "elastic_transport/_node/_http_urllib3.py:167"},
            "Elasticsearch(connections_per_node=6).",
        ),
        (
            {"is_bare": True, "request_library": "shop/client.py:3"},
            (
                "PoolManager(maxsize=6, block=True). Here shop has it: see whether it takes yours, "
                "or has an option."
            ),
        ),
    ],
)
def test_a_pool_that_blocks_is_made_larger_in_the_words_of_whose_it_is(facts, words):
    (finding,) = found(opened(1, **facts), seconds_waiting_for_pool=2.5, pool_size_needed=6)
    assert finding.cure == (
        f"With room for 6 none would have waited: {words} Keep the limit if it is there to protect "
        "the server."
    )


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "tuned_session(threads=13), or HTTPAdapter(pool_maxsize=13)."),
        ({"is_bare": True}, "PoolManager(maxsize=13)."),
        (
            {"request_library": "botocore/httpsession.py:509"},
            "One shared client with config=botocore.config.Config(max_pool_connections=13).",
        ),
    ],
)
def test_a_full_pool_is_made_larger_in_the_words_of_the_library_that_has_it(facts, words):
    (finding,) = found(opened(1, **facts), discarded=3, pool_size=10, most_at_once=13)
    assert finding.cure == words


# -- The CA bundle


def loading(number: int, load_s: float = 0.05, **values: Any) -> Connection:
    """A connection that took 0.1 s, so much of it for the CA bundle."""
    one = opened(number, **values)
    return replace(one, phases={"ca_bundle": load_s, "tls": OPENING_S - load_s})


def loop(load_s: float = 0.05) -> list[Connection]:
    """Four connections in a row, each replacing the one before."""
    return [
        loading(n, load_s, replaces=n - 1 or None, how=CloseReason.FIN, end={"idle_s": 60.0})
        for n in range(1, 5)
    ]


def bundles(*processes: ProcessRecord) -> list[Finding]:
    """What is said of the CA bundle, which is never said beside "Nothing to change"."""
    report = reported(*processes)
    said = [one for one in report.findings if one.finding == "ca-bundle"]
    if said:
        assert not verdict_of(report).startswith(NOTHING_TO_CHANGE)
    return said


def test_the_price_of_the_ca_bundle_is_found_where_the_program_cannot_avoid_connections():
    (finding,) = bundles(process(*loop()))
    assert finding.seconds == pytest.approx(0.15)  # it is loaded once, instead of four times
    assert finding.evidence == (
        "The CA bundle was loaded 4 times, once for each new connection: 200 ms of 400 ms for "
        "opening them."
    )
    assert finding.cure == (
        "tuned_session() loads it once and would save about 150 ms of these 400 ms. With perfect "
        "reuse, there would be nothing more to save here."
    )


def test_a_small_share_is_found_where_it_is_large_in_all():
    assert len(bundles(process(*loop(0.03)))) == 1
    assert bundles(process(*loop(0.012))) == []


def test_what_one_load_would_not_save_is_not_worth_a_word():
    assert bundles(process(loading(1))) == []
    assert bundles(process(loading(1, 0.003), loading(2, 0.003, most_at_once=2))) == []


def test_the_ca_bundle_is_not_worth_a_word_where_the_program_can_avoid_the_connections():
    sessions = [loading(n, owner=n, pool_is_new=True) for n in range(1, 5)]
    assert bundles(process(*sessions)) == []


def test_of_connections_that_the_program_can_avoid_one_load_saves_nothing():
    (finding,) = bundles(process(*loop(), loading(5, owner=2, pool_is_new=True)))
    assert finding.seconds == pytest.approx(0.15)
    assert "of these 500 ms, for the 4 connections that the program cannot avoid." in finding.cure


def test_each_process_loads_its_own():
    alone = [process(loading(1), number=number) for number in range(1, 5)]
    assert bundles(*alone) == []


def test_each_of_several_tls_settings_is_loaded():
    several = [loading(n, tls=f"{n}", pool_is_new=True, most_at_once=n) for n in range(1, 5)]
    assert bundles(process(*several)) == []


def test_what_perfect_reuse_leaves_is_said():
    closed: dict[str, Any] = {"how": CloseReason.FIN, "end": {"idle_s": 60.0}}
    at_once = [loading(1), loading(2, most_at_once=2, **closed)]
    (finding,) = bundles(process(*at_once, loading(3, replaces=2, most_at_once=2)))
    assert finding.seconds == pytest.approx(0.05 * 2)
    assert finding.cure.endswith(" With perfect reuse, it would still save 50 ms.")


def test_connections_that_were_opened_at_the_same_time_have_no_wall_time():
    at_once = [loading(n, attempted_s=1.0 + n / 100, most_at_once=n) for n in range(1, 5)]
    (finding,) = bundles(process(*at_once))
    assert finding.evidence.endswith(" for opening them, all threads together.")


@pytest.mark.parametrize(
    ("library", "is_bare", "cure"),
    [
        (None, False, "tuned_session() loads it once"),
        ("spotipy/client.py:3", False, " Give spotipy that Session: "),
        ("aclient/core.py:3", False, " Here aclient has it: see whether it takes yours"),
        (None, True, "PoolManager(ssl_context=...) in place of ca_certs, loads it once"),
        ("botocore/a.py:3", True, "let AWS_CA_BUNDLE name a file of only the CAs that you need."),
    ],
)
def test_each_library_has_a_cure_of_its_own(library, is_bare, cure):
    facts = {"session_library": library, "is_bare": is_bare}
    at_once = [loading(n, most_at_once=n, **facts) for n in range(1, 5)]
    (finding,) = bundles(process(*at_once))
    assert cure in finding.cure


def test_a_sum_over_several_hosts_belongs_to_none():
    both = [
        loading(1),
        replace(loading(2, pool_is_new=True), host="https://other.test:443"),
    ]
    record = process(both[0])
    other = counts_of([both[1]], host="https://other.test:443")
    record = replace(record, hosts=(*record.hosts, other), connections=tuple(both))
    (finding,) = bundles(record)
    assert (finding.host, finding.facts["hosts"]) == (None, [HOST, "https://other.test:443"])


# -- Delayed acknowledgements

FIRST = [ResponseTime(head_s=0.001, rest_s=0.0001)]
LATE = ResponseTime(head_s=0.001, rest_s=0.043, received_bytes=240)
LATE_HEAD = ResponseTime(
    head_s=0.044, rest_s=0.0, acks_sent=1, acks_received=0, sent_packets=1, received_packets=2
)


def late(*kept: ResponseTime, first: Sequence[ResponseTime] = FIRST) -> list[str]:
    """In which part of a response the delay was found."""
    connection = opened(1, served=len(kept) + 1)
    findings = found(connection, first_responses=list(first), kept_responses=list(kept))
    return [one.facts["phase"] for one in findings if one.finding == "delayed-ack"]


def test_a_delay_is_found_in_the_part_in_which_it_shows():
    assert late(*[LATE] * 4) == ["body"]
    assert late(*[LATE_HEAD] * 4) == ["head"]
    assert late(*[replace(LATE_HEAD, whole=True, rest_s=None)] * 4) == ["response"]
    assert late(*[replace(LATE_HEAD, nagle=True, sent_packets=2)] * 4) == ["request"]


def test_few_responses_or_few_late_ones_show_no_delay():
    fast = replace(LATE, rest_s=0.0001)
    assert late(*[LATE] * 3) == []
    assert late(LATE, fast, LATE, fast) == ["body"]
    assert late(LATE, fast, fast, fast) == []


def test_new_connections_that_are_as_slow_show_no_delay():
    assert late(*[LATE] * 4, first=[LATE]) == []
    assert late(*[LATE] * 4, first=[*FIRST * 8, LATE, LATE]) == []
    assert late(*[LATE] * 4, first=[]) == []


def test_what_is_no_timer_is_no_delayed_acknowledgement():
    times = (0.039, 0.042, 0.06, 0.064)
    assert late(*[replace(LATE, rest_s=one) for one in times]) == []
    assert late(*[replace(LATE, rest_s=0.08)] * 4) == []


def test_a_large_response_may_take_as_long_to_arrive():
    assert late(*[replace(LATE, received_bytes=100_000)] * 4) == []
    assert late(*[replace(LATE, received_bytes=None)] * 4) == []


def test_a_server_that_acknowledges_and_then_answers_has_been_busy():
    assert late(*[replace(LATE_HEAD, acks_received=1)] * 4) == []
    assert late(*[replace(LATE_HEAD, received_packets=1)] * 4) == []


def test_what_the_delays_cost_is_the_sum_of_all_reused_responses():
    connection = opened(1, served=101)
    (finding,) = found(connection, first_responses=FIRST, kept_responses=[LATE] * 8)
    assert finding.seconds == pytest.approx(100 * 0.0429)


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
    assert not verdict(opened(1), seconds_lost=0.5)
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
