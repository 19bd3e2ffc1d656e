"""Events to verdicts: lists of what was seen, and what they must be taken for. No sockets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.probe.conftest import names

from keptalive.probe.advice import announced_max, announced_timeout
from keptalive.probe.catalogue import FINDINGS
from keptalive.probe.events import Answered, Ended, Failed, Failure, Loaded, Opened, Role, Seen
from keptalive.probe.judge import judged
from keptalive.records.connection import CloseReason
from keptalive.records.probe import Span

FIN, TLS_CLOSE, RST = CloseReason.FIN, CloseReason.TLS_CLOSE, CloseReason.RST
LOADED = Loaded(dns_s=0.004, ca_bundle_s=0.025)


def opened(number, at_s, role=Role.IDLE, tls=0.024, **more):
    phases = {"connect": 0.021, "tls": tls}
    return Opened(
        connection=number, at_s=at_s, role=role, address="192.0.2.1:443", phases=phases, **more
    )


def answered(number, at_s, **more):
    return Answered(connection=number, at_s=at_s, sent_s=at_s - 0.02, head_s=at_s, **more)


def failed(number, at_s, failure, sent_s=None):
    sent_s = at_s if sent_s is None else sent_s
    return Failed(connection=number, at_s=at_s, sent_s=sent_s, failure=failure)


def seen(number, at_s, what=FIN):
    return Seen(connection=number, at_s=at_s, what=what)


def idle(number, since_s, until_s=None, what=FIN):
    """A connection that gets one response, and is closed then."""
    events = [opened(number, since_s - 0.1), answered(number, since_s)]
    return events if until_s is None else [*events, seen(number, until_s, what)]


def series(number, times, *, last_keeps=True, closed_s=None, role=Role.SERIES):
    """A connection on which a response comes at each of these times."""
    events = [opened(number, times[0] - 0.05, role)]
    events += [answered(number, at_s) for at_s in times[:-1]]
    events.append(answered(number, times[-1], keeps=last_keeps))
    return events if closed_s is None else [*events, seen(number, closed_s)]


def judge(*events, at_s=130.0, why="done"):
    whole = [LOADED, *events, Ended(at_s=at_s, why=why)]
    report = judged(whole, url="https://api.test/")
    assert names(report) <= FINDINGS.keys()
    return report


def every(step, number, start=1.0):
    return [start + step * index for index in range(number)]


def found(report, name):
    (one,) = (finding for finding in report.findings if finding.finding == name)
    return one


# -- Idle connections -----------------------------------------------------------------------------


def test_the_idle_timeout_is_from_the_shortest_to_the_longest_close():
    report = judge(*idle(1, 0.1, 5.1), *idle(2, 0.4, 5.45), *idle(3, 0.8, 5.78))
    assert report.idle_timeout_s == Span(least=pytest.approx(4.98), most=pytest.approx(5.05))
    assert (report.closes_with, report.close_announced) == ("FIN", False)
    assert found(report, "idle-timeout").certainty == "certain"
    assert (report.advice.code, report.advice.max_idle_s) == ("tuned_session()", 4.8)
    assert report.advice.why == (
        "It learns when this server closes idle connections, so no request is lost to that. "
        "With another client, replace connections idle for more than 4.8 s."
    )
    assert "sweep" not in names(report)


def test_one_close_alone_is_only_likely():
    assert found(judge(*idle(1, 0.1, 5.1)), "idle-timeout").certainty == "likely"


def test_without_a_close_it_is_more_than_what_was_watched():
    report = judge(*idle(1, 1.0), *idle(2, 1.3), at_s=128.0, why="budget")
    assert (report.idle_timeout_s, report.idle_watched_s) == (None, 127.0)
    assert (report.closes_with, report.close_announced) == ("nothing seen", None)
    assert report.advice.max_idle_s == 124
    assert "longer was not tried" in report.advice.why


def test_a_request_at_the_end_shows_that_the_path_remembers_the_connection():
    report = judge(*idle(1, 1.0), answered(1, 128.02), at_s=128.1, why="budget")
    assert "after 2 min 7 s idle" in found(report, "idle-survived").evidence
    assert report.idle_watched_s == pytest.approx(127.0)


def test_connections_that_are_closed_together_show_a_server_that_sweeps():
    report = judge(*idle(1, 0.1, 6.0), *idle(2, 0.4, 6.0), *idle(3, 0.8, 6.01))
    assert found(report, "sweep").certainty == "likely"
    assert report.idle_timeout_s == Span(least=pytest.approx(5.21), most=pytest.approx(5.9))


@pytest.mark.parametrize(
    ("closed_s", "advised_s"),
    [
        (148.8, 111),  # waitress, 120 s: a quarter below the shortest
        (6.7, 4.0),  # lighttpd, 5 s: it closes up to 2 s later
        (3.6, 1.5),  # lighttpd, 2 s
    ],
)
def test_what_is_advised_for_a_server_that_sweeps_is_below_its_own_time(closed_s, advised_s):
    report = judge(*(event for n in (1, 2, 3) for event in idle(n, n * 0.3 - 0.2, closed_s)))
    assert "sweep" in names(report)
    assert report.advice.max_idle_s == advised_s


def test_servers_that_differ_are_reported_with_doubt():
    report = judge(*idle(1, 0.1, 5.1), *idle(2, 0.4), *idle(3, 0.8))
    assert found(report, "servers-differ").certainty == "unsure"
    assert report.idle_timeout_s.least == pytest.approx(5.0)


def test_the_shorter_of_what_is_announced_and_what_is_seen_is_advised():
    events = [opened(1, 0.1), answered(1, 0.2, keep_alive="timeout=5"), seen(1, 6.2)]
    report = judge(*events)
    assert report.advice.max_idle_s == 4.8
    assert found(report, "keep-alive-header").evidence == ("timeout=5, but it closes after 6.0 s.")


def test_a_close_right_after_the_first_response_is_no_idle_timeout():
    report = judge(*idle(1, 0.1, 0.101), *idle(2, 0.4, 0.402), *series(3, [1.0], closed_s=1.001))
    assert (report.idle_timeout_s, report.request_limit) == (None, 1)
    assert (report.keeps_connections, report.close_announced) == (False, False)
    assert "server-closed" in names(report)


def test_an_idle_timeout_shorter_than_the_pace_is_no_limit_of_requests():
    report = judge(*idle(1, 0.1, 0.12), *idle(2, 0.4, 0.42), *series(3, [1.0], closed_s=1.02))
    assert report.request_limit is None
    assert report.idle_timeout_s.least == pytest.approx(0.02)
    assert report.advice.max_idle_s == pytest.approx(0.01)


# -- How it closes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "closes_with"),
    [
        ([FIN], "FIN"),
        ([RST], "RST"),
        ([TLS_CLOSE], "TLS close"),
        ([TLS_CLOSE, FIN], "TLS close and FIN"),
        ([CloseReason.TIMEOUT_408, FIN], "408"),
        ([CloseReason.STRAY_BYTES, FIN], "FIN"),
    ],
)
def test_how_the_server_closes_is_what_its_socket_showed(shown, closes_with):
    events = [*idle(1, 0.1), *(seen(1, 5.1, what) for what in shown)]
    assert judge(*events).closes_with == closes_with


def test_a_tls_message_is_found_and_closes_nothing():
    report = judge(*idle(1, 0.1), seen(1, 0.2, CloseReason.TLS_MESSAGE), at_s=3.0)
    assert "tls-message" in names(report)
    assert report.closes_with == "nothing seen"


# -- Limits of requests ---------------------------------------------------------------------------


def test_a_limit_that_is_announced_and_confirmed_is_certain():
    first = series(1, every(0.05, 5), last_keeps=False, closed_s=1.21)
    second = series(2, every(0.1, 5, 2.0), last_keeps=False, closed_s=2.41)
    report = judge(*first, *second)
    assert (report.request_limit, report.close_announced) == (5, True)
    assert found(report, "request-limit").certainty == "certain"


def test_a_limit_of_100_is_certain_once_a_slower_series_has_lived_longer():
    first = series(1, every(0.05, 100), last_keeps=False)
    report = judge(*first, *series(2, every(0.1, 58, 10.0)))
    assert (report.request_limit, report.requests_tried) == (100, 100)
    assert found(report, "request-limit").certainty == "certain"


def test_a_limit_without_a_slower_series_is_only_likely():
    report = judge(*series(1, every(0.05, 60), last_keeps=False), at_s=4.0, why="interrupted")
    assert report.request_limit == 60
    assert found(report, "request-limit").certainty == "likely"


@pytest.mark.parametrize(("number", "certainty"), [(59, "certain"), (60, "certain"), (9, "likely")])
def test_a_limit_that_the_keep_alive_header_has_announced_is_certain(number, certainty):
    events = series(1, every(0.05, 60), last_keeps=False)
    events[1] = replace(events[1], keep_alive=f"timeout=5, max={number}")
    report = judge(*events, at_s=4.0)
    assert report.request_limit == 60
    assert found(report, "request-limit").certainty == certainty


def test_connections_that_end_at_one_age_show_no_limit_of_requests():
    first = series(1, every(0.05, 60), last_keeps=False)
    report = judge(*first, *series(2, every(0.1, 30, 10.0), last_keeps=False))
    assert report.request_limit is None
    assert "3.0 s old" in found(report, "age-limit").evidence
    assert "no-request-limit" not in names(report)


def test_a_limit_that_differs_between_connections_is_unsure():
    first = series(1, every(0.05, 9), closed_s=1.41)
    report = judge(*first, *series(2, every(0.1, 8, 3.0), closed_s=3.71))
    assert found(report, "request-limit").certainty == "unsure"
    assert "On others it was 8." in found(report, "request-limit").evidence


def test_a_server_that_closes_under_the_next_request_is_named_as_a_race():
    report = judge(*series(1, every(0.05, 3)), failed(1, 1.2, Failure.RESET), *idle(2, 2.0))
    assert report.request_limit == 3
    assert {"stale-connection", "request-limit"} <= names(report)


def test_a_body_that_is_cut_off_shows_no_limit():
    report = judge(*series(1, every(0.05, 3)), failed(1, 1.2, Failure.TRUNCATED), *idle(2, 2.0))
    assert report.request_limit is None
    assert "truncated-body" in names(report)
    assert "no-request-limit" not in names(report)


def test_the_number_in_the_header_is_compared_with_what_came():
    events = [opened(1, 0.1), answered(1, 0.2, keep_alive="timeout=5, max=5"), *idle(3, 0.3)]
    report = judge(*events, *series(2, every(0.05, 6), last_keeps=False))
    evidence = found(report, "keep-alive-header").evidence
    assert evidence == "max=5 in the first response, but 6 came."


@pytest.mark.parametrize(
    ("header", "timeout", "most"),
    [
        ("timeout=5, max=100", 5, 100),
        ("max=99,timeout=15", 15, 99),
        ("Timeout=2", 2, None),
        ('timeout="7"', 7, None),
        ("timeout=-1, max=x", None, None),
        ("xtimeout=3", None, None),
        (None, None, None),
    ],
)
def test_the_keep_alive_header_is_read(header, timeout, most):
    assert (announced_timeout(header), announced_max(header)) == (timeout, most)


# -- A path that forgets --------------------------------------------------------------------------


def rungs(failure, control):
    survived = [*series(1, [1.0, 62.2], role=Role.IDLE)]
    dropped = [*series(2, [1.4], role=Role.IDLE), failed(2, 256.0, failure, sent_s=246.2)]
    beside = series(3, [1.5, *control], role=Role.CONTROL)
    return [*survived, *dropped, *beside]


def test_a_silent_drop_is_likely_if_a_connection_in_use_went_on():
    report = judge(*rungs(Failure.SILENT, [100.0, 257.0]), at_s=260.0)
    assert found(report, "silent-drop").certainty == "likely"
    assert "4 min 5 s idle got no answer" in found(report, "silent-drop").evidence
    assert (report.advice.code, report.advice.max_idle_s) == ("tuned_session()", 61)
    assert "TCP keepalive probes every 45 s" in report.advice.why


def test_a_path_that_forgets_sooner_than_probes_come_needs_a_value():
    survived = [*series(1, [1.0, 22.2], role=Role.IDLE)]
    dropped = [*series(2, [1.4], role=Role.IDLE), failed(2, 51.0, Failure.SILENT, sent_s=41.0)]
    report = judge(*survived, *dropped, at_s=60.0)
    assert (report.advice.code, report.advice.max_idle_s) == ("tuned_session(max_idle=21.2)", 21.2)


def test_a_silent_drop_is_unsure_if_nothing_was_answered_any_more():
    report = judge(*rungs(Failure.RESET, [100.0]), at_s=260.0)
    assert found(report, "silent-drop").certainty == "unsure"


# -- The rest -------------------------------------------------------------------------------------


def test_what_a_connection_costs_is_the_median_and_without_resumed_sessions():
    report = judge(
        opened(1, 0.1), answered(1, 0.2), opened(2, 0.3, tls=0.003, resumed=True), answered(2, 0.4)
    )
    cost = report.opening_s
    assert (cost.dns, cost.connect, cost.tls, cost.ca_bundle) == (0.004, 0.021, 0.024, 0.025)
    assert report.resumes_tls is True


def test_a_server_that_keeps_nothing_gets_the_advice_that_still_saves():
    first = [opened(1, 0.1), answered(1, 0.2, keeps=False, connection_header="close"), seen(1, 0.2)]
    report = judge(*first)
    assert report.advice.code == "tuned_session()"
    assert "costs 49 ms instead of 74 ms" in report.advice.why
    assert (report.request_limit, report.close_announced) == (1, True)


def test_bytes_after_each_response_are_the_servers_to_mend():
    stray = CloseReason.STRAY_BYTES
    report = judge(*idle(1, 0.1), seen(1, 0.1, stray), *idle(2, 0.4), seen(2, 0.4, stray))
    assert report.advice.max_idle_s is None
    assert "Only the server" in report.advice.why


def test_a_probe_that_was_interrupted_at_once_claims_nothing():
    report = judge(*idle(1, 0.1), at_s=0.3, why="interrupted")
    assert (report.ended, report.idle_timeout_s) == ("interrupted", None)
    assert report.advice.max_idle_s is None
