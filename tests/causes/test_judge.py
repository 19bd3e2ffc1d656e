"""The report: one time line, one row of numbers, and counts that add up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.causes.records import HOST, STARTED_NS, host_of, opened, process, reported
from tests.invariants import check

from keptalive.causes.judge import report
from keptalive.records import process as process_module
from keptalive.records.connection import CloseReason, Connection, Exchange, OpeningFacts
from keptalive.records.counts import HostCounts
from keptalive.records.process import ProcessRecord
from keptalive.records.report import ExchangeColumns, Range, Report, Spread


def later(record: ProcessRecord, by_s: float, **values: Any) -> ProcessRecord:
    """The same record of a process that began so many seconds later."""
    return replace(record, started_ns=record.started_ns + round(by_s * 1e9), **values)


def sent(connection: int, started_s: float, **values: Any) -> Exchange:
    return Exchange(
        **{
            "connection": connection,
            "thread": 1,
            "started_s": started_s,
            "head_s": started_s + 0.1,
            **values,
        }
    )


# -- One time line


def test_times_are_seconds_since_the_first_process_began():
    first = later(process(opened(1)), 10.0, seconds=5.0)
    found = reported(first, process(opened(1), number=2))
    assert [(one.process, one.attempted_s) for one in found.connections] == [(2, 1.0), (1, 11.0)]
    assert found.connections[1].connected_s == pytest.approx(11.1)
    assert (found.started_at, found.seconds) == ("2027-01-15T08:00:00.000+00:00", 100.0)
    assert reported(first, process(number=2)).seconds == 100.0
    assert reported(later(first, 100.0), process(number=2)).seconds == 115.0


def test_connections_are_numbered_over_all_processes_in_the_order_of_their_attempts():
    several = [process(opened(7), opened(9)), later(process(opened(7), number=2), 1.0)]
    found = reported(*several).connections
    assert [(one.id, one.process, one.attempted_s) for one in found] == [
        (1, 1, 7.0),
        (2, 2, 8.0),
        (3, 1, 9.0),
    ]


def test_two_records_of_the_same_process_number_are_two_processes():
    # as of a program that has replaced itself (exec), or of a number that was used again
    found = reported(process(opened(1)), later(process(opened(1)), 50.0))
    check(found)
    assert [one.cause for one in found.connections] == ["first-use", "first-use"]


def test_a_predecessor_is_one_of_the_same_process():
    ended = opened(1, how=CloseReason.RST)
    others = process(opened(1, how=CloseReason.CLOSE_ANNOUNCED), opened(2, replaces=1), number=2)
    found = reported(process(ended, opened(2, replaces=1)), later(others, 0.5))
    assert [(one.process, one.cause) for one in found.connections] == [
        (1, "first-use"),
        (2, "first-use"),
        (1, "server-reset"),
        (2, "close-announced"),
    ]


# -- Routes


def test_a_tunnel_is_another_route_than_the_host_itself():
    tunnel = replace(opened(2, pool_is_new=True), via="http://proxy:3128")
    record = process(opened(1), tunnel)
    counts = tuple(
        HostCounts(host=HOST, via=via, requests=1, opened=1, most_at_once=1)
        for via in (None, "http://proxy:3128")
    )
    found = reported(replace(record, hosts=counts))
    check(found)
    assert [(host.via, host.causes[0].cause) for host in found.hosts] == [
        (None, "first-use"),
        ("http://proxy:3128", "first-use"),
    ]


def test_the_most_expensive_route_comes_first():
    counts = tuple(
        HostCounts(host=f"http://{name}:80", reused=1, opened=0, seconds_opening=seconds)
        for name, seconds in (("a", 1.0), ("b", 3.0), ("c", 1.0))
    )
    found = reported(replace(process(), hosts=counts))
    assert [host.host[7] for host in found.hosts] == ["b", "a", "c"]


def test_a_route_that_opened_nothing_needs_no_connection():
    host = host_of(opened=0, reused=5, most_at_once=2)
    assert (host.perfect, host.seconds_saved, host.causes) == (Range(least=0, most=0), 0.0, ())


# -- Perfect reuse and what it saves


@pytest.mark.parametrize(
    ("opened_", "most_at_once", "perfect"),
    [([5], [2], 2), ([5], [0], 1), ([2], [9], 2), ([5, 5], [2, 3], 5), ([1, 9], [4, 1], 2)],
)
def test_perfect_reuse_is_that_of_each_process(opened_, most_at_once, perfect):
    several = [
        process(opened=number, opened_unanswered=0, unanswered=0, most_at_once=most)
        for number, most in zip(opened_, most_at_once, strict=True)
    ]
    found = reported(*several)
    check(found)
    assert found.hosts[0].perfect == Range(least=perfect, most=perfect)


def test_of_an_unknown_count_nothing_is_said():
    host = host_of(opened(1), most_at_once=None)
    assert (host.perfect, host.seconds_saved) == (None, None)


def test_saved_is_what_the_avoidable_connections_took():
    waste = [opened(n, owner=n, pool_is_new=True) for n in range(1, 5)]
    host = host_of(*waste)
    assert host.seconds_saved == pytest.approx(0.3)
    assert host.seconds_opening == pytest.approx(0.4)


def test_saved_is_in_proportion_where_not_all_avoidable_ones_could_be_saved():
    # two Sessions, one after the other; later both are used at once
    host = host_of(opened(1), opened(2, owner=2, pool_is_new=True), most_at_once=2)
    assert [cause.cause for cause in host.causes] == ["new-session", "first-use"]
    assert host.seconds_saved == 0.0
    waste = [opened(n, owner=n, pool_is_new=True) for n in range(1, 5)]
    assert host_of(*waste, most_at_once=3).seconds_saved == pytest.approx(0.1)


def test_what_was_never_answered_is_not_saved():
    first = opened(1, how=CloseReason.FIN, end={"idle_s": 60.0})
    again = opened(2, replaces=1, served=0, how=CloseReason.FAILED)
    host = host_of(first, again, opened(3, replaces=1))
    assert [(c.cause, c.count, c.unanswered) for c in host.causes] == [
        ("idle-timeout", 1, 1),
        ("first-use", 1, 0),
    ]
    assert host.causes[0].seconds == pytest.approx(0.2)
    assert host.seconds_saved == pytest.approx(0.1)


# -- Causes


def test_causes_come_by_what_they_cost_and_unavoidable_ones_last():
    waste = [opened(n, owner=n, pool_is_new=True) for n in range(2, 4)]
    retry = replace(opened(4, retry=True), phases={"tls": 9.0})
    host = host_of(replace(opened(1), phases={"dns": 99.0}), *waste, retry)
    assert [cause.cause for cause in host.causes] == ["retry", "new-session", "first-use"]
    assert [cause.connections for cause in host.causes] == [(4,), (2, 3), (1,)]
    assert all(cause.cure for cause in host.causes)


def test_causes_stand_without_a_cure_where_nothing_is_to_be_saved():
    host = host_of(opened(1), opened(2, owner=2, pool_is_new=True), most_at_once=2)
    assert [(cause.cause, cause.cure) for cause in host.causes] == [
        ("new-session", ""),
        ("first-use", ""),
    ]


def test_what_connections_served_and_how_long_they_lived_is_told():
    first = opened(1, served=3, ended_s=11.0, how=CloseReason.FIN)
    host = host_of(first, opened(2, served=1), opened(3, served=0))
    assert host.requests_per_connection == Spread(median=2.0, most=3.0)
    assert host.connection_lifetime_s == Spread(median=(10.0 + 98.0) / 2, most=98.0)


# -- Bounds


def test_what_was_not_recorded_is_counted_as_unknown():
    host = host_of(
        opened(1), opened=4, opened_unanswered=2, unanswered=2, requests=4, seconds_opening=0.7
    )
    (unknown, first) = host.causes
    assert (unknown.cause, unknown.count, unknown.unanswered) == ("unknown", 3, 2)
    assert unknown.seconds == pytest.approx(0.6)
    assert unknown.facts == {"not_recorded": 5}
    assert unknown.evidence == "5 of them were counted, but not recorded one by one."
    assert (first.cause, first.count) == ("first-use", 1)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that lists three connections and two requests at most."""
    monkeypatch.setattr("keptalive.causes.judge.CONNECTIONS_KEPT", 3)
    monkeypatch.setattr("keptalive.causes.merging.EXCHANGES_KEPT", 2)


