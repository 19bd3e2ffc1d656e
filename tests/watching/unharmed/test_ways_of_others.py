"""Classes, recordings, threads and forks of other people go on as ever, and are counted right."""

from __future__ import annotations

import _thread
import copy
import os
import pickle
import socket
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter
from tests.servers.scripted import PATIENCE_S
from tests.versions import URLLIB3_1
from urllib3.connection import HTTPConnection

from keptalive.watching import running
from keptalive.watching.api import watch
from keptalive.watching.hooks import PLACES
from keptalive.watching.recorder import Recorder
from keptalive.watching.running import WATCHING

from .state import MISSING


def test_a_pool_class_of_ones_own_is_left_alone():
    class OwnPool:
        def __init__(self, _host: str, _port: int | None = None, **_settings: Any) -> None:
            pass

        def urlopen(self, _method: str, _url: str, **_settings: Any) -> urllib3.HTTPResponse:
            return urllib3.HTTPResponse(status=200)

    with watch() as watched, urllib3.PoolManager() as manager:
        manager.pool_classes_by_scheme = {"http": OwnPool}
        assert manager.urlopen("GET", "http://example.test/").status == 200
    assert watched.report()["warnings"] == []


def test_an_answer_without_a_connection_is_no_opening():
    class Played(HTTPConnection):  # as vcrpy's stubs: it answers from a file
        def connect(self) -> None:
            pass

        def request(self, *_args: Any, **_settings: Any) -> None:
            pass

        def getresponse(self, *_args: Any, **_settings: Any) -> Any:
            return urllib3.HTTPResponse(headers={"Content-Length": "0"}, preload_content=False)

    if not URLLIB3_1:
        with watch() as watched, urllib3.HTTPConnectionPool("127.0.0.1", 9) as pool:
            pool.ConnectionCls = Played
            for _ in range(2):
                assert pool.urlopen("GET", "/").status == 0
        assert (watched.opened, watched.reused) == (0, 0)
        assert watched.report()["warnings"] == []


class OwnConnect(HTTPConnection):
    """Connects in its own way, as for Unix sockets."""

    def connect(self) -> None:
        self.sock = socket.create_connection((self.host, self.port), timeout=PATIENCE_S)


@pytest.mark.parametrize("own_making", [False, True])
def test_connections_of_a_class_that_connects_in_its_own_way_are_counted(serve, own_making):
    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = OwnConnect

        def _new_conn(self) -> Any:
            return OwnConnect(self.host, self.port) if own_making else super()._new_conn()

    server = serve()
    with watch() as watched:
        for _ in range(3):
            with Pool("127.0.0.1", server.port) as pool:
                for _ in range(2):
                    assert pool.urlopen("GET", "/").data == b"ok"
    assert (watched.opened, watched.reused) == (server.accepted, 3) == (3, 3)


