"""`threads=N` is a limit that no response, error or interruption can lower for good."""

from __future__ import annotations

import gc
import queue
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import FrameType
from typing import Any, cast

import pytest
import requests
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S, Server
from tests.servers.scripts import hangs_up
from tests.tuned.environment import environment

from keptalive import TunedAdapter, tuned, tuned_session
from keptalive.tuned.idle import IdleConnections
from keptalive.tuned.pools import TunedPool
from keptalive.tuned.slots import Slot

# These programs drop responses. As an error, the warning would have a traceback, which keeps them
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

TUNED = str(Path(tuned.__file__).parent)
BIG = b"x" * 1_000_000  # more than fits into the buffers of a connection


@pytest.fixture(autouse=True)
def _nothing_from_the_environment() -> Iterator[None]:
    with environment():
        yield


def big(peer: Peer) -> None:
    while peer.request():
        peer.respond(body=BIG)


# What becomes of a response


def test_streamed_responses_of_which_only_the_status_is_read_give_their_places_back() -> None:
    with Server(big) as server, tuned_session(threads=4, timeout=(0.2, PATIENCE_S)) as session:
        took_s = []
        for _ in range(20):
            began = time.monotonic()
            assert session.get(server.url, stream=True).status_code == 200
            took_s.append(time.monotonic() - began)
        assert statistics.median(took_s) < 0.1  # whatever disturbs some