@pytest.mark.usefixtures("few")
def test_connections_beyond_the_bound_are_counted_and_not_listed():
    several = [process(*(opened(n) for n in (1, 2, 3)), number=number) for number in (1, 2)]
    found = reported(replace(several[0], connections_missing=5), several[1])
    assert [one.id for one in found.connections] == [1, 2, 3]
    (host,) = found.hosts
    assert sum(cause.count for cause in host.causes) == host.opened == 6
    assert sorted(id_ for cause in host.causes for id_ in cause.connections) == [1, 2, 3]
    assert found.warnings == ("8 connections are counted but not listed: there were too many.",)


@pytest.mark.usefixtures("few")
def test_requests_beyond_the_bound_are_missing_from_the_timeline():
    record = process(opened(1, served=3))
    exchanges = tuple(sent(1, start) for start in (1.0, 2.0, 3.0))
    found = reported(replace(record, exchanges=exchanges, exchanges_missing=4))
    assert found.exchanges is not None
    assert found.exchanges.started_s == (1.0, 2.0)
    assert found.warnings == ("5 requests are missing from the timeline: there were too many.",)


def test_a_report_lists_twenty_thousand_connections():
    assert process_module.CONNECTIONS_KEPT == 20_000
    many = tuple(opened(1 + n) for n in range(20_001))
    found = reported(process(*many))
    assert len(found.connections) == 20_000
    check(found)


