"""Requests that failed on connections, from bare records: race, silent drop, or neither."""

from __future__ import annotations

from typing import Any

import pytest
from tests.causes.records import causes, host_of, opened, process, reported

from keptalive.causes.judge import nothing_to_change
from keptalive.records.connection import CloseReason, Connection

CLOSED = {"error": "RemoteDisconnected", "beneath": "RemoteDisconnected"}
LATE = {"error": "ReadTimeoutError", "beneath": "TimeoutError"}


def failed(number: int, kind: dict[str, Any], idle_s: float | None, **more: Any) -> Connection:
    """A connection that ended under a request, after so many seconds without one."""
    own = {
        name: more.pop(name) for name in ("served", "longest_idle_s", "replaces") if name in more
    }
    given = {"method": "GET", "lost_s": 0.5, "sent_again": False, "idle_s": idle_s, **kind, **more}
    replaces = {"replaces": number - 1} if number > 1 else {}
    return opened(
        number,
        how=CloseReason.FAILED,
        end=given,
        **{"ended_s": number + 0.9, **replaces, **own},
    )


def then(*connections: Connection) -> list[Connection]:
    """These, and the one that replaces the last."""
    return [*connections, opened(len(connections) + 1, replaces=len(connections))]


# -- The race


@pytest.mark.parametrize(
    "beneath", ["RemoteDisconnected", "ConnectionResetError", "BrokenPipeError", "SSLEOFError"]
)
def test_an_end_under_a_request_after_a_long_idle_time_is_the_race(beneath):
    assert causes(*then(failed(1, {"beneath": beneath}, 5.0)))[1:] == ["stale-connection"]


def test_an_end_that_came_without_an_acknowledgement_is_a_silent_drop_and_no_race():
    found = causes(*then(failed(1, {**CLOSED, "acknowledged": False}, 5.0)))
    assert found[1:] == ["silent-drop"]


def test_another_error_after_a_long_idle_time_is_no_race():
    assert causes(*then(failed(1, {"beneath": "SSLCertVerificationError"}, 5.0)))[1:] == [
        "failed-request"
    ]


def test_an_error_after_the_head_had_come_is_no_race():
    broken = failed(1, CLOSED, 5.0, lost_s=None, answered=True)
    assert causes(*then(broken))[1:] == ["failed-request"]


def test_an_end_of_a_connection_that_was_not_idle_is_no_race():
    assert causes(*then(failed(1, CLOSED, 0.1)))[1:] == ["failed-request"]
    assert causes(*then(failed(1, CLOSED, None)))[1:] == ["failed-request"]


def test_one_end_after_what_others_survived_is_no_race_but_several_are():
    one = failed(1, CLOSED, 60.0, longest_idle_s=60.0, served=5)
    assert causes(*then(one))[1:] == ["failed-request"]
    two = failed(2, CLOSED, 60.0, longest_idle_s=60.05, served=7)
    assert causes(*then(one, two))[1:] == ["stale-connection"] * 2


def test_an_end_after_less_than_others_survived_is_no_race_unless_servers_differ():
    failures = [failed(1, CLOSED, 6.0), failed(2, CLOSED, 7.0, served=2)]
    assert causes(*then(*failures), longest_survived_s=60.0)[1:] == ["failed-request"] * 2
    found_closed = opened(1, how=CloseReason.FIN, end={"idle_s": 6.5})
    assert causes(*then(found_closed, failed(2, CLOSED, 7.0)), longest_survived_s=60.0)[1:] == [
        "idle-timeout",
        "stale-connection",
    ]


def test_ends_after_the_same_number_of_responses_are_a_limit_unless_others_served_more():
    at_once = [failed(number, CLOSED, 0.0, served=3) for number in (1, 2)]
    assert causes(*then(*at_once))[1:] == ["stale-connection"] * 2
    assert causes(*then(*at_once), most_served=9)[1:] == ["failed-request"] * 2


def test_new_connections_that_fail_alike_speak_against_the_race_if_they_are_not_few():
    kept = [failed(number, CLOSED, 5.0) for number in range(1, 11)]
    fresh = failed(11, CLOSED, None, served=0)
    found = causes(*then(*kept, fresh))
    assert found.count("stale-connection") == 10
    host = host_of(*then(*kept, fresh))
    [stale] = [cause for cause in host.causes if cause.cause == "stale-connection"]
    assert "So did 1 new connection." in stale.evidence
    assert "stale-connection" not in causes(*then(*kept[:1], failed(2, CLOSED, None, served=0)))


def test_the_race_is_judged_over_all_processes():
    several = [process(*then(failed(1, CLOSED, 60.0)), number=number) for number in (1, 2)]
    survivor = process(opened(1, longest_idle_s=60.02), number=3)
    found = [one.cause for one in reported(*several, survivor).connections]
    assert found.count("stale-connection") == 2
    assert "stale-connection" not in [
        one.cause for one in reported(several[0], survivor).connections
    ]


