"""What a watch warns of though it opens no connection: secrets on the way, hidden failures."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S, Server
from tests.servers.scripts import tunnel

from keptalive import tuned_session
from keptalive.watching.api import Watch, watch

SECRET = "not-to-be-told"


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        yield made


def findings(watched: Watch) -> list[str]:
    """The evidence of each finding, up to its first colon or full stop."""
    report = watched.report()
    assert SECRET not in repr(report)
    assert report["warnings"] == []
    return [found["evidence"].partition(": ")[0] for found in report["findings"]]


# -- Secrets --------------------------------------------------------------------------------------


def redirecting(serve: Callable[..., Server]) -> tuple[Server, str]:
    """A server that leads to another host, and that host."""
    target = serve(answers())
    host = f"http://localhost:{target.port}"
    return serve(answers((302, f"Location: {host}/"))), host


@pytest.mark.parametrize("header", ["X-Api-Key", "private-token"])
def test_a_secret_that_a_redirect_takes_to_another_host_is_warned_of(serve, session, header):
    first, host = redirecting(serve)
    with watch() as watched:
        for _ in range(2):
            session.get(first.url, headers={header: SECRET}, timeout=PATIENCE_S)
    assert findings(watched) == [
        f"A redirect from 127.0.0.1 took {header.title()} along to {host} (2 times)."
    ]


def test_what_requests_takes_away_at_a_redirect_is_not_warned_of(serve, session):
    first, _ = redirecting(serve)
    with watch() as watched:
        session.get(first.url, headers={"Authorization": SECRET}, timeout=PATIENCE_S)
    assert findings(watched) == []


def test_a_pool_manager_that_takes_a_secret_along_is_warned_of(serve):
    first, host = redirecting(serve)
    with watch() as watched, urllib3.PoolManager() as pools:
        pools.request("GET", first.url, headers={"X-Auth-Token": SECRET})
    assert findings(watched) == [f"A redirect from 127.0.0.1 took X-Auth-Token along to {host}."]


def test_a_secret_that_the_other_host_has_set_itself_is_not_warned_of(serve, session):
    target = serve(answers())
    first = serve(answers((302, f"Location: http://localhost:{target.port}/")))
    session.cookies.set("theirs", SECRET, domain="localhost.local")
    session.cookies.set("own", "x", domain="127.0.0.1")
    with watch() as watched:
        session.get(first.url, timeout=PATIENCE_S)
    sent = [server.requests[0].headers["cookie"] for server in (first, target)]
    assert sent == ["own=x", f"theirs={SECRET}"]
    assert findings(watched) == []


def test_a_redirect_within_the_host_may_keep_its_secrets(serve, session):
    server = serve(answers((302, "Location: /there"), (200,)))
    with watch() as watched:
        session.get(server.url, headers={"X-Api-Key": SECRET}, timeout=PATIENCE_S)
    assert findings(watched) == []


@pytest.mark.parametrize("header", ["Authorization", "Cookie"])
def test_a_secret_over_plain_http_is_warned_of(serve, session, header):
    proxy = serve(answers())
    with watch() as watched:
        session.get(
            "http://example.org/",
            headers={header: SECRET},
            proxies={"http": proxy.url},
            timeout=PATIENCE_S,
        )
    assert findings(watched) == ["Credentials were sent over plain http to http://example.org:80"]


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("make", [requests.Session, tuned_session])
def test_a_host_elsewhere_that_is_not_verified_is_warned_of(make, serve, trusted):
    proxy = serve(tunnel(trusted.server, answers()))
    with watch() as watched, make() as made:
        made.trust_env = False
        for verify in (False, False, trusted.bundle):
            made.get(
                "https://example.org/",
                proxies={"https": proxy.url},
                verify=verify,
                timeout=PATIENCE_S,
            )
    if make is requests.Session and proxy.accepted == 1:
        pytest.skip("before 2.32, requests used one pool for all settings")
    [said] = findings(watched)
    assert said == "The certificate of https://example.org:443 was not verified (verify=False)"


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_a_host_on_this_machine_need_not_be_verified(trusted):
    with Server(tls=trusted.server) as server, watch() as watched:
        requests.get(server.url, verify=False, timeout=PATIENCE_S)
    assert findings(watched) == []


# -- Hidden failures ------------------------------------------------------------------------------


def hangs_up_second(peer: Peer) -> None:
    if peer.request():
        peer.respond()
        peer.request()


@pytest.mark.parametrize("make", [requests.Session, tuned_session])
def test_failures_that_retries_have_hidden_are_told_once_by_their_cause(make, serve):
    server = serve(hangs_up_second)
    with watch() as watched, make() as made:
        made.trust_env = False
        if make is requests.Session:
            made.mount("http://", HTTPAdapter(max_retries=urllib3.Retry(2, backoff_factor=0)))
        for _ in range(3):
            assert made.get(server.url, timeout=PATIENCE_S).text == "ok"
    assert findings(watched) == []
    [stale] = [c for c in watched.result().hosts[0].causes if c.cause == "stale-connection"]
    assert stale.facts["sent_again"] == 2


def test_failures_of_new_connections_that_retries_have_hidden_are_told(serve, session):
    def hangs_up(peer: Peer) -> None:
        peer.request()

    server = serve(hangs_up, hangs_up, answers())
    with watch() as watched:
        session.mount("http://", HTTPAdapter(max_retries=urllib3.Retry(2, backoff_factor=0)))
        assert session.get(server.url, timeout=PATIENCE_S).text == "ok"
    host = server.url.rstrip("/")
    assert findings(watched) == [f"2 failures at {host} were retried silently"]


@pytest.mark.parametrize("kind", ["Session", "PoolManager", "pool"])
def test_a_status_that_is_asked_for_again_is_told(kind, serve):
    server = serve(answers((503,), (503,), (200,)))
    retries = urllib3.Retry(2, backoff_factor=0, status_forcelist=[503])
    with watch() as watched, ExitStack() as opened:
        if kind == "Session":
            made: Any = opened.enter_context(requests.Session())
            made.mount("http://", HTTPAdapter(max_retries=retries))
            assert made.get(server.url, timeout=PATIENCE_S).status_code == 200
        elif kind == "PoolManager":
            made = opened.enter_context(urllib3.PoolManager(retries=retries))
            assert made.request("GET", server.url).status == 200
        else:
            made = opened.enter_context(urllib3.HTTPConnectionPool("127.0.0.1", server.port))
            assert made.urlopen("GET", "/", retries=retries).status == 200
    host = server.url.rstrip("/")
    assert findings(watched) == [f"2 failures at {host} were retried silently"]


def test_redirects_hide_no_failure(serve, session):
    server = serve(answers((302, "Location: /there"), (200,)))
    with watch() as watched, urllib3.PoolManager() as pools:
        session.get(server.url, timeout=PATIENCE_S)
        pools.request("GET", server.url)
    assert findings(watched) == []


@contextmanager
def silent(port: int) -> Iterator[str]:
    """An address that lets everybody wait on this port: its queue is full, nobody is served."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.2", port))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield "127.0.0.2"