def test_a_connection_within_anothers_connect_is_counted(serve, monkeypatch):
    names, server = serve(), serve()
    look_up = socket.getaddrinfo

    def over_http(host: str, *args: Any, **named: Any) -> Any:
        if host == "looked.up":
            requests.get(names.url, timeout=PATIENCE_S)
            host = "127.0.0.1"
        return look_up(host, *args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", over_http)
    with watch() as watched, requests.Session() as session:
        session.trust_env = False
        session.get(f"http://looked.up:{server.port}/", timeout=PATIENCE_S)
    hosts = {host["host"]: host["opened"] for host in watched.report()["hosts"]}
    assert hosts == {names.url.rstrip("/"): 1, f"http://looked.up:{server.port}": 1}


def test_what_the_programs_own_send_has_let_go_is_gone(serve):
    class Big:
        pass

    server, seen = serve(), []

    def send() -> None:
        big = Big()
        seen.append(weakref.ref(big))
        with urllib3.PoolManager() as pools:
            pools.request("GET", server.url)
            del big
            seen.append(seen[0]() is None)

    with watch():
        send()
    assert seen[1]


def test_wrappers_of_several_watches_go_whoever_is_taken_away_first():
    owner, name, _ = PLACES[0]
    first = vars(owner)[name]

    def theirs(under: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **named: under(*args, **named)

    watching = watch()
    watching.__enter__()
    inner = vars(owner)[name]
    setattr(owner, name, theirs(inner))
    watching.__exit__(None, None, None)
    outer = vars(owner)[name]
    again = watch()
    again.__enter__()
    ours = vars(owner)[name]
    setattr(owner, name, theirs(ours))
    again.__exit__(None, None, None)
    setattr(owner, name, ours)
    with watch():
        pass
    assert vars(owner)[name] is outer
    setattr(owner, name, inner)
    with watch():
        pass
    assert vars(owner)[name] is first


def test_a_connection_that_a_thread_begins_by_closing_is_closed(serve):
    server, closed = serve(), threading.Event()
    with watch() as watched:
        conn = HTTPConnection("127.0.0.1", server.port)
        conn._keptalive_seen = None

        def close(close: Callable[[], None] = conn.close) -> None:
            close()
            closed.set()

        _thread.start_new_thread(close, ())
        assert closed.wait(PATIENCE_S)
    assert watched.report()["warnings"] == []


def test_what_cannot_be_replaced_leaves_everything_as_it_was(monkeypatch):
    monkeypatch.delattr(urllib3.HTTPConnectionPool, "_prepare_proxy")
    monkeypatch.delattr(urllib3.HTTPSConnectionPool, "_prepare_proxy")
    before = [vars(owner).get(name, MISSING) for owner, name, _ in PLACES]
    with pytest.raises(AttributeError), watch():
        pass
    assert before == [vars(owner).get(name, MISSING) for owner, name, _ in PLACES]
    monkeypatch.undo()
    with watch():
        pass


class Itself(BaseAdapter):
    """An adapter of somebody's own, which is pickled with all that it has."""

    def __init__(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_what_is_pickled_or_copied_under_a_watch_does_not_know_of_us(serve):
    server = serve()
    with watch() as watched, requests.Session() as session, urllib3.PoolManager() as pools:
        session.mount("own://", Itself())
        session.get(server.url)
        assert b"keptalive" not in pickle.dumps(session)
        pools.request("GET", server.url)
        pool = pools.connection_from_url(server.url)
        for thing in (session.get_adapter(server.url), pools, pool):
            state = thing.__dict__["_keptalive_seen"]
            assert copy.deepcopy(state) is None
            assert pickle.loads(pickle.dumps(state)) is None
    assert watched.report()["warnings"] == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_can_watch_though_another_thread_was_entering_a_watch_at_the_fork():
    with WATCHING._lock:  # as the other thread, which is not in the child, would hold it
        child = os.fork()
        if child == 0:  # pragma: no cover - not seen from here
            status = 1
            try:
                with watch():
                    status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_the_report_of_a_watch_that_began_before_the_fork_says_so_in_the_child():
    with watch() as parents:
        child = os.fork()
        if child == 0:  # pragma: no cover - not seen from here
            status = 1
            try:
                with watch() as own:
                    assert own.record().warnings == ()
                [said] = parents.record().warnings
                status = int(said != running.OF_PARENT)
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        assert parents.record().warnings == ()
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("step", ["Observer", "observed"])
@pytest.mark.parametrize("is_over", [True, False])
def test_a_signal_handler_can_watch_while_a_watch_begins(monkeypatch, step, is_over):
    watching, own, handlers = running.Watching(), Recorder(), Recorder()
    begins, interruptions = getattr(running, step), []

    def interrupted(argument):
        if not interruptions:
            interruptions.append(step)
            watching.enter(handlers, handlers, time.monotonic)
            if is_over:
                watching.leave(handlers)
        return begins(argument)

    def begin():
        observer = watching.enter(own, own, time.monotonic)
        assert observer.recorders == ((own,) if is_over else (handlers, own))
        assert state() != before
        watching.leave(own)
        watching.leave(handlers)
        ended.append(state())

    def state():
        return [vars(owner).get(name) for owner, name, _ in PLACES]

    before, ended = state(), []
    monkeypatch.setattr(running, step, interrupted)
    thread = threading.Thread(target=begin, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert ended == [before]
