"""Logs that httpx, httpx2 and httpcore wrote, against what their servers counted.

They are in `tests/data/httpx_logs`, as real programs wrote them (httpx 0.28 with httpcore 1.0, but
for names that begin with another version), with their hosts renamed. The numbers beside them are
the accepts and responses that the server counted: of HTTP/2, hypercorn behind a counting relay.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import httpx
import pytest

from keptalive.logs.explain import explained
from keptalive.records.report import HostReport, Report

LOGS = Path(__file__).parent.parent / "data" / "httpx_logs"
API, TLS = "http://api.example.com:80", "https://api.example.com:443"
FIRST = {"first-use": 1}


def report(name: str) -> Report:
    return explained(str(LOGS / f"{name}.log.gz"))


def only_host(name: str) -> HostReport:
    (host,) = report(name).hosts
    return host


def causes(host: HostReport) -> dict[str, int]:
    return {cause.cause: cause.count for cause in host.causes}


# A log; its host; accepts and responses; what perfect reuse would have opened; causes
COUNTED = [
    ("sync_client", API, 1, 6, 1, FIRST),
    ("get_each", API, 5, 5, 1, FIRST | {"client-closed": 4}),
    ("get_each_tls", TLS, 5, 5, 1, FIRST | {"new-session": 4}),
    ("verify_false", TLS, 4, 4, 1, FIRST | {"new-session": 3}),
    ("client_per_item", API, 5, 5, 1, FIRST | {"client-closed": 4}),
    ("leaked", API, 4, 4, 1, FIRST | {"new-session": 3}),
    ("async_each", API, 9, 9, 3, FIRST | {"concurrency": 2, "client-closed": 6}),
    ("expiry", TLS, 4, 7, 1, FIRST | {"expired": 3}),
    ("h2_expiry", TLS, 2, 4, 1, FIRST | {"expired": 1}),
    ("server_idle", API, 4, 7, 1, FIRST | {"not-kept-long": 3}),
    ("close_header", API, 5, 5, 1, FIRST | {"close-announced": 4}),
    ("message_only", API, 5, 5, 1, FIRST | {"close-announced": 4}),
    ("http10", API, 4, 4, 1, FIRST | {"http-1.0": 3}),
    ("unannounced", API, 4, 4, 1, FIRST | {"client-closed": 3}),
    ("request_limit", API, 3, 9, 1, FIRST | {"client-closed": 2}),
    ("async_gather", TLS, 10, 30, 10, FIRST | {"concurrency": 9}),
    ("trio_each", API, 4, 8, 4, FIRST | {"concurrency": 3}),
    ("async_limit", API, 3, 12, 3, FIRST | {"concurrency": 2}),
    ("keep_limit", API, 14, 20, 5, FIRST | {"concurrency": 4, "surplus-closed": 9}),
    ("json_threads", API, 6, 24, 6, FIRST | {"concurrency": 5}),
    ("nested", API, 2, 6, 2, FIRST | {"concurrency": 1}),
    ("unread", API, 4, 4, 1, FIRST | {"unread-body": 3}),
    ("abandoned", API, 4, 4, 1, FIRST | {"abandoned-body": 3}),
    ("race", API, 4, 4, 1, FIRST | {"stale-connection": 3}),
    ("timeouts", API, 3, 3, 1, FIRST | {"failed-request": 2}),
    ("unix", "unix:/run/app.sock", 1, 3, 1, FIRST),
    ("h2_gather", TLS, 1, 30, 1, FIRST),
    ("h2_each", TLS, 3, 3, 1, FIRST | {"new-session": 2}),
    ("proxy_tunnel", TLS, 1, 4, 1, FIRST),
    ("proxy_tunnel_each", TLS, 4, 4, 1, FIRST | {"new-session": 3}),
    ("proxy_forward", "http://proxy.example.com:3128", 1, 4, 1, FIRST),
    ("proxy_socks", TLS, 1, 4, 1, FIRST),
    ("docs_format", API, 5, 6, 1, FIRST | {"expired": 1, "client-closed": 3}),
    ("basic_each", API, 5, 5, 1, FIRST | {"closed-untimed": 4}),
    ("basic_expiry", API, 3, 5, 1, FIRST | {"closed-untimed": 2}),
    ("httpx2_expiry", TLS, 4, 7, 1, FIRST | {"expired": 3}),
    ("httpx2_get_each", API, 5, 5, 1, FIRST | {"client-closed": 4}),
    ("httpx2_async_gather", TLS, 10, 30, 10, FIRST | {"concurrency": 9}),
    ("httpcore017_expiry", TLS, 4, 7, 1, FIRST | {"expired": 3}),
    ("httpcore017_proxy_tunnel", TLS, 1, 4, 1, FIRST),
    ("httpx027_get_each", API, 5, 5, 1, FIRST | {"new-session": 4}),
]


@pytest.mark.parametrize(
    ("name", "host", "accepted", "answered", "perfect", "expected"),
    COUNTED,
    ids=[one[0] for one in COUNTED],
)
def test_connections_are_those_that_the_server_accepted(
    name, host, accepted, answered, perfect, expected
):
    found = only_host(name)
    assert found.host == host
    assert found.opened + found.opened_unanswered == accepted
    assert found.opened + found.reused == answered
    assert found.attempts == found.opened + found.reused + found.unanswered + found.in_flight
    assert (found.perfect.least, found.perfect.most) == (perfect, perfect)
    assert causes(found) == expected


def test_a_tunnel_is_a_route_of_its_own_and_its_proxy_is_named():
    assert only_host("proxy_tunnel").via == "http://proxy.example.com:3128"
    assert only_host("httpcore017_proxy_tunnel").via == "http://proxy.example.com:3128"
    assert only_host("proxy_socks").via == "socks5://proxy.example.com:3128"
    assert only_host("proxy_forward").origins == (API,)


@pytest.mark.parametrize("name", ["two_hosts", "proxy_async"])
def test_requests_to_two_hosts_at_once_are_told_apart_by_the_lines_of_httpx(name):
    each = 5 if name == "two_hosts" else 3
    for host in report(name).hosts:
        assert (host.opened, host.reused, host.perfect.most) == (each, each, each)
        assert causes(host) == FIRST | {"concurrency": each - 1}


def test_without_the_lines_of_httpx_requests_on_kept_connections_are_of_an_unknown_host():
    found = report("two_hosts_quiet")
    for host in found.hosts:
        assert (host.opened, host.perfect.least, host.perfect.most) == (5, 5, 5)
        assert host.requests is host.reused is host.attempts is None
    assert "does not name the host" in found.warnings[0]


def test_lines_of_httpx_alone_count_responses_and_nothing_else():
    found = report("info_only")
    (host,) = found.hosts
    assert (host.host, host.requests) == (API, 4)
    assert host.opened is host.perfect is host.reused is None
    assert 'getLogger("httpcore")' in found.warnings[0]


def test_a_route_of_urllib3_and_of_httpx_has_the_sum_of_both():
    found = only_host("both")
    assert (found.requests, found.opened, found.reused) == (6, 2, 4)
    assert (found.perfect.least, found.perfect.most) == (2, 2)


def test_retries_of_httpcore_are_tries_of_one_request():
    refused = next(host for host in report("refused").hosts if not host.opened)
    assert (refused.requests, refused.attempts, refused.connects) == (1, 3, 3)
    assert refused.errors == {"ConnectError": 3}


def test_a_certificate_that_is_refused_is_a_connection_without_an_answer():
    found = only_host("untrusted")
    assert (found.opened, found.opened_unanswered, found.errors) == (0, 2, {"ConnectError": 2})


def test_a_tunnel_that_the_proxy_refuses_is_a_failed_request():
    assert only_host("proxy_refused").errors == {"ProxyError": 2}


def test_cancelled_requests_are_failed_ones():
    found = only_host("cancelled")
    assert (found.opened, found.opened_unanswered) == (1, 2)
    assert found.errors == {"CancelledError": 3}


def test_opening_is_timed_by_its_phases():
    found = only_host("expiry")
    assert set(found.phases) == {"connect", "tls"}
    assert found.seconds_opening == pytest.approx(sum(found.phases.values()))
    assert 0 < found.seconds_saved < found.seconds_opening
    assert set(only_host("proxy_tunnel").phases) == {"connect", "tunnel", "tls"}


def test_whole_seconds_do_not_time_an_opening():
    found = only_host("docs_format")
    assert found.seconds_opening is found.seconds_saved is None


def test_idle_times_of_expired_connections_are_told_with_what_was_survived():
    (expired,) = (cause for cause in only_host("expiry").causes if cause.cause == "expired")
    assert expired.members[0] == "max-idle"
    assert expired.facts == {"idle_s": {"least": 5.211, "most": 5.601}, "survived_s": 3.002}
    assert "keepalive_expiry" in expired.cure


def test_no_secret_of_a_response_or_request_is_kept():
    assert "s3cret" not in repr([report(one[0]) for one in COUNTED])


# -- Programs that run now -----------------------------------------------------------------------


@pytest.fixture
def log(tmp_path):
    """A file that gets what httpx and httpcore log."""
    path = tmp_path / "app.log"
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s [%(threadName)s] %(name)s: %(message)s"))
    loggers = [logging.getLogger(name) for name in ("httpx", "httpcore")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel("DEBUG")
    yield path
    for logger in loggers:
        logger.removeHandler(handler)
        logger.setLevel("NOTSET")
    handler.close()


def keeps(peer):
    while peer.request():
        peer.respond()


def closes(peer):
    peer.request()
    peer.respond(200, "Connection: close")


@pytest.mark.parametrize(
    ("script", "opened", "cause"), [(keeps, 1, {}), (closes, 4, {"close-announced": 3})]
)
def test_a_client_of_this_httpx_is_counted_as_its_server_does(serve, log, script, opened, cause):
    server = serve(script)
    with httpx.Client(trust_env=False) as client:
        for _ in range(4):
            client.get(server.url)
    (host,) = explained(str(log)).hosts
    assert host.opened == server.accepted == opened
    assert host.requests == 4
    assert causes(host) == FIRST | cause


def test_tasks_of_this_httpx_are_counted_as_their_server_does(serve, log):
    server = serve(keeps)

    async def program() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            for _ in range(3):
                await asyncio.gather(*[client.get(server.url) for _ in range(6)])

    asyncio.run(program())
    (host,) = explained(str(log)).hosts
    assert host.opened == server.accepted
    assert (host.requests, host.unanswered) == (18, 0)
    assert host.perfect.least == host.opened
