"""What a program would gain, from its report and what a probe found: no sockets."""

from __future__ import annotations

from tests.probe.test_judge import idle, judge
from tests.reports import FIRST_USE, cause, host

from keptalive.probe.gain import gain_of, hosts_of
from keptalive.records.report import ConnectionReport, EndReport, Report

ORIGIN = "https://api.test:443"
SERVER = judge(*idle(1, 0.1, 60.1), *idle(2, 0.4, 60.4))


def ended(number, idle_s):
    return ConnectionReport(
        id=number,
        host=ORIGIN,
        via=None,
        process=1,
        thread=1,
        local_port=1,
        attempted_s=0.0,
        connected_s=0.1,
        ended_s=80.0,
        phases={},
        served=1,
        cause="first-use",
        end=EndReport(how="TLS close", idle_s=idle_s),
        where=None,
    )


def report_of(*causes, connections=(), **numbers):
    return Report(
        source="run",
        command=("sync.py",),
        hosts=(host(ORIGIN, *causes, FIRST_USE, **numbers),),
        connections=connections,
    )


def gain(report):
    return gain_of(SERVER, report, hosts_of(report, origin=ORIGIN, via=None))


def test_idle_timeouts_are_explained_with_what_would_keep_the_connection():
    report = report_of(
        cause("idle-timeout", 13),
        connections=tuple(ended(number, 71.0) for number in range(13)),
        phases={"ca_bundle": 0.35},
    )
    found = gain(report)
    assert (found.opened, found.by_cause, found.errors) == (14, {"idle-timeout": 13}, 0)
    assert found.seconds == 0.35 * 13 / 14
    assert found.said == (
        "sync.py opened 14 connections here; this server explains 13 × idle-timeout.",
        "With tuned_session() it would save 325 ms.",
        (
            "Its connections were idle for 1 min 11 s before; the server closes after 1 min. "
            "A request at least every 58.0 s would keep one open: 13 connections fewer."
        ),
    )


def test_closes_under_a_request_are_what_it_would_not_meet():
    found = gain(report_of(cause("stale-connection", 2), seconds_lost=1.5))
    assert (found.errors, found.seconds) == (2, 1.5)
    assert found.said[1:] == (
        "With tuned_session() it would save 1.5 s.",
        "It met 2 closes under a request. With tuned_session() no request fails by that.",
    )


def test_nothing_is_said_of_savings_where_there_are_none():
    assert gain(report_of(cause("idle-timeout", 2))).said == (
        "sync.py opened 3 connections here; this server explains 2 × idle-timeout.",
    )


def test_what_the_program_does_itself_is_not_put_on_the_server():
    found = gain(report_of(cause("new-session", 9)))
    assert (found.by_cause, found.opened) == ({}, 10)
    assert found.said[0].endswith(
        "none of them because of what this server does: the report says why."
    )


def test_of_a_log_a_set_of_causes_counts():
    dropped = cause("dropped", 4, None, members=("idle-timeout", "server-closed"))
    assert gain(report_of(dropped)).by_cause == {"dropped": 4}


def test_the_routes_are_the_servers_own_and_its_forward_proxys():
    proxy = host("http://proxy.test:3128", FIRST_USE, origins=(ORIGIN,))
    other = host("https://other.test:443", FIRST_USE)
    report = Report(source="run", hosts=(host(ORIGIN, FIRST_USE), proxy, other))
    assert hosts_of(report, origin=ORIGIN, via=None) == [report.hosts[0]]
    assert hosts_of(report, origin=ORIGIN, via="http://proxy.test:3128") == [*report.hosts[:2]]