def test_an_address_that_fails_before_another_one_answers_is_found_with_the_time_that_it_costs(
    session, monkeypatch
):
    with ExitStack() as stack:
        server = stack.enter_context(Server(answers()))
        port = server.port  # that nobody else has at the other address, which nobody uses
        addresses = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in (stack.enter_context(silent(port)), "127.0.0.1")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: addresses)
        watched = stack.enter_context(watch())
        began = time.monotonic()
        response = session.get(f"http://two.test:{port}/", timeout=(0.2, PATIENCE_S))
        took_s = time.monotonic() - began
        assert response.text == "ok"
        assert server.accepted == watched.opened == 1
        [said] = findings(watched)
    assert said.startswith(f"http://two.test:{port} was tried at 127.0.0.2 first, which failed (")
    [found] = watched.report()["findings"]
    assert 0.2 <= found["seconds"] <= took_s


# -- What a server sends back ---------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer", "token", "Basic"])
def test_a_token_that_a_server_sends_back_in_its_keep_alive_header_is_hidden(serve, scheme):
    token = "0123456789secret"
    sent = base64.b64encode(f"me:{token}".encode()).decode() if scheme == "Basic" else token
    closed = threading.Event()

    def echoes(peer: Peer) -> None:
        assert peer.request()
        peer.respond(200, f"Keep-Alive: timeout=5, {sent}, {token}")
        peer.close()
        closed.set()

    server = serve(echoes, answers())
    with watch(clock=iter(range(0, 1000, 10)).__next__) as watched, requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"{scheme} {sent}"
        session.get(server.url)
        assert closed.wait(PATIENCE_S)
        session.get(server.url)
    report = repr(watched.report())
    assert "timeout=5" in report  # the header is evidence
    assert token not in report
    assert sent not in report
