"""What a watch says beside the cause: where in the program, what took the time, who said what."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S

from keptalive.watching.api import Watch, watch

HERE = Path(__file__).relative_to(Path.cwd())  # as the tests are run, from the root


def line() -> int:
    """The line that asks."""
    return sys._getframe(1).f_lineno


def evidence(watched: Watch, cause: str) -> str:
    [said] = [
        found["evidence"]
        for host in watched.report()["hosts"]
        for found in host["causes"]
        if found["cause"] == cause
    ]
    return str(said)


def test_a_response_that_was_left_unread_is_told_by_where_it_was_asked_for(serve):
    server = serve(answers())
    with watch() as watched, requests.Session() as session:
        held = [session.get(server.url, stream=True)]
        asked = line() - 1
        held.append(session.get(server.url))
    assert evidence(watched, "unread-body") == f"Requested with stream=True at {HERE}:{asked}."


def test_so_is_one_of_a_pool_manager(serve):
    server = serve(answers())
    with watch() as watched, urllib3.PoolManager() as pools:
        held = [pools.request("GET", server.url, preload_content=False)]
        asked = line() - 1
        held.append(pools.request("GET", server.url))
    assert evidence(watched, "unread-body") == (
        f"Requested with preload_content=False at {HERE}:{asked}."
    )


def test_a_response_that_was_closed_unread_is_told_by_where_it_was_asked_for(serve):
    def long(peer: Peer) -> None:
        while peer.request():
            peer.respond(body=b"x" * 100_000)

    server = serve(long)
    with watch() as watched, requests.Session() as session:
        session.get(server.url, stream=True).close()
        asked = line() - 1
        session.get(server.url)
    assert evidence(watched, "abandoned-body") == f"Requested with stream=True at {HERE}:{asked}."


def test_an_idle_time_is_told_by_where_the_program_came_back(serve):
    def ends(peer: Peer) -> None:
        assert peer.request()
        peer.respond(200, "Keep-Alive: timeout=5")

    now = [0.0]
    server = serve(ends, answers())
    with watch(clock=lambda: now[0]) as watched, requests.Session() as session:
        session.get(server.url)
        server.wait_for_scripts(1)
        now[0] = 7.1
        session.get(server.url)
        asked = line() - 1
    assert evidence(watched, "idle-timeout") == (
        f"Idle 7.1 s before each ({HERE}:{asked}). The server had closed it (FIN). "
        "The server announces Keep-Alive: timeout=5."
    )


def test_what_is_left_open_is_told_by_where_its_session_was_made(serve):
    server = serve(answers())
    with watch() as watched:
        session = requests.Session()
        made = line() - 1
        session.get(server.url)
        report = watched.report()
        session.close()
    assert (report["left_open"], report["left_at"]) == (1, [f"{HERE}:{made}"])
    assert watched.report()["left_at"] == []


def phases(report: dict[str, Any]) -> dict[str, float]:
    [host] = report["hosts"]
    assert sum(host["phases"].values()) == pytest.approx(host["seconds_opening"])
    return dict(host["phases"])


def test_the_phases_of_opening_add_up_to_what_it_took(serve, trusted):
    server = serve(tls=trusted.server)
    with watch() as watched:
        for _ in range(2):
            requests.get(server.url, verify=trusted.bundle, timeout=PATIENCE_S)
    found = phases(watched.report())
    assert (
        {"connect", "dns", "tls"} <= found.keys() <= {"connect", "dns", "tls", "ca_bundle", "rest"}
    )
    assert min(found["tls"], found["connect"]) > 0


def test_plain_http_has_no_phase_of_tls(serve):
    server = serve(answers())
    with watch() as watched:
        requests.get(server.url, timeout=PATIENCE_S)
    assert phases(watched.report()).keys() == {"connect", "dns", "rest"}
