"""Logs that show only a part: warnings only, openings only, responses only. Never a false 0."""

from __future__ import annotations

import pytest
from tests.logs.texts import (
    API,
    RESET,
    RESET_BY_PEER,
    at,
    cause,
    causes,
    counts,
    explained,
    finding,
    full,
    host_of,
    opening,
    response,
    retrying,
)

from keptalive.render.report_sentences import numbers
from keptalive.render.verdict import verdict

OLD = "requests.packages.urllib3.connectionpool"
_OBJECT = "<urllib3.connection.HTTPSConnection object at 0x7f>"
ERRORS = [
    (
        "ReadTimeoutError(\"HTTPSConnectionPool(host='api.example', port=443): Read timed out.\")",
        "ReadTimeoutError",
        API,
    ),
    (
        "NameResolutionError(\"HTTPSConnection(host='api.example', port=443): Failed to resolve\")",
        "NameResolutionError",
        API,
    ),
    (
        f"ConnectTimeoutError({_OBJECT}, 'Connection to api.example timed out. (timeout=15)')",
        "ConnectTimeoutError",
        "api.example",
    ),
    (
        f"NewConnectionError('{_OBJECT}: Failed to establish a new connection: [Errno 111] No')",
        "NewConnectionError",
        None,
    ),
    (
        "ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407 Login'))",
        "ProxyError",
        None,
    ),
    (
        "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] (_ssl.c:1000)'))",
        "SSLCertVerificationError",
        None,
    ),
]
UNKNOWN = (None,) * 6  # requests, attempts, connects, opened, reopened, reused


# -- Warnings only -------------------------------------------------------------------------------


def test_warnings_of_a_full_pool_say_how_large_it_is_to_be_at_least():
    lines = [
        f"2026-03-04 09:{minute}:58.{number:03} WARNING (SyncWorker_{number}) "
        f"[urllib3.connectionpool] {full()}"
        for minute in (21, 36)
        for number in range(12)
    ]
    found = explained(lines)
    host = host_of(found, "api.example")
    assert (host.discarded, host.pool_size, counts(found, "api.example")) == (24, 10, UNKNOWN)
    assert verdict(found) == "A pool is too small: 24 connections discarded."
    small = finding(found, "pool-too-small")
    assert small.evidence == (
        '"Connection pool is full": 24 times. At least 11 connections were in use at once; '
        "12 threads are named."
    )
    assert small.cure == (
        "HTTPAdapter(pool_maxsize=N) or tuned_session(threads=N), N the number of threads that "
        "share the Session: at least 12."
    )
    (warning,) = found.warnings
    assert warning.startswith("This log has warnings of urllib3's only")
    assert 'logging.getLogger("urllib3").setLevel(logging.DEBUG)' in warning


@pytest.mark.parametrize(
    ("line", "at_once"),
    [
        (full(), 11),
        (full(size=None), None),
        (f"WARNING:{OLD}:HttpConnectionPool is full, discarding connection: api.example", None),
        (f"WARNING:botocore.vendored.{OLD}:{full(size=50)}", 51),
        (f"WARNING:pip._vendor.urllib3.connectionpool:{full()}", 11),
        ('{"level": "warning", "message": "' + full() + '"}', 11),
    ],
    ids=["the default format", "no size", "an old urllib3", "botocore", "pip", "JSON"],
)
def test_a_warning_of_a_full_pool_is_read_whoever_logs_it(line, at_once):
    found = explained([line] * 3)
    facts = finding(found, "pool-too-small").facts
    assert (facts["discarded"], facts["most_at_once_least"], facts["threads"]) == (3, at_once, None)
    assert verdict(found) == "A pool is too small: 3 connections discarded."


def test_a_container_called_worker_1_is_no_thread():
    line = f"worker_1  | WARNING:urllib3.connectionpool:{full()}"
    assert finding(explained([line]), "pool-too-small").facts["threads"] is None


def test_retries_of_a_host_that_no_line_names_are_reported_by_their_errors():
    lines = [
        at(second, retrying(RESET_BY_PEER, left=left), level="WARNING")
        for second in (0, 30, 60, 90)
        for left in (2, 1, 0)
    ]
    found = explained(lines)
    assert (found.hosts, verdict(found)) == ((), "12 tries failed; this log shows nothing else.")
    failed = finding(found, "failed-tries")
    assert failed.evidence == (
        "12 tries failed and were repeated: 12 × ConnectionResetError. Requested: /v1/a (12). "
        "For 4 requests no retry was left; how it ended is not shown."
    )
    assert failed.facts["on_new_connections"] is None