# -- The path that forgets


def dropped(number: int, idle_s: float, **more: Any) -> Connection:
    return failed(number, LATE, idle_s, **more)


def test_timeouts_after_more_than_what_was_survived_are_a_likely_drop_if_they_are_several():
    assert causes(*then(dropped(1, 60.0)))[1:] == ["failed-request"]
    both = then(dropped(1, 60.0, longest_idle_s=3.0), dropped(2, 61.0, acknowledged=True))
    assert causes(*both)[1:] == ["silent-drop"] * 2
    cause = host_of(*both).causes[0]
    assert (cause.facts["likely"], cause.facts["survived_s"]) == (2, 3.0)
    assert 3.0 < cause.facts["max_idle_s"] < 60.0
    assert cause.facts["seconds_lost"] == 1.0
    assert "Time lost: 1.0 s." in cause.evidence


def test_timeouts_after_what_others_survived_are_no_drop():
    both = then(dropped(1, 60.0), dropped(2, 61.0))
    assert causes(*both, longest_survived_s=60.95)[1:] == ["failed-request"] * 2


def test_timeouts_of_what_was_used_sooner_or_is_new_speak_against_a_drop():
    both = [dropped(1, 60.0), dropped(2, 61.0)]
    assert "silent-drop" not in causes(*then(*both, dropped(3, 0.2)))
    assert "silent-drop" not in causes(*then(*both, failed(3, LATE, None, served=0)))


def test_one_timeout_is_proof_if_nothing_was_acknowledged():
    assert causes(*then(dropped(1, 60.0, acknowledged=False)))[1:] == ["silent-drop"]
    # whatever another one survived, and whatever the error
    unheard = failed(1, {"beneath": "KeyboardInterrupt"}, 60.0, acknowledged=False)
    assert causes(*then(unheard), longest_survived_s=90.0)[1:] == ["silent-drop"]
    cause = host_of(*then(unheard), longest_survived_s=90.0).causes[0]
    assert "max_idle_s" not in cause.facts
    assert "Others survived up to 90.0 s idle." in cause.evidence


def test_nothing_acknowledged_on_a_connection_in_use_is_no_drop():
    assert causes(*then(dropped(1, 0.1, acknowledged=False)))[1:] == ["failed-request"]


def test_an_outage_is_no_drop():
    unheard = dropped(1, 60.0, acknowledged=False)
    refused = opened(
        2,
        replaces=1,
        served=0,
        connected_s=None,
        how=CloseReason.FAILED,
        end={"error": "ConnectTimeoutError", "beneath": "TimeoutError", "lost_s": 1.0},
    )
    again = opened(3, replaces=1)
    assert causes(unheard, refused, again) == ["first-use", None, "failed-request"]
    evidence = host_of(unheard, refused, again).causes[0].evidence
    assert "Nobody acknowledged 1 request." in evidence


def test_a_connection_that_was_found_dead_before_use_is_a_drop_without_a_failure():
    host = host_of(*then(opened(1, how=CloseReason.SILENT, end={"idle_s": 300.0})))
    assert host.causes[0].cause == "silent-drop"
    assert host.causes[0].evidence == (
        "Idle 300 s before each. TCP keepalive probes got no answer (1)."
    )


# -- What follows


def test_there_is_something_to_change_where_a_request_failed_whatever_it_cost():
    for kind in (CLOSED, LATE):
        report = reported(process(*then(failed(1, kind, 5.0, lost_s=0.0))))
        assert not nothing_to_change(report.hosts[0], report.findings)


def test_a_failure_that_nothing_followed_is_a_finding_and_is_told_once():
    report = reported(process(failed(1, CLOSED, 5.0, method="POST")))
    [finding] = report.findings
    assert finding.finding == "stale-connection"
    assert finding.evidence.startswith("1 request failed on a kept connection, and nothing foll")
    assert "POST (1)" in finding.evidence
    assert not nothing_to_change(report.hosts[0], report.findings)
    two = reported(process(failed(1, CLOSED, 5.0), failed(2, CLOSED, 5.0)))
    [finding] = two.findings
    assert finding.evidence.startswith("1 more request failed on a kept connection,")
    assert finding.cure == ""


def test_retries_that_a_cause_explains_are_no_silent_retries_too():
    hidden = then(failed(1, CLOSED, 5.0, sent_again=True))
    assert reported(process(*hidden, retried=1)).findings == ()
    [more] = reported(process(*hidden, retried=3, retried_statuses={"503": 2})).findings
    assert (more.facts["retried"], more.facts["statuses"]) == (2, {"503": 2})
    assert "2 more failures" in more.evidence
