"""What a fork's child inherits: a Session that works, and nothing that is its parent's."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.servers.peer import Peer, answers
from tests.servers.pki import Trusted
from tests.servers.scripted import PATIENCE_S, Server
from tests.tuned.environment import environment

from keptalive import TunedAdapter, TunedSession, tuned_session

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

IMPORTS = """
import sys
from keptalive import tuned_session
with tuned_session() as session:
    before = set(sys.modules)
    session.get(sys.argv[1], verify=sys.argv[2]).text
    print(sorted(set(sys.modules) - before))
"""


@pytest.fixture(autouse=True)
def _forks_with_threads() -> Iterator[None]:
    with warnings.catch_warnings(), environment():
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        yield


def in_a_child(work: Callable[[], object]) -> str:
    """What this returns in the child of a fork; "hung" if it does not return."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writable, str(work()).encode())
        except BaseException as error:  # noqa: BLE001
            os.write(writable, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as end:
        said = end.read() if select.select([end], [], [], PATIENCE_S)[0] else "hung"
    if said == "hung":
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return said


def elsewhere(begin: Callable[[], Any], end: Callable[[], Any]) -> Callable[[], None]:
    """Another thread begins this, and ends it when the returned function is called."""
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begin()
        begun.set()
        go_on.wait(PATIENCE_S)
        end()

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(PATIENCE_S)

    def finish() -> None:
        go_on.set()
        thread.join(PATIENCE_S)

    return finish


def test_a_child_does_not_wait_for_the_thread_that_loaded_a_bundle_at_the_fork(
    trusted: Trusted,
) -> None:
    parent, loading, go_on = os.getpid(), threading.Event(), threading.Event()

    class Slow(TunedAdapter):
        def new_context(self, cert_reqs: Any) -> Any:
            if os.getpid() == parent:
                loading.set()
                go_on.wait(PATIENCE_S)
            return super().new_context(cert_reqs)

    with Server(tls=trusted.server) as server, TunedSession(Slow()) as session:
        session.verify = trusted.bundle
        thread = threading.Thread(target=session.get, args=[server.url])
        thread.start()
        assert loading.wait(PATIENCE_S)
        assert in_a_child(lambda: session.get(server.url).text) == "ok"
        go_on.set()
        thread.join(PATIENCE_S)


LOCKS: dict[str, Callable[[TunedSession, str], Any]] = {
    "cookies": lambda session, _: session.cookies._cookies_lock,
    "pools": lambda session, url: session.get_adapter(url).poolmanager.pools.lock,
    "places": lambda session, url: only_pool(session, url)._slots._lock,
    "trust": lambda session, url: session.get_adapter(url)._trust._lock,
}


def only_pool(session: requests.Session, url: str) -> Any:
    pools = session.get_adapter(url).poolmanager.pools
    (key,) = pools.keys()
    return pools[key]


@pytest.mark.parametrize("name", LOCKS)
def test_a_child_waits_for_no_lock_that_another_thread_held_at_the_fork(
    trusted: Trusted, name: str
) -> None:
    with Server(tls=trusted.server) as server, tuned_session(threads=1) as session:
        session.verify = trusted.bundle
        assert session.get(server.url).text == "ok"
        lock = LOCKS[name](session, server.url)
        finish = elsewhere(lock.acquire, lock.release)
        try:
            # Closed, too: it goes through all pools
            assert in_a_child(lambda: (session.get(server.url).text, session.close())[0]) == "ok"
        finally:
            finish()
        assert session.get(server.url).text == "ok"
        assert server.accepted == 2


def test_a_child_has_all_places_while_the_parents_are_in_use() -> None:
    with Server() as server, tuned_session(threads=2, timeout=(0.1, PATIENCE_S)) as session:
        held = [session.get(server.url, stream=True) for _ in range(2)]

        def ask() -> list[str]:
            mine = [session.get(server.url, stream=True) for _ in range(2)]
            return [response.text for response in mine]

        assert in_a_child(ask) == "['ok', 'ok']"
        with pytest.raises(requests.ConnectionError, match="stayed in use"):
            session.get(server.url)
        assert [response.text for response in held] == ["ok", "ok"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_parents_connection_is_neither_used_nor_ended_by_its_child(
    trusted: Trusted, scheme: str
) -> None:
    served: list[int] = []

    def script(peer: Peer) -> None:
        mine = len(served)
        served.append(0)
        while peer.request():
            served[mine] += 1
            peer.respond()

    tls = trusted.server if scheme == "https" else None
    with Server(script, tls=tls) as server, tuned_session() as session:
        session.verify = trusted.bundle

        def ask() -> str:
            with session:  # closed at the end
                return session.get(server.url).text

        assert session.get(server.url).text == "ok"
        assert [in_a_child(ask) for _ in range(2)] == ["ok", "ok"]
        assert session.get(server.url).text == "ok"
        assert served == [2, 1, 1]


def test_a_child_closes_its_copy_of_an_idle_connection_so_that_the_parent_can_end_it() -> None:
    ended = threading.Event()

    def script(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        assert peer.client_closes()
        ended.set()

    forked, go_on = os.pipe(), os.pipe()
    with Server(script, answers()) as server, tuned_session() as session:
        kept = session.get(server.url)  # and with it its pool
        assert kept.text == "ok"
        child = os.fork()
        if child == 0:
            session.get(server.url)
            os.write(forked[1], b"x")
            os.read(go_on[0], 1)
            os._exit(0)
        os.read(forked[0], 1)
        session.close()
        assert ended.wait(PATIENCE_S)  # while the child lives
        os.write(go_on[1], b"x")
        os.waitpid(child, 0)
    for end in (*forked, *go_on):
        os.close(end)


def test_a_response_that_a_child_closes_can_still_be_read_by_the_parent(
    trusted: Trusted,
) -> None:
    with Server(tls=trusted.server) as server, tuned_session(threads=1) as session:
        session.verify = trusted.bundle
        held = session.get(server.url, stream=True)

        def ask() -> str:
            held.close()
            return session.get(server.url).text

        assert in_a_child(ask) == "ok"
        assert held.text == "ok"
        assert session.get(server.url).text == "ok"
        assert server.accepted == 2


def test_a_child_closes_a_response_of_its_parents_without_the_parents_locks() -> None:
    with Server() as server, tuned_session(threads=1) as session:
        held = session.get(server.url, stream=True)
        lock = only_pool(session, server.url)._slots._lock
        finish = elsewhere(lock.acquire, lock.release)
        try:
            assert in_a_child(lambda: (held.close(), session.get(server.url).text)[1]) == "ok"
        finally:
            finish()
        assert held.text == "ok"


def test_a_hook_may_fork_and_both_may_send_requests() -> None:
    said: list[str] = []

    with Server() as server, tuned_session(threads=1, timeout=PATIENCE_S) as session:

        def fork(response: requests.Response, **_: Any) -> None:
            said.append(in_a_child(lambda: session.get(server.url).text))

        assert session.get(server.url, hooks={"response": fork}).text == "ok"
        assert said == ["ok"]
        assert session.get(server.url).text == "ok"
        assert server.accepted == 2


def test_a_request_that_goes_on_in_the_child_leaves_nothing_in_the_parents_pool() -> None:
    with Server() as server, tuned_session(threads=1, timeout=PATIENCE_S) as session:
        parent = os.getpid()
        readable, writable = os.pipe()

        def body() -> Iterator[bytes]:
            if os.fork() == 0:
                raise ConnectionResetError  # the child's request fails
            yield b"body"

        try:
            outcome = session.put(server.url, body()).text
        except requests.ConnectionError:
            outcome = "failed"
        if os.getpid() != parent:
            try:
                os.write(writable, f"{outcome}, then {session.get(server.url).text}".encode())
            finally:
                os._exit(0)
        os.close(writable)
        with os.fdopen(readable) as end:
            assert end.read() == "failed, then ok"
        os.wait()
        assert outcome == "ok"
        assert session.get(server.url).text == "ok"


def test_a_child_of_a_child_works_too(trusted: Trusted) -> None:
    with Server(tls=trusted.server) as server, tuned_session(threads=1) as session:
        session.verify = trusted.bundle
        held = session.get(server.url, stream=True)

        def child() -> str:
            mine = session.get(server.url, stream=True)
            theirs = in_a_child(lambda: session.get(server.url).text)
            return f"{mine.text} {theirs} {session.get(server.url).text}"

        assert in_a_child(child) == "ok ok ok"
        assert held.text == "ok"
        assert server.accepted == 3


def test_threads_of_a_child_share_its_places(trusted: Trusted) -> None:
    with Server(tls=trusted.server) as server, tuned_session(threads=2) as session:
        session.verify = trusted.bundle
        assert session.get(server.url).text == "ok"

        def child() -> int:
            start = threading.Barrier(8)

            def ask() -> None:
                start.wait()
                session.get(server.url)

            threads = [threading.Thread(target=ask) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return len(only_pool(session, server.url).pool.queue)

        assert in_a_child(child) in ("1", "2")
        assert server.accepted <= 3
        assert len(server.requests) == 9


def _asked_by_a_worker(session: requests.Session, url: str, answer: Any) -> None:
    answer.send(session.get(url).text)


def test_a_worker_of_multiprocessing_can_use_a_session_that_it_inherits() -> None:
    with Server() as server, tuned_session(threads=1) as session:
        held = session.get(server.url, stream=True)
        here, there = multiprocessing.Pipe()
        worker = multiprocessing.get_context("fork").Process(
            target=_asked_by_a_worker, args=(session, server.url, there)
        )
        worker.start()
        assert here.poll(PATIENCE_S)
        assert here.recv() == "ok"
        worker.join(PATIENCE_S)
        assert worker.exitcode == 0
        assert held.text == "ok"


def test_a_first_request_imports_nothing_whose_lock_a_child_could_inherit(
    trusted: Trusted, tmp_path: Path
) -> None:
    with Server(tls=trusted.server) as server:
        ran = subprocess.run(
            [sys.executable, "-c", IMPORTS, server.url, trusted.bundle],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "HOME": str(tmp_path)},
        )
    assert (ran.stdout, ran.stderr) == ("[]\n", "")