@pytest.mark.parametrize(("error", "name", "host"), ERRORS, ids=[one[1] for one in ERRORS])
def test_an_error_counts_for_the_host_that_it_names(error, name, host):
    found = explained([f"WARNING:urllib3.connectionpool:{retrying(error)}"] * 2)
    failed = finding(found, "failed-tries")
    assert (failed.host, failed.facts["errors"]) == (host, {name: 2})
    assert failed.cure != "Find out why they failed."
    assert [one.host for one in found.hosts] == ([host] if host else [])
    assert verdict(found) == "2 tries failed; this log shows nothing else."
    if host:
        assert numbers(found.hosts[0]) == f"2 tries failed ({name})"
        assert counts(found, host) == UNKNOWN


def test_a_retry_of_an_old_urllib3_is_read():
    line = "Retrying (2 attempts remain) after connection broken by 'timeout('timed out',)': /a"
    assert finding(explained([line]), "failed-tries").facts["errors"] == {"timeout": 1}


def test_of_what_is_requested_again_no_query_and_no_login_is_kept():
    for path in ("/v1/a?token=s3cret", "http://me:s3cret@api.example/v1/a#s3cret"):
        failed = finding(explained([retrying(RESET_BY_PEER, path)]), "failed-tries")
        assert "s3cret" not in repr(failed)
        assert "/v1/a (1)" in failed.evidence


def test_paths_are_bounded():
    lines = [retrying(RESET_BY_PEER, f"/{number}/{'x' * 500}") for number in range(1000)]
    failed = finding(explained(lines), "failed-tries")
    assert len(failed.facts["paths"]) < 100
    assert len(failed.evidence) < 1000
    assert failed.facts["errors"] == {"ConnectionResetError": 1000}


def test_a_full_pool_and_failed_tries_have_one_verdict():
    lines = [at(0, full(), thread=f"Thread-{number}") for number in range(14)]
    found = explained([*lines, at(1, retrying(RESET_BY_PEER))])
    assert verdict(found) == "A pool is too small: 14 connections discarded; 1 try failed."


def test_a_warning_is_not_of_the_port_that_only_an_error_names():
    lines = [full("127.0.0.1", 2), retrying(ERRORS[0][0].replace("api.example", "127.0.0.1"))]
    found = explained(lines)
    assert {host.host: host.discarded for host in found.hosts} == {
        "127.0.0.1": 1,
        "https://127.0.0.1:443": None,
    }


def test_lines_of_urllib3_that_say_nothing_of_connections_are_not_called_none():
    found = explained(["DEBUG:urllib3.connectionpool:Redirecting https://a/x -> https://a/y"] * 2)
    assert verdict(found) == "This log shows no connection and no request."
    (warning,) = found.warnings
    assert warning.startswith("No line of this log is about a connection, a response or an error.")


def test_beside_a_full_pool_nothing_to_change_is_never_said():
    lines = [at(0, response(), thread=f"Thread-{number}") for number in range(3)]
    found = explained([at(0, opening(1)), at(0, response()), *lines, at(1, full())])
    assert (host_of(found).opened, host_of(found).perfect.most) == (1, 1)
    assert verdict(found) == (
        "Connections are reused as they should be; see the other finding below."
    )


# -- Openings only -------------------------------------------------------------------------------


def test_openings_without_responses_are_begun_and_nothing_is_known_to_have_failed():
    old = {"level": "INFO", "logger": OLD, "thread": "[29599:MusicBackend-12]"}
    seconds = (122, 277, 836, 1076, 1327, 1542, 1941)
    lines = [at(0, opening(1, "api.example"), **old), *(at(s, RESET, **old) for s in seconds)]
    found = explained(lines)
    host = host_of(found)
    assert (host.begun, counts(found), host.perfect) == (8, UNKNOWN, None)
    assert verdict(found) == "8 openings begun; this log has no responses."
    assert numbers(host) == "8 openings begun"
    assert causes(found) == {"dropped": 7, "first-use": 1}
    assert cause(found, "dropped").evidence == (
        "One was idle for at most 122.0 s: the time between two openings."
    )
    assert 'logging.getLogger("requests.packages.urllib3")' in found.warnings[0]
    assert found.findings == ()


