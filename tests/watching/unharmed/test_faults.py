"""A fault of ours is a warning in the report, and nothing else."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter

from keptalive.watching import observer, registry
from keptalive.watching.watch import watch

from ...clients.tuned.servers import (
    PATIENCE_S,
    Peer,
    answers,
)

SEEN = [
    name
    for name, value in {**vars(registry.Registry), **vars(observer.Observer)}.items()
    if callable(value) and not name.startswith("_") and name not in ("fault", "still_open")
]


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    "error", [RuntimeError("our fault"), UnspeakableError()], ids=["said", "not"]
)
@pytest.mark.parametrize("name", SEEN)
def test_a_fault_of_ours_is_a_warning_in_the_report_and_nothing_else(
    name, error, serve, trusted, monkeypatch
):
    def dies(peer: Peer) -> None:
        if peer.asked():
            peer.answer()
            peer.asked()

    happened = threading.Event()
    original = getattr(observer.Observer, name)

    def fault(*args: Any, **named: Any) -> Any:
        happened.set()
        raise error

    server, unsafe = serve(dies, tls=trusted.server), serve(answers((200, "Connection: close")))
    proxy, moved = serve(answers()), serve(answers((302, "Location: /"), (200,)))
    retries = urllib3.Retry(2, backoff_factor=0)
    with watch() as watched:
        monkeypatch.setattr(observer.Observer, name, fault)
        with requests.Session() as session:
            session.trust_env, session.verify = False, trusted.bundle
            session.mount("https://", HTTPAdapter(max_retries=retries, pool_maxsize=1))
            for _ in range(3):
                assert session.get(server.url, timeout=PATIENCE_S).text == "ok"
            with session.get(unsafe.url, stream=True, timeout=PATIENCE_S):
                pass
            assert len(session.get(moved.url, timeout=PATIENCE_S).history) == 1
            assert session.get("http://a.invalid/", proxies={"http": proxy.url}).text == "ok"
        with urllib3.PoolManager() as pools:
            held = pools.request("GET", unsafe.url, preload_content=False)
            for _ in range(2):
                assert pools.request("GET", unsafe.url).data == b"ok"
            held.read()
            held.release_conn()
        monkeypatch.setattr(observer.Observer, name, original)
    if happened.is_set():
        said = " ".join(watched.report()["warnings"])
        assert f"keptalive itself failed here: {type(error).__name__} at " in said
        assert "our fault" not in said  # what an error says may be secret
    else:
        assert name in ("owner_of", "pool_made", "belongs")


def test_a_clock_that_fails_harms_nobody(serve):
    def clock() -> float:
        raise OverflowError("the end of time")

    server = serve()
    with watch(clock=clock) as watched, requests.Session() as session:
        for _ in range(2):
            assert session.get(server.url).text == "ok"
    assert any("OverflowError" in warning for warning in watched.report()["warnings"])