ENDS: dict[str, Callable[[requests.Response], object]] = {
    "read": lambda response: response.content,
    "closed": lambda response: response.close(),
    "closed beneath requests": lambda response: response.raw.close(),
    "read beneath requests": lambda response: response.raw.read(),
    "iterated to its end": lambda response: list(response.iter_content(100_000)),
    "begun and closed": lambda response: (next(response.iter_content(10)), response.close()),
    "left by a with": lambda response: response.__exit__(),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_response_that_is_done_with_gives_its_place_back_while_it_is_kept(end: str) -> None:
    kept = []
    with Server(big) as server, tuned_session(threads=2, timeout=(0.1, PATIENCE_S)) as session:
        for _ in range(6):
            response = session.get(server.url, stream=True)
            ENDS[end](response)
            kept.append(response)


def test_a_response_without_a_body_needs_not_be_read() -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(b"HTTP/1.1 204 -\r\n\r\n")

    with Server(script) as server, tuned_session(threads=1, timeout=(0.1, PATIENCE_S)) as session:
        kept = [session.get(server.url, stream=True) for _ in range(3)]
        assert [response.status_code for response in kept] == [204] * 3


def test_a_response_in_a_reference_cycle_gives_its_place_back() -> None:
    with Server(big) as server, tuned_session(threads=1, timeout=PATIENCE_S) as session:
        gc.disable()
        try:
            for _ in range(3):
                response = session.get(server.url, stream=True)
                response.itself = response  # type: ignore[attr-defined]
                del response
        finally:
            gc.enable()


def test_who_waits_goes_on_soon_after_the_response_is_dropped() -> None:
    with Server(big) as server, tuned_session(threads=1, timeout=(30, 30)) as session:
        held = [session.get(server.url, stream=True)]
        with ThreadPoolExecutor(1) as threads:
            waits = threads.submit(lambda: session.get(server.url, stream=True).status_code)
            until_it_waits(session, server.url)
            held.clear()
            assert waits.result(PATIENCE_S) == 200  # rather than 30 s


def until_it_waits(session: requests.Session, url: str) -> None:
    pools = session.get_adapter(url).poolmanager.pools  # type: ignore[attr-defined]
    (key,) = pools.keys()
    end = time.monotonic() + PATIENCE_S
    while not pools[key]._slots._changed._waiters:
        assert time.monotonic() < end
        threading.Event().wait(0.001)


def test_with_all_responses_held_the_next_request_fails_after_the_connect_timeout() -> None:
    with Server(big) as server, tuned_session(threads=3, timeout=(0.1, 30)) as session:
        held = [session.get(server.url, stream=True) for _ in range(3)]
        began = time.monotonic()
        with pytest.raises(requests.ConnectionError) as caught:
            session.get(server.url)
        assert 0.1 <= time.monotonic() - began < PATIENCE_S  # rather than 30
        assert str(caught.value) == (
            "All 3 connections to 127.0.0.1 stayed in use for 0.1 s. Read or close streamed "
            "responses, or raise threads=."
        )
        assert [len(response.content) for response in held] == [len(BIG)] * 3
        assert session.get(server.url).ok
        assert server.accepted == 3


def test_a_request_waits_longer_for_a_connection_on_which_an_answer_is_awaited() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow(peer: Peer) -> None:
        while peer.request():
            asked.set()
            go_on.wait(PATIENCE_S)
            peer.respond()

    with Server(slow) as server, tuned_session(threads=1, timeout=(0.05, PATIENCE_S)) as session:
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(session.get, server.url)
            assert asked.wait(PATIENCE_S)
            second = threads.submit(session.get, server.url)
            assert wait([second], 0.2).done == set()
            go_on.set()
            assert [first.result(PATIENCE_S).text, second.result(PATIENCE_S).text] == ["ok"] * 2
        assert server.accepted == 1


def test_failed_requests_give_their_places_back_while_their_errors_are_kept() -> None:
    errors = []
    with Server(*[hangs_up] * 4, answers()) as server:
        with tuned_session(threads=1, timeout=(0.1, PATIENCE_S)) as session:
            for _ in range(4):
                with pytest.raises(requests.ConnectionError, match=r"(?i)aborted") as caught:
                    session.post(server.url, b"x")
                errors.append(caught.value)
            assert session.get(server.url).text == "ok"


def test_a_connection_that_a_retry_has_opened_is_kept() -> None:
    with Server(hangs_up, answers()) as server, tuned_session(threads=1) as session:
        assert [session.get(server.url).text for _ in range(3)] == ["ok"] * 3
        assert server.accepted == 2


# It may also strike in a callback of the standard library's own, such as those of dead threads
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_exception_at_any_moment_costs_no_place() -> None:
    class InterruptedHereError(Exception):
        """What the program's own signal handler raises."""

    armed, kept, moment = False, [], 0.0

    def strike(*_: object) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise InterruptedHereError

    def ask(session: requests.Session, url: str) -> None:
        nonlocal armed
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, moment)
            session.get(url)
            armed = False
        except (InterruptedHereError, requests.RequestException, OSError) as error:
            kept.append(error)  # with its traceback, and all that this refers to
        finally:
            armed = False

    before = signal.signal(signal.SIGALRM, strike)
    try:
        with Server() as server, tuned_session(threads=2, timeout=(0.5, PATIENCE_S)) as session:
            for number in range(300):
                moment = 1e-5 + number % 60 * 3e-5
                ask(session, server.url)
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert len(kept) > 20
            assert not [error for error in kept if "stayed in use" in str(error)]
            held = [session.get(server.url, stream=True) for _ in range(2)]
            with pytest.raises(requests.ConnectionError, match="stayed in use"):
                session.get(server.url)
            assert [response.text for response in held] == ["ok", "ok"]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        kept.clear()
        gc.collect()  # what was cut short when half made complains here, in no later test


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_exception_at_any_instruction_of_the_tuned_session_costs_no_place() -> None:
    class InterruptedHereError(Exception):
        """What the program's own signal handler raises: Python runs it between instructions."""

    def ask(session: requests.Session, url: str, moment: int) -> BaseException | None:
        """Raise at this instruction of keptalive's, or call of anything, and return the error."""
        seen = 0

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal seen
            ours = frame.f_code.co_filename.startswith(TUNED)
            frame.f_trace_opcodes = ours
            seen += event in ("call", "opcode")
            if seen == moment:
                sys.settrace(None)
                raise InterruptedHereError
            return trace if ours else None

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            session.get(url)
        except (InterruptedHereError, requests.RequestException, OSError) as error:
            return error
        finally:
            sys.settrace(before)
        return None if seen < moment else InterruptedHereError("dropped, as in a destructor")

    with Server() as server, tuned_session(threads=2, timeout=(0.5, PATIENCE_S)) as session:
        session.get(server.url)
        adapter = cast("TunedAdapter", session.get_adapter(server.url))
        slots = cast("TunedPool", adapter.poolmanager.connection_from_url(server.url))._slots
        assert slots
        moment = 1
        while (error := ask(session, server.url, moment)) is not None:
            places = [Slot(), Slot()]
            assert [slots.acquire(place) for place in places] == [True] * 2, moment
            for place in places:
                slots.release(place)
            del error  # its traceback kept all that was in use
            moment += 1
        assert moment > 500


# Requests within requests


@pytest.mark.parametrize("stream", [False, True])
def test_a_hook_may_send_a_request_to_the_same_host(stream: bool) -> None:
    found: list[str] = []

    def ask(response: requests.Response, **_: Any) -> None:
        found.append(session.get(server.url + "inner").text)

    with Server() as server, tuned_session(threads=1, timeout=(30, 30)) as session:
        for _ in range(3):
            outer = session.get(server.url, stream=stream, hooks={"response": ask})
            assert outer.text == "ok"
        assert found == ["ok"] * 3
        assert server.targets == ["/", "/inner"] * 3


