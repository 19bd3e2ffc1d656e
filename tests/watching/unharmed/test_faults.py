"""A fault of ours is a warning in the report, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S

from keptalive import tuned_session
from keptalive.watching import ledger, observer
from keptalive.watching.api import watch

# What a report asks for, and what an observer hands its own mistakes to
NOT_OF_HOOKS = ("fault", "still_open", "open_ones", "look_at_all")
pytestmark = pytest.mark.broken
SEEN = [
    name
    for kind in observer.Observer.__mro__[:-1]
    for name, value in vars(kind).items()
    if callable(value) and not name.startswith("_") and name not in NOT_OF_HOOKS
]


def failing(happened: threading.Event) -> Callable[..., Any]:
    """A function of keptalive's, by the name of its file, that makes a mistake."""
    code = "def note(*args, **named):\n happened.set()\n raise RuntimeError('our fault')"
    names: dict[str, Any] = {"happened": happened, "__name__": observer.__name__}
    exec(compile(code, observer.__file__, "exec"), names)
    return names["note"]


@pytest.mark.parametrize("name", SEEN)
def test_a_fault_of_ours_is_a_warning_in_the_report_and_nothing_else(
    name, serve, trusted, monkeypatch
):
    def breaks_off(peer: Peer) -> None:
        assert peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf")

    def dies(peer: Peer) -> None:
        if peer.request():
            peer.respond()
            peer.request()

    happened = threading.Event()
    original = getattr(observer.Observer, name)

    server, unsafe = serve(dies, tls=trusted.server), serve(answers((200, "Connection: close")))
    proxy, moved = serve(answers()), serve(answers((302, "Location: /"), (200,)))
    broken = serve(breaks_off)
    retries = urllib3.Retry(2, backoff_factor=0)
    with watch() as watched:
        monkeypatch.setattr(observer.Observer, name, failing(happened))
        with requests.Session() as session:
            session.trust_env, session.verify = False, trusted.bundle
            session.mount("https://", HTTPAdapter(max_retries=retries, pool_maxsize=1))
            for _ in range(3):
                assert session.get(server.url, timeout=PATIENCE_S).text == "ok"
            with session.get(unsafe.url, stream=True, timeout=PATIENCE_S):
                pass
            with pytest.raises(requests.exceptions.ChunkedEncodingError):
                session.get(broken.url, timeout=PATIENCE_S)
            assert len(session.get(moved.url, timeout=PATIENCE_S).history) == 1
            assert session.get("http://a.invalid/", proxies={"http": proxy.url}).text == "ok"
        with tuned_session(max_idle=1e-9) as session:
            session.trust_env = False
            for _ in range(2):
                assert session.get(proxy.url).text == "ok"
        with urllib3.PoolManager() as pools:
            held = pools.request("GET", unsafe.url, preload_content=False)
            for _ in range(2):
                assert pools.request("GET", unsafe.url).data == b"ok"
            held.read()
            held.release_conn()
            held = pools.request("GET", proxy.url, preload_content=False)
            assert pools.request("GET", proxy.url).data == b"ok"
            assert held.read() == b"ok"  # its pool is full by now
        with urllib3.HTTPConnectionPool("127.0.0.1", proxy.port) as bare:
            assert bare.request("GET", "/").data == b"ok"
        with urllib3.HTTPConnectionPool("127.0.0.1", proxy.port, maxsize=1, block=True) as blocks:
            held = blocks.urlopen("GET", "/", preload_content=False)
            with pytest.raises(urllib3.exceptions.EmptyPoolError):
                blocks.urlopen("GET", "/", pool_timeout=0.01)
            assert held.read() == b"ok"
        monkeypatch.setattr(observer.Observer, name, original)
    if happened.is_set():
        said = " ".join(watched.report()["warnings"])
        assert "keptalive itself failed here: RuntimeError at note" in said
        assert "our fault" not in said  # what an error says may be secret
    else:
        assert name in (
            *("owner_of", "pool_made", "belongs", "has_opened_by_itself"),
            *("begins_in_child", "meets_in_child", "may_be_shared", "may_be_unclosed"),
            *("comes_from_mock", "answered_by_others", "cuts"),
        )


def test_a_fault_at_the_end_of_a_slice_costs_one_request_its_count(serve, monkeypatch):
    now, server = [0.0], serve()
    with watch(window_s=60, clock=lambda: now[0]) as watched, requests.Session() as session:
        session.get(server.url)
        now[0] += 10
        monkeypatch.setattr(ledger.Ledger, "cut", failing(threading.Event()))
        assert session.get(server.url).text == "ok"
        monkeypatch.undo()
        for _ in range(3):
            assert session.get(server.url).text == "ok"
    [host] = watched.report()["hosts"]
    assert host["requests"] in (4, 5)
    assert "RuntimeError at note" in " ".join(watched.report()["warnings"])


def test_a_clock_that_fails_harms_nobody(serve):
    clock = iter([0.0]).__next__  # C's: so the frame in which it fails is ours
    server = serve()
    with watch(clock=clock) as watched, requests.Session() as session:
        for _ in range(2):
            assert session.get(server.url).text == "ok"
    assert any("StopIteration" in warning for warning in watched.report()["warnings"])
