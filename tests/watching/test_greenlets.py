"""Programs whose requests share a thread, on greenlets or tasks, go on as ever and are counted."""

from __future__ import annotations

import contextvars
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests
import urllib3
from tests.marks import complete
from tests.servers.peer import answers
from tests.servers.scripted import PATIENCE_S, Server

from keptalive.watching.api import watch

PROGRAM = Path(__file__).parents[1] / "data" / "programs" / "greenlets.py"
WAYS = {
    "gevent_late": "gevent",
    "gevent_without_threads": "gevent",
    "gevent_whole": "gevent",
    "grequests_readme": "grequests",
    "eventlet_late": "eventlet",
    "eventlet_whole": "eventlet",
    "asyncio_threads": "asyncio",
}
QUICK = ("gevent_late", "asyncio_threads")
STATUSES = str([200] * 20) + "\n"


def ran(*command: object, url: str, way: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, command), str(PROGRAM), way, url],
        env={**os.environ, "NO_PROXY": "127.0.0.1", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("way", [way if way in QUICK else complete(way) for way in WAYS])
def test_requests_on_greenlets_end_as_without_a_watch_and_every_one_is_counted(way, tmp_path):
    if importlib.util.find_spec(WAYS[way]) is None:
        pytest.skip(f"{WAYS[way]} is not installed")
    with Server(answers()) as server:
        bare = ran(url=server.url, way=way)
        assert (bare.returncode, bare.stdout) == (0, STATUSES)
    report = tmp_path / "report.json"
    with Server(answers()) as server:
        options = ("-m", "keptalive", "run", "--json", report, sys.executable)
        watched = ran(*options, url=server.url, way=way)
        assert (watched.returncode, watched.stdout) == (0, STATUSES)
    [host] = json.loads(report.read_text())["hosts"]
    assert host["requests"] == host["attempts"] == 20
    assert host["opened"] + host["opened_unanswered"] == server.accepted
    assert host["opened"] + host["reused"] == 20
    assert json.loads(report.read_text())["warnings"] == []


def ends(how: str) -> dict:
    """What `gevent_ends.py` says of what it did."""
    pytest.importorskip("gevent")
    ended = subprocess.run(
        [sys.executable, str(PROGRAM.with_name("gevent_ends.py")), how],
        env={**os.environ, "NO_PROXY": "127.0.0.1", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.complete
def test_greenlets_that_are_killed_at_any_moment_have_no_error_and_are_counted():
    ended = ends("killed")
    host = ended["host"]
    assert ended["errors"] == []
    assert host["opened"] + host["opened_unanswered"] == ended["accepted"]
    assert host["errors"].keys() == {"GreenletExit"}


@pytest.mark.parametrize(
    ("scenario", "cause"),
    [
        ("idle-reset=5", "server-reset"),
        complete("idle-timeout=5", "server-closed"),  # to the watch, it was idle for no time
        complete("timeout-408=5", "timeout-408"),
    ],
)
def test_gevents_sockets_tell_how_the_server_has_ended_an_idle_connection(scenario, cause):
    ended = ends(scenario)
    assert (ended["host"]["opened"], ended["accepted"]) == (2, 2)
    assert cause in ended["host"]["causes"]


def test_a_response_that_another_greenlet_holds_unread_keeps_its_connection_from_the_pool():
    greenlet = pytest.importorskip("greenlet")
    with Server(answers()) as server, requests.Session() as session, watch() as watched:
        session.trust_env = False
        held = []

        def reads_later() -> None:
            held.append(session.get(server.url, stream=True, timeout=PATIENCE_S))
            greenlet.getcurrent().parent.switch()
            assert held[0].text == "ok"

        reader = greenlet.greenlet(reads_later)
        session.get(server.url)
        reader.switch()
        session.get(server.url)
        reader.switch()
    [host] = watched.report()["hosts"]
    causes = {cause["cause"]: cause["count"] for cause in host["causes"]}
    assert causes == {"first-use": 1, "unread-body": 1}


def test_a_request_in_a_copied_context_is_one_of_its_own():
    """As `asyncio.to_thread` copies it, within a hook of another request."""

    def sends_another(response: requests.Response, **_: object) -> None:
        copied = contextvars.copy_context()
        pool = session.get_adapter(server.url).poolmanager.connection_from_url(server.url)

        def bare() -> None:
            assert pool.urlopen("GET", "/bare").data == b"ok"

        thread = threading.Thread(target=copied.run, args=[bare])
        response.content  # noqa: B018 - gives its connection back
        later.append(thread)

    later: list[threading.Thread] = []
    with Server(answers()) as server, requests.Session() as session, watch() as watched:
        session.trust_env = False
        session.get(server.url, hooks={"response": sends_another})
        [thread] = later
        thread.start()  # the request is over whose context it has
        thread.join(PATIENCE_S)
    [host] = watched.report()["hosts"]
    assert (host["requests"], host["attempts"], len(server.requests)) == (2, 2, 2)


def test_a_retry_that_was_given_up_makes_no_later_request_a_repeated_one(monkeypatch):
    """Not even where its context is copied, as `asyncio.to_thread` does."""

    class GivenUpError(Exception):
        pass

    def gives_up(*_: object) -> None:
        raise GivenUpError

    def bare() -> None:
        assert pool.urlopen("GET", "/").data == b"ok"

    with Server(answers((503,), (200,))) as server, watch() as watched:
        pool = urllib3.HTTPConnectionPool("127.0.0.1", server.port)
        retries = urllib3.Retry(2, status_forcelist=[503])
        with pool, monkeypatch.context() as patch:
            patch.setattr(urllib3.Retry, "sleep", gives_up)
            with pytest.raises(GivenUpError):
                pool.urlopen("GET", "/", retries=retries)
            for _ in range(3):
                thread = threading.Thread(target=contextvars.copy_context().run, args=[bare])
                thread.start()
                thread.join(PATIENCE_S)
    [host] = watched.report()["hosts"]
    assert (host["requests"], host["attempts"], len(server.requests)) == (4, 4, 4)


def test_openings_that_take_turns_on_one_thread_are_each_counted_once():
    greenlet = pytest.importorskip("greenlet")
    with Server(answers()) as server, watch() as watched:
        look_up = socket.getaddrinfo

        def switching(*args: object, **named: object) -> object:
            if greenlet.getcurrent().parent is not None:
                greenlet.getcurrent().parent.switch()
            return look_up(*args, **named)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", switching)
            jobs = [
                greenlet.greenlet(lambda: requests.get(server.url, timeout=PATIENCE_S))
                for _ in range(3)
            ]
            for _ in range(2):
                for job in jobs:
                    job.switch()
    [host] = watched.report()["hosts"]
    assert (host["opened"], host["requests"]) == (3, 3)
    assert {"connect", "dns"} <= host["phases"].keys()