def test_what_a_hook_opens_beyond_the_limit_is_closed_afterwards() -> None:
    ended = threading.Event()

    def inner(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        assert peer.client_closes()
        ended.set()

    def ask(response: requests.Response, **_: Any) -> None:
        session.get(server.url)
        assert ended.wait(PATIENCE_S)

    with Server(answers(), inner) as server, tuned_session(threads=1) as session:
        assert session.get(server.url, hooks={"response": ask}).text == "ok"
        assert session.get(server.url).text == "ok"
        assert server.accepted == 2


def test_a_hook_that_has_read_its_response_needs_no_second_connection() -> None:
    def ask(response: requests.Response, **_: Any) -> None:
        assert response.text == "ok"
        assert session.get(server.url).text == "ok"

    with Server() as server, tuned_session(threads=1, timeout=(1, PATIENCE_S)) as session:
        assert session.get(server.url, hooks={"response": ask}).text == "ok"
        assert server.accepted == 1


def test_hooks_on_all_threads_at_once_do_not_wait_for_each_other() -> None:
    all_there = threading.Barrier(4, timeout=PATIENCE_S)

    def ask(response: requests.Response, **_: Any) -> None:
        all_there.wait()
        assert session.get(server.url).text == "ok"

    with Server() as server, tuned_session(threads=4, timeout=(30, 30)) as session:
        with ThreadPoolExecutor(4) as threads:
            sent = [
                threads.submit(session.get, server.url, hooks={"response": ask}) for _ in range(4)
            ]
            assert [one.result(PATIENCE_S).text for one in sent] == ["ok"] * 4


def test_after_a_hook_the_limit_holds_again() -> None:
    def ask(response: requests.Response, **_: Any) -> None:
        assert session.get(server.url).text == "ok"

    with Server() as server, tuned_session(threads=1, timeout=(0.05, PATIENCE_S)) as session:
        held = session.get(server.url, stream=True, hooks={"response": ask})
        with pytest.raises(requests.ConnectionError, match=r"stayed in use for 0\.05 s"):
            session.get(server.url)
        assert held.text == "ok"


def test_a_body_may_come_from_the_same_host() -> None:
    def relayed() -> Iterator[bytes]:
        with session.get(server.url, stream=True) as response:
            yield from response.iter_content(1)

    with Server() as server, tuned_session(threads=1, timeout=(30, 30)) as session:
        assert session.put(server.url, relayed()).text == "ok"
        assert b"ok" in server.bodies
        assert session.get(server.url).text == "ok"


def test_a_hook_that_waits_for_its_own_connection_gets_an_error_soon_in_a_plain_session_too() -> (
    None
):
    def ask(response: requests.Response, **_: Any) -> None:
        session.get(server.url)

    with Server() as server, requests.Session() as session:
        session.mount("http://", TunedAdapter(10, 1, pool_block=True, timeout=(0.05, PATIENCE_S)))
        with pytest.raises(requests.ConnectionError, match=r"stayed in use for 0\.05 s"):
            session.get(server.url, hooks={"response": ask})
        assert session.get(server.url).text == "ok"


# Closing


def test_closing_a_session_fails_no_request_of_another_thread() -> None:
    with Server() as server, tuned_session(threads=4, timeout=PATIENCE_S) as session:

        def ask(number: int) -> int:
            status = session.get(server.url).status_code
            if number % 5 == 0:
                session.close()
            return status

        with ThreadPoolExecutor(12) as threads:
            assert list(threads.map(ask, range(400))) == [200] * 400


class Closing(TunedAdapter):
    """As if another thread closed the session just when a request has got its pool."""

    def get_connection_with_tls_context(self, *args: Any, **named: Any) -> Any:
        pool = super().get_connection_with_tls_context(*args, **named)
        self.close()
        return pool


@pytest.mark.parametrize("block", [False, True])
def test_a_request_that_finds_its_pool_closed_is_sent_all_the_same(block: bool) -> None:
    ended = threading.Semaphore(0)

    def script(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        assert peer.client_closes()
        ended.release()

    with Server(script) as server, requests.Session() as session:
        session.mount("http://", Closing(pool_maxsize=1, pool_block=block))
        for _ in range(3):
            assert session.get(server.url).text == "ok"
            assert ended.acquire(timeout=PATIENCE_S)  # it was not kept


def test_requests_to_more_hosts_than_are_kept_do_not_fail_each_other() -> None:
    with Server() as one, Server() as other, requests.Session() as session:
        session.mount("http://", TunedAdapter(pool_connections=1, pool_maxsize=4))
        urls = [one.url, other.url] * 100
        with ThreadPoolExecutor(6) as threads:
            found = threads.map(lambda url: session.get(url).status_code, urls)
            assert list(found) == [200] * 200


# Where idle connections are kept


class Kept:
    closed = False

    def close(self) -> None:
        self.closed = True


def test_idle_connections_are_used_again_from_the_last_one_on() -> None:
    idle, (first, second) = IdleConnections(3), (Kept(), Kept())
    idle.put(None)
    idle.put(first)
    idle.put(second)
    assert idle.qsize() == 3
    with pytest.raises(queue.Full):
        idle.put(Kept())
    assert idle.get() is second
    idle.close()
    assert (first.closed, second.closed) == (True, False)
    with pytest.raises(queue.Empty):
        idle.get()
