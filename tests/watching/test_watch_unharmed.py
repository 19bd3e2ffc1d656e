"""A watched program is none the worse for it: same results, errors, logs, warnings; no trace."""

from __future__ import annotations

import _thread
import copy
import logging
import os
import pickle
import socket
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.connection import HTTPConnection

from keptalive import tuned_session
from keptalive.watching import observer, registry
from keptalive.watching.hooks import PLACES
from keptalive.watching.watch import _WATCHING, watch

from ..clients.tuned.servers import (
    PATIENCE_S,
    URLLIB3_1,
    Authority,
    Peer,
    Server,
    answers,
    authority,
    hangs_up,
    never_answers,
)

MISSING = object()


def state() -> list[tuple[Any, str, Any, Any]]:
    """What each patched name is, and whether its owner or a base has it."""
    return [
        (owner, name, vars(owner).get(name, MISSING), getattr(owner, name))
        for owner, name, _ in PLACES
    ]


def same(one: list[tuple[Any, ...]], other: list[tuple[Any, ...]]) -> bool:
    flat = (sum(one, ()), sum(other, ()))
    return all(a is b for a, b in zip(*flat, strict=True))


@pytest.fixture(autouse=True)
def _everything_is_as_before() -> Iterator[None]:
    before = state()
    yield
    assert same(before, state())


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("unharmed"))


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:
        yield lambda *scripts, **options: stack.enter_context(Server(*scripts, **options))


@contextmanager
def unwatched() -> Iterator[None]:
    yield


# -- Nothing stays behind -----------------------------------------------------------------------


def test_while_it_lasts_every_place_is_wrapped_and_afterwards_none():
    before = state()
    with watch():
        during = state()
        assert not any(a[3] is b[3] for a, b in zip(before, during, strict=True))
        with watch():
            assert same(during, state())
        assert same(during, state())
    assert same(before, state())


def test_after_an_error_too():
    before = state()
    with pytest.raises(KeyError), watch():
        raise KeyError
    assert same(before, state())


@pytest.mark.parametrize("place", range(len(PLACES)))
def test_what_somebody_else_has_put_on_top_stays_until_they_take_it_away(place, serve, monkeypatch):
    owner, name, _ = PLACES[place]
    server = serve()
    watching = watch()
    watched = watching.__enter__()
    with monkeypatch.context() as patched:
        ours = getattr(owner, name)

        def theirs(*args: Any, **named: Any) -> Any:
            return ours(*args, **named)

        before = vars(owner)[name]
        patched.setattr(owner, name, theirs)
        requests.get(server.url)
        watching.__exit__(None, None, None)
        assert getattr(owner, name) is theirs
        requests.get(server.url)
        assert before is ours
        with watch() as another:
            requests.get(server.url)
        assert another.opened == 1
        assert another.report()["warnings"] == []
        assert getattr(owner, name) is theirs
    assert watched.opened == 1
    # what they have put back is ours, and silent: the next watch takes it away
    with watch() as third:
        requests.get(server.url)
    assert third.opened == 1


def test_a_session_is_pickled_as_before(serve):
    server = serve()
    with requests.Session() as session:

        def pickled() -> bytes:
            session.cookies = requests.cookies.RequestsCookieJar()  # has the time in it
            return pickle.dumps(session)

        before = pickled()
        with watch():
            session.get(server.url)
            within = pickled()
        assert before == within == pickled()
        with pickle.loads(within) as again, watch() as watched:
            assert again.get(server.url).text == "ok"
        assert watched.opened == 1


# -- Nothing is changed ---------------------------------------------------------------------------


def failing(kind: str, serve: Callable[..., Server], trusted: Authority) -> Callable[[], Any]:
    """A request that fails in this way."""
    if kind == "refused":
        return lambda: requests.get("http://127.0.0.1:9/", timeout=PATIENCE_S)
    if kind == "no such host":
        return lambda: requests.get("http://nowhere.invalid/", timeout=PATIENCE_S)
    if kind == "bad url":
        return lambda: requests.get("http://")
    if kind == "untrusted":
        server = serve(tls=trusted.server)
        return lambda: requests.get(server.url, timeout=PATIENCE_S)
    if kind == "timeout":
        server = serve(never_answers)
        return lambda: requests.get(server.url, timeout=0.05)
    if kind == "hung up":
        server = serve(hangs_up)
        return lambda: requests.get(server.url, timeout=PATIENCE_S)
    if kind == "urllib3":
        server = serve(hangs_up)
        pools = urllib3.PoolManager(retries=False)
        return lambda: pools.request("GET", server.url)
    server = serve(answers((302, "Location: /")))
    return lambda: requests.get(server.url)