def test_ordinals_in_turn_are_of_one_pool_whose_connections_did_not_come_back():
    lines = [
        f"2026-03-04 09:22:{n - 403:02},158 INFO {OLD}:191  {opening(n, '10.1.2.3', 'HTTP')}"
        for n in range(403, 423)
    ]
    found = explained(lines)
    name = "http://10.1.2.3:80"
    assert (host_of(found, name).begun, causes(found, name)) == (20, {"no-free-connection": 20})
    busy = cause(found, "no-free-connection")
    assert busy.evidence == (
        "Numbered 403 to 422 in turn: one pool, whose connections never came back, or were all "
        "busy; 402 were opened before this log begins."
    )
    assert busy.facts["ordinals"] == {"least": 403, "most": 422}
    assert verdict(found) == "20 openings begun; this log has no responses."


def test_openings_of_empty_pools_without_responses_are_told_by_their_hosts():
    lines = [*[opening(1)] * 4, *[opening(1, "b.example:443")] * 2]
    found = explained(lines)
    assert causes(found) == {"first-use": 1, "new-pool-or-process": 3}
    assert causes(found, "https://b.example:443") == {"first-use": 1, "new-pool-or-process": 1}
    assert verdict(found) == "6 openings begun; this log has no responses."


def test_dropped_connections_of_a_log_that_begins_later_have_no_idle_time():
    found = explained([at(60 * number, RESET) for number in range(5)])
    assert causes(found, "api.example") == {"dropped": 5}
    assert cause(found, "dropped").evidence == ""


def test_where_one_logger_has_responses_the_openings_of_another_have_not_failed():
    lines = [at(n, opening(1, "old.example"), level="INFO", logger=OLD) for n in range(3)]
    found = explained([*lines, at(9, opening(1)), at(10, response())])
    assert (host_of(found, "https://old.example:443").begun, host_of(found).opened) == (3, 1)
    assert verdict(found) == "3 openings begun; this log has no responses."


def test_where_a_logger_has_responses_its_openings_without_one_have_failed():
    lines = [at(n, opening(1, "down.example:443")) for n in range(3)]
    found = explained([*lines, at(9, opening(1)), at(10, response())])
    assert counts(found, "https://down.example:443") == (3, 3, 3, 0, 0, 0)


def test_openings_and_warnings_of_a_full_pool_are_read_together():
    lines = [at(n, opening(n), thread=f"Thread-{n}", level="INFO") for n in range(1, 16)]
    lines += [at(20, full(size=None), thread=f"Thread-{n}", level="WARNING") for n in range(1, 6)]
    found = explained(lines)
    assert (host_of(found).begun, host_of(found).discarded) == (15, 5)
    assert causes(found) == {"full-pool": 14, "first-use": 1}
    assert cause(found, "full-pool").cure.endswith("share the Session: at least 15.")


# -- Responses only ------------------------------------------------------------------------------


def test_a_client_that_logs_no_openings_has_not_opened_none():
    none = "http://localhost:None"
    found = explained([at(n, response(none, f"/c{n}/json")) for n in range(61)])
    name = "http://localhost"  # it names no port
    host = host_of(found, name)
    assert counts(found, name) == (61, 61, None, None, None, None)
    assert (host.unanswered, host.perfect, host.causes) == (0, None, ())
    assert numbers(host) == "61 requests, openings not in this log"
    assert verdict(found) == "The openings of connections to http://localhost are not in this log."
    assert finding(found, "no-openings-logged").evidence == (
        "No line says how connections to http://localhost were opened: this client logs no "
        "openings, as docker's does, or the log begins later."
    )


def test_a_log_that_begins_later_than_its_connections_says_either():
    found = explained([at(n, response()) for n in range(20)])
    assert counts(found) == (20, 20, None, None, None, None)
    assert finding(found, "no-openings-logged").evidence == (
        f"No line says how connections to {API} were opened: they were opened before this log "
        "begins, or this client logs no openings (it has a connection class of its own)."
    )


def test_a_host_with_openings_is_counted_beside_one_without():
    docker = [at(n, response("http://localhost:None")) for n in range(5)]
    found = explained([*docker, at(9, opening(1)), at(10, response())])
    assert counts(found) == (1, 1, 1, 1, 0, 0)
    assert counts(found, "http://localhost") == (5, 5, None, None, None, None)


def test_a_pool_without_a_port_that_logs_its_openings_is_one_host():
    lines = [at(0, opening(1, "h:80", "HTTP")), at(1, response("http://h:None"))]
    assert counts(explained(lines), "http://h:80") == (1, 1, 1, 1, 0, 0)


def test_a_reopened_connection_counts_though_the_log_begins_later():
    found = explained([at(0, response()), at(70, RESET), at(71, response())])
    assert counts(found) == (2, 2, 1, 1, 1, 1)
