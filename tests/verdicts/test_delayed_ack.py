"""Responses that are later on kept connections than on new ones: Nagle and delayed ACKs."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.marks import complete
from tests.servers.peer import Peer, Script
from tests.servers.scripted import PATIENCE_S, Server

from keptalive import tuned_session, watch
from keptalive.records.report import Finding, Report
from keptalive.render.verdict import NOTHING_TO_CHANGE, verdict

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="where packets can be counted")

HEAD, BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n", 200 * b"x"
BUSY_S = 0.055  # about as long as Linux delays an acknowledgement, and not shorter on any tick
REQUESTS = 6
ATTEMPTS = 20


def writes(*parts: bytes | None, nagle: bool = True, first: tuple[bytes, ...] = ()) -> Script:
    """Answers in these writes, each by itself; None: it works for as long as an ACK is delayed.

    Args:
        parts: what is written.
        nagle: whether small packets are held back, as is usual where nobody has thought of it.
        first: what is written to the first request.
    """
    never = threading.Event()

    def script(peer: Peer) -> None:
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, not nagle)
        answers = first or parts
        while peer.request():
            for part in answers:
                if part is None:
                    never.wait(BUSY_S)
                else:
                    peer.send(part)
            answers = parts

    return script


IN_ONE = writes(HEAD + BODY)
HEAD_AND_BODY = writes(HEAD, BODY)
HEAD_IN_PARTS = writes(HEAD[:17], HEAD[17:], BODY)

Ask = Callable[[str], object]


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        yield made


def delays(report: Report) -> list[Finding]:
    return [one for one in report.findings if one.finding == "delayed-ack"]


def seen(ask: Ask, url: str) -> Report:
    """Under a watch: one new connection, and then kept ones."""
    with watch() as watched:
        for _ in range(REQUESTS):
            ask(url)
    return watched.result()


def seen_late(ask: Ask, url: str, session: requests.Session | urllib3.PoolManager) -> Report:
    """The same, some times over: a busy machine may be as slow on a new connection."""
    for _ in range(ATTEMPTS):
        report = seen(ask, url)
        if delays(report):
            break
        session.close() if isinstance(session, requests.Session) else session.clear()
    return report


@pytest.mark.parametrize(
    ("script", "phase", "said"),
    [
        (HEAD_AND_BODY, "body", "between head and body: most likely the server sends"),
        complete(HEAD_IN_PARTS, "head", "until their head came: the server sends"),
    ],
    ids=["head and body", "head in parts"],
)
def test_a_server_that_writes_twice_is_slower_on_kept_connections(
    session, serve, script, phase, said
):
    server = serve(script)
    report = seen_late(lambda url: session.get(url, timeout=PATIENCE_S), server.url, session)
    (found,) = delays(report)
    assert found.facts["phase"] == phase
    assert found.facts["responses_timed"] == REQUESTS - 1
    assert 0.015 <= found.facts["seconds_each"] <= 0.065
    assert said in found.evidence
    assert found.cure.startswith("Server: send head and body in one write, or set TCP_NODELAY.")
    assert not verdict(report).startswith(NOTHING_TO_CHANGE)


def test_urllib3_by_itself_reads_head_and_body_in_one_call(serve):
    with urllib3.PoolManager() as manager:
        url = serve(HEAD_AND_BODY).url
        report = seen_late(
            lambda url: manager.request("GET", url, timeout=PATIENCE_S), url, manager
        )
    (found,) = delays(report)
    read_at_once = not urllib3.__version__.startswith("1.")  # type: ignore[attr-defined]
    assert found.facts["phase"] == ("response" if read_at_once else "body")


def body(session: requests.Session) -> Ask:
    return lambda url: session.post(url, data=b"x" * 300, timeout=PATIENCE_S)


class OwnOptions(HTTPAdapter):
    """Socket options in place of urllib3's, and so without TCP_NODELAY."""

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        super().init_poolmanager(*args, socket_options=options, **settings)


def test_a_client_that_holds_back_the_body_of_its_request_is_told_so(session, serve):
    session.mount("http://", OwnOptions())
    (found,) = delays(seen_late(body(session), serve(IN_ONE).url, session))
    assert found.facts["phase"] == "request"
    assert "TCP_NODELAY" in found.cure


@pytest.mark.parametrize(("make", "expected"), [complete(requests.Session, 1), (tuned_session, 0)])
def test_urllib3_holds_it_back_on_the_way_to_a_proxy_and_a_tuned_session_does_not(
    serve, make, expected
):
    server: Server = serve(writes(HEAD + BODY))
    with make() as session:
        session.trust_env, session.proxies = False, {"http": serve(IN_ONE).url}
        if expected:
            report = seen_late(body(session), server.url, session)
        else:
            report = seen(body(session), server.url)
    assert len(delays(report)) == expected


@pytest.mark.complete
def test_an_acknowledgement_before_each_response_helps_as_the_documentation_says(serve):
    documentation = (Path(__file__).parents[2] / "docs" / "causes.md").read_text()
    example = next(one for one in documentation.split("```python\n") if "QUICKACK" in one)
    names: dict[str, Any] = {}
    exec(example.partition("```")[0], names)
    with names["session"] as session:
        session.trust_env = False
        url = serve(HEAD_AND_BODY).url
        assert delays(seen(lambda url: session.get(url, timeout=PATIENCE_S), url)) == []


@pytest.mark.parametrize(
    "script",
    [
        IN_ONE,
        writes(HEAD, BODY, nagle=False),
        complete(writes(None, HEAD + BODY)),
        writes(None, HEAD, BODY, nagle=False, first=(HEAD, BODY)),
        complete(writes(HEAD, None, BODY)),
    ],
    ids=["one write", "no delay", "busy", "busy but for the first", "busy between"],
)
def test_nothing_is_said_of_a_server_that_is_as_slow_or_as_fast_anyhow(session, serve, script):
    server = serve(script)
    assert delays(seen(lambda url: session.get(url, timeout=PATIENCE_S), server.url)) == []


def test_nothing_is_said_where_each_request_has_a_new_connection(serve):
    server = serve(HEAD_AND_BODY)

    def get(url: str) -> object:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(url, timeout=PATIENCE_S)

    assert delays(seen(get, server.url)) == []


def test_the_body_of_a_stream_is_read_when_the_program_likes(session, serve):
    server = serve(writes(HEAD + BODY))
    wait = threading.Event()

    def get(url: str) -> None:
        with session.get(url, timeout=PATIENCE_S, stream=True) as response:
            wait.wait(BUSY_S)
            assert response.content

    assert delays(seen(get, server.url)) == []