def told(error: BaseException | None) -> list[Any]:
    """Types and arguments of an error and of all that it came from, without addresses."""
    chain: list[Any] = []
    while error is not None and len(chain) < 20:
        chain.append((type(error), len(error.args), str(error).split(" at 0x")[0]))
        chain.append((error.__suppress_context__, type(error.__cause__)))
        error = error.__cause__ or error.__context__
    return chain


@pytest.mark.parametrize(
    "kind",
    [
        "refused",
        "no such host",
        "bad url",
        "untrusted",
        "timeout",
        "hung up",
        "urllib3",
        "too many redirects",
    ],
)
def test_errors_are_the_same(kind, serve, trusted):
    fails = failing(kind, serve, trusted)
    errors = []
    for watching in (unwatched, watch, unwatched):
        with watching(), pytest.raises(Exception) as caught:  # noqa: PT011 - any, and compared
            fails()
        errors.append(told(caught.value))
    assert errors[0] == errors[1] == errors[2]


@pytest.mark.filterwarnings("ignore")
def test_results_are_the_same(serve):
    script = answers((200, "Set-Cookie: a=b", "X: 1"), (404,), (302, "Location: /y"), (200,))
    seen = []
    for watching in (unwatched, watch):
        server = serve(script)
        with watching(), requests.Session() as session:
            for _ in range(3):
                response = session.get(f"{server.url}x")
                seen.append(
                    (
                        response.status_code,
                        response.content,
                        dict(response.headers),
                        len(response.history),
                        dict(response.cookies),
                        type(response.raw),
                    )
                )
    assert seen[:3] == seen[3:]


def test_logs_are_the_same_and_so_are_their_levels(serve, caplog):
    logger = logging.getLogger("urllib3")
    levels = [logger.level, logging.getLogger("urllib3.connectionpool").level]
    lines = []
    for watching in (unwatched, watch):
        server = serve(answers((200, "Connection: close")))
        caplog.clear()
        with caplog.at_level(logging.DEBUG), watching():
            with tuned_session() as session:
                for _ in range(2):
                    session.get(server.url)
        lines.append(
            [(r.name, r.levelno, r.funcName, r.lineno, r.pathname, r.msg) for r in caplog.records]
        )
    assert lines[0] == lines[1] != []
    assert [logger.level, logging.getLogger("urllib3.connectionpool").level] == levels


def test_warnings_are_the_same_and_come_from_the_same_lines(serve, trusted):
    def warned() -> list[tuple[Any, ...]]:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            with requests.Session() as session:
                session.get(server.url, verify=False)
                response = session.get(server.url, verify=False, stream=True)
                response.raw.getheaders()
        return [(w.category, str(w.message), w.filename, w.lineno) for w in heard]

    server = serve(tls=trusted.server)
    before = warned()
    with watch():
        within = warned()
    assert before == within != []


def test_a_warning_of_an_adapter_that_names_its_caller_names_the_same(serve):
    class Warns(HTTPAdapter):
        def send(self, *args: Any, **named: Any) -> requests.Response:
            warnings.warn("from the adapter", UserWarning, stacklevel=2)
            return super().send(*args, **named)

    server = serve()
    files = []
    for watching in (unwatched, watch):
        with watching(), requests.Session() as session:
            session.mount("http://", Warns())
            with pytest.warns(UserWarning, match="from the adapter") as heard:
                session.get(server.url)
        files.append([(w.filename, w.lineno) for w in heard])
    assert files[0] == files[1]
    assert Path(files[0][0][0]).name == "sessions.py"


def test_keyboard_interrupt_passes(serve):
    class Interrupts(HTTPAdapter):
        def send(self, *_args: Any, **_named: Any) -> requests.Response:
            raise KeyboardInterrupt

    server = serve()
    with watch() as watched, requests.Session() as session:
        session.mount("http://127.0.0.2", Interrupts())
        with pytest.raises(KeyboardInterrupt):
            session.get("http://127.0.0.2/")
        session.get(server.url)
    assert watched.opened == 1
    assert watched.report()["warnings"] == []


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
    monkeypatch.delattr(urllib3.connectionpool, "is_connection_dropped")
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
    with _WATCHING._lock:  # as the other thread, which is not in the child, would hold it
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


# -- Faults of our own --------------------------------------------------------------------------

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