# -- The timeline


def test_a_timeline_is_there_only_if_one_was_recorded():
    assert reported(process(opened(1))).exchanges is None
    assert reported(replace(process(opened(1)), exchanges=())).exchanges == ExchangeColumns(
        **dict.fromkeys(ExchangeColumns.__slots__, ())
    )


def test_requests_of_all_processes_stand_in_the_order_of_their_start():
    first = replace(
        process(opened(5, served=2)),
        exchanges=(
            sent(5, 6.0, status=200, where="a.py:1", released_s=6.5),
            sent(5, 5.0, path="/x", head_s=None, where="a.py:1"),
        ),
    )
    second = replace(process(opened(5), number=2), exchanges=(sent(5, 5.0, where="b.py:2"),))
    found = reported(first, later(second, 0.25))
    check(found)
    assert found.exchanges == ExchangeColumns(
        connection=(1, 2, 1),
        started_s=(5.0, 5.25, 6.0),
        head_s=(None, pytest.approx(5.35), 6.1),
        released_s=(None, None, 6.5),
        method=("GET", "GET", "GET"),
        path=("/x", "/", "/"),
        status=(None, None, 200),
        thread=(1, 1, 1),
        where=(0, 1, 0),
    )
    assert found.places == ("a.py:1", "b.py:2")


def test_requests_on_connections_that_were_not_recorded_are_missing_from_the_timeline():
    record = replace(process(opened(1)), exchanges=(sent(1, 1.0), sent(99, 2.0)))
    found = reported(record)
    assert found.exchanges is not None
    assert found.exchanges.connection == (1,)
    assert found.warnings == ("1 request is missing from the timeline: there were too many.",)


# -- All the rest


def test_what_several_processes_say_stands_once():
    several = [
        later(
            process(number=number),
            0.0,
            left_open=number,
            left_at=("a.py:1", f"b.py:{number}"),
            warnings=("One.", "Two. (2 times)"),
        )
        for number in (1, 2)
    ]
    found = report(several, source="run", command=["x.py"], warnings=["One.", "Three."])
    assert found.warnings == ("One. (3 times)", "Two. (4 times)", "Three.")
    assert found.left_at == ("a.py:1", "b.py:1", "b.py:2")
    assert found.left_each == (2, 1, 1)
    assert (found.left_open, found.command, found.source) == (3, ("x.py",), "run")


def test_a_connection_is_listed_with_its_end_and_its_place():
    closed = opened(
        1,
        how=CloseReason.FAILED,
        end={"error": "ReadTimeout", "idle_s": 2.0},
        ended_s=9.0,
        request_location="a.py:7",
    )
    (one,) = reported(process(closed)).connections
    assert one.end is not None
    assert (one.end.how, one.end.error, one.end.idle_s) == ("failed", "ReadTimeout", 2.0)
    assert (one.where, one.ended_s, one.served) == ("a.py:7", 9.0, 1)


def test_a_report_without_any_process_is_empty():
    assert report([], source="run") == Report(source="run", seconds=0.0, left_open=0)


def test_a_connection_of_a_route_without_counts_makes_no_report_fail():
    stray = Connection(
        id=1,
        process=1,
        thread=1,
        host="http://stray:80",
        connected_s=0.1,
        served=1,
        facts=OpeningFacts(pool_is_new=True),
    )
    record = ProcessRecord(process=1, started_ns=STARTED_NS, seconds=1.0, connections=(stray,))
    found = reported(record)
    assert (found.hosts, [one.cause for one in found.connections]) == ((), ["first-use"])
