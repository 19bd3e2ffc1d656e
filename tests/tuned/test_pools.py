"""No connection is used past its time, no place in a pool is lost, no spent body is sent again."""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from tests.servers.fixtures import listening_later
from tests.servers.peer import Peer, Script, answers
from tests.servers.pki import Trusted
from tests.servers.scripted import PATIENCE_S, Server
from tests.servers.scripts import hangs_up, tunnel
from tests.tuned.conftest import Clock
from tests.versions import REQUESTS, URLLIB3_1
from urllib3.util import Retry

from keptalive import TunedAdapter, tuned_session
from keptalive.tuned import SafeRetry, pools

# Before 2.29 requests sent chunked bodies past urllib3, and so past every retry
CHUNKS_THROUGH_URLLIB3 = REQUESTS >= (2, 29)
# A place that does not come back soon is an error; a server that is late is none
SOON = (0.5, PATIENCE_S)


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def opened(log: pytest.LogCaptureFixture) -> list[str]:
    """What urllib3 said of connections: "Starting" one, "Resetting" one."""
    return [
        record.getMessage().split()[0]
        for record in log.records
        if record.name == "urllib3.connectionpool"
        and record.getMessage().startswith(("Starting new", "Resetting dropped"))
    ]


# Idle connections


@dataclass
class Way:
    """One of the ways to a server: direct, over TLS, through a proxy."""

    name: str
    trusted: Trusted
    settings: dict[str, Any] = field(default_factory=dict)

    @contextlib.contextmanager
    def to(self, *scripts: Script) -> Iterator[tuple[str, Server]]:
        """A URL that leads to these scripts."""
        if self.name == "tunnel":
            scripts = tuple(tunnel(self.trusted.server, script) for script in scripts)
        with Server(*scripts, tls=self.trusted.server if self.name == "https" else None) as server:
            url = server.url
            self.settings["verify"] = self.trusted.bundle
            if self.name == "forwarded":
                self.settings["proxies"], url = {"http": server.url}, "http://target.test/"
            if self.name == "tunnel":
                self.settings["proxies"], url = {"https": server.url}, "https://target.test/"
            yield url, server

    def get(self, session: requests.Session, url: str) -> requests.Response:
        return session.get(url, **self.settings)


@pytest.fixture(params=["http", "https", "forwarded", "tunnel"])
def way(request: pytest.FixtureRequest, trusted: Trusted) -> Way:
    return Way(request.param, trusted)


def test_a_connection_idle_too_long_is_closed_and_replaced_before_use(
    way: Way, clock: Clock, log: pytest.LogCaptureFixture
) -> None:
    ended = threading.Event()

    def first(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        assert peer.client_closes()
        ended.set()

    with way.to(first, answers()) as (url, server), tuned_session(max_idle=10) as session:
        assert way.get(session, url).text == "ok"
        clock.now += 10.1
        assert way.get(session, url).text == "ok"
        assert ended.wait(PATIENCE_S)
        assert server.accepted == 2
        assert opened(log) == ["Starting", "Starting"]
        host = "target.test" if way.name == "tunnel" else "127.0.0.1"
        assert [f"Replacing a connection to {host}, idle for 10.1 s (max_idle 10)"] == [
            record.getMessage() for record in log.records if record.name == pools.__name__
        ]


def test_a_connection_idle_no_longer_than_allowed_is_used_again(
    way: Way, clock: Clock, log: pytest.LogCaptureFixture
) -> None:
    with way.to(answers()) as (url, server), tuned_session(max_idle=10) as session:
        for _ in range(3):
            assert way.get(session, url).text == "ok"
            clock.now += 10.0
        assert server.accepted == 1
        assert opened(log) == ["Starting"]


def test_without_a_limit_no_connection_is_replaced(
    way: Way, clock: Clock, log: pytest.LogCaptureFixture
) -> None:
    with way.to(answers()) as (url, server), tuned_session(max_idle=None) as session:
        assert way.get(session, url).text == "ok"
        clock.now += 1e9
        assert way.get(session, url).text == "ok"
        assert server.accepted == 1
        assert opened(log) == ["Starting"]


@pytest.mark.parametrize("idle", [0, 100])
def test_a_connection_that_the_server_dropped_is_reset_as_ever(
    way: Way, clock: Clock, log: pytest.LogCaptureFixture, idle: float
) -> None:
    dropped = threading.Event()

    def first(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        peer.close()
        dropped.set()

    with way.to(first, answers()) as (url, server), tuned_session(max_idle=10) as session:
        assert way.get(session, url).text == "ok"
        assert dropped.wait(PATIENCE_S)
        clock.now += idle
        assert way.get(session, url).text == "ok"
        assert server.accepted == 2
        # urllib3 1.26 cannot open a tunnel anew on the same object, and takes another one
        anew = ["Starting"] if URLLIB3_1 and way.name == "tunnel" else []
        assert opened(log) == ["Starting", "Resetting", *anew]


def test_time_in_use_is_not_idle_time(clock: Clock, log: pytest.LogCaptureFixture) -> None:
    with Server() as server, tuned_session(max_idle=10) as session:
        response = session.get(server.url, stream=True)
        clock.now += 100
        assert response.text == "ok"
        clock.now += 5
        assert session.get(server.url).text == "ok"
        assert server.accepted == 1
        assert opened(log) == ["Starting"]


def test_each_of_several_idle_connections_is_judged_by_its_own_time(clock: Clock) -> None:
    with Server() as server, tuned_session(max_idle=10) as session:
        first, second = (session.get(server.url, stream=True) for _ in range(2))
        assert first.text == "ok"
        clock.now += 8
        assert second.text == "ok"
        clock.now += 8  # the first is idle for 16 s, the second for 8
        again = [session.get(server.url, stream=True) for _ in range(2)]
        assert [response.text for response in again] == ["ok", "ok"]
        assert server.accepted == 3


def test_a_plain_session_keeps_what_a_tuned_one_replaces(clock: Clock) -> None:
    with Server() as server, requests.Session() as session:
        for _ in range(2):
            assert session.get(server.url).text == "ok"
            clock.now += 1000
        assert server.accepted == 1


# Threads


def test_eight_threads_share_two_connections() -> None:
    both_busy = threading.Barrier(2, timeout=PATIENCE_S)

    def script(peer: Peer) -> None:
        while peer.request():
            both_busy.wait()
            peer.respond()

    with Server(script) as server, tuned_session(threads=2) as session:
        with ThreadPoolExecutor(8) as threads:
            found = threads.map(lambda _: session.get(server.url).text, range(8))
            assert list(found) == ["ok"] * 8
        assert server.accepted == 2
        assert len(server.requests) == 8


def test_without_a_number_of_threads_any_number_of_connections_is_opened() -> None:
    all_busy = threading.Barrier(12, timeout=PATIENCE_S)

    def script(peer: Peer) -> None:
        while peer.request():
            all_busy.wait()
            peer.respond()

    with Server(script) as server, tuned_session() as session:
        with ThreadPoolExecutor(12) as threads:
            found = threads.map(lambda _: session.get(server.url).text, range(12))
            assert list(found) == ["ok"] * 12
        assert server.accepted == 12


def test_one_thread_too_many_gets_an_error_until_a_response_is_read() -> None:
    with Server() as server, tuned_session(threads=1, timeout=(0.04, 0.01)) as session:
        unread = session.get(server.url, stream=True, timeout=PATIENCE_S)
        with pytest.raises(requests.ConnectionError) as caught:
            session.get(server.url)
        assert type(caught.value) is requests.ConnectionError
        assert str(caught.value) == (
            "The only connection to 127.0.0.1 stayed in use for 0.04 s. Read or close streamed "
            "responses, or raise threads=."
        )
        assert caught.value.request.url == server.url
        assert unread.text == "ok"
        assert session.get(server.url, timeout=PATIENCE_S).text == "ok"
        assert server.accepted == 1
        assert len(server.requests) == 2


def test_closing_an_unread_response_gives_its_place_to_a_new_connection() -> None:
    with Server() as server, tuned_session(threads=1, timeout=PATIENCE_S) as session:
        with session.get(server.url, stream=True):
            pass
        assert session.get(server.url).text == "ok"
        assert server.accepted == 2


def breaks_off(peer: Peer) -> None:
    assert peer.request()
    peer.send(b"HTTP/1.1 200 -\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")


def test_a_response_that_broke_off_gives_its_place_back() -> None:
    scripts = breaks_off, breaks_off, answers()
    with Server(*scripts) as server, tuned_session(threads=1, timeout=SOON) as session:
        for _ in range(2):
            with pytest.raises(requests.exceptions.ChunkedEncodingError):
                session.get(server.url)
        assert session.get(server.url).text == "ok"


def test_requests_that_failed_give_their_places_back() -> None:
    scripts = hangs_up, hangs_up, answers()
    with Server(*scripts) as server, tuned_session(threads=1, timeout=SOON) as session:
        for _ in range(2):
            with pytest.raises(requests.ConnectionError, match=r"(?i)connection aborted"):
                session.post(server.url)
        assert session.get(server.url).text == "ok"


def test_a_retry_needs_no_second_place() -> None:
    scripts = hangs_up, answers()
    with Server(*scripts) as server, tuned_session(threads=1, timeout=SOON) as session:
        assert session.get(server.url).status_code == 200
        assert server.accepted == 2


def test_a_redirect_needs_no_second_place() -> None:
    with Server(answers((302, "Location: /there"), (200,))) as server:
        with tuned_session(threads=1, timeout=SOON) as session:
            assert session.get(server.url, stream=True).text == "ok"
        assert server.targets == ["/", "/there"]


def test_raise_for_status_as_a_hook_does_not_take_the_place_along() -> None:
    def complain(response: requests.Response, **_: Any) -> None:
        response.raise_for_status()  # before the body is read

    with Server(answers((404,), (200,))) as server:
        with tuned_session(threads=1, timeout=0.05) as session:
            session.hooks["response"].append(complain)
            with pytest.raises(requests.HTTPError) as caught:
                session.get(server.url, timeout=PATIENCE_S)
            assert session.get(server.url, timeout=PATIENCE_S).text == "ok"
            assert caught.value.response.text == "ok"


def test_a_failed_upload_gives_its_place_back() -> None:
    with Server(hangs_up, answers()) as server, tuned_session(threads=1, timeout=SOON) as session:
        with pytest.raises(requests.ConnectionError):
            session.put(server.url, iter([b"one"]))
        assert session.get(server.url).text == "ok"


def test_places_are_counted_for_each_host() -> None:
    with Server() as one, Server() as other, tuned_session(threads=1, timeout=SOON) as session:
        unread = session.get(one.url, stream=True)
        assert session.get(other.url).text == "ok"
        assert unread.text == "ok"


def test_connections_of_as_many_hosts_are_kept_as_asked_for() -> None:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Server()) for _ in range(12)]
        session = stack.enter_context(tuned_session(hosts=12))
        for server in servers * 2:
            assert session.get(server.url).text == "ok"
        assert [server.accepted for server in servers] == [1] * 12


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threads": 0}, "threads must be at least 1, not 0"),
        ({"hosts": -1}, "hosts must be at least 1, not -1"),
        (
            {"max_idle": 0},
            'max_idle must be "learn", more than 0 seconds, or None for never, not 0',
        ),
        ({"timeout": "x"}, "timeout must be seconds, a pair of them, or None, not 'x'"),
        ({"timeout": 0}, "timeout must be seconds, a pair of them, or None, not 0"),
        ({"timeout": (1, "2")}, "timeout must be seconds, a pair of them, or None, not (1, '2')"),
        ({"timeout": (1, 2, 3)}, "timeout must be seconds, a pair of them, or None, not (1, 2, 3)"),
        (
            {"max_idle": -2.5},
            'max_idle must be "learn", more than 0 seconds, or None for never, not -2.5',
        ),
    ],
)
def test_a_number_that_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        tuned_session(**settings)
    assert str(caught.value) == message


# Bodies


class Stream:
    """Read once, from the beginning to the end."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = list(parts)

    def read(self, _: int = -1) -> bytes:
        return self._parts.pop(0) if self._parts else b""

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.read, b"")


class StreamOfKnownLength(Stream):
    len = 6


class Watched:
    """As a progress bar around a generator: something to iterate over, but only once."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter(parts)

    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts


def piped(*parts: bytes) -> io.BufferedReader:
    """A file that has ``seek`` and cannot."""
    readable, writable = os.pipe()
    with os.fdopen(writable, "wb") as end:
        end.write(b"".join(parts))
    return os.fdopen(readable, "rb")


ONE_SHOT = {
    "generator": lambda: (part for part in (b"one", b"two")),
    "iterator": lambda: iter([b"one", b"two"]),
    "stream": lambda: Stream(b"one", b"two"),
    "stream of known length": lambda: StreamOfKnownLength(b"one", b"two"),
    "pipe": lambda: piped(b"one", b"two"),
    "progress bar": lambda: Watched([b"one", b"two"]),
}


@pytest.fixture(params=ONE_SHOT)
def one_shot(request: pytest.FixtureRequest) -> Iterator[Any]:
    body = ONE_SHOT[request.param]()
    yield body
    if hasattr(body, "close"):
        body.close()


def test_a_spent_body_is_not_sent_again_when_the_connection_breaks(one_shot: Any) -> None:
    with Server(hangs_up, answers()) as server, tuned_session() as session:
        with pytest.raises(requests.ConnectionError):
            session.put(server.url, one_shot)
        assert server.bodies == [b"onetwo"]


def test_a_spent_body_is_not_sent_again_after_a_status(one_shot: Any) -> None:
    with Server(answers((503, "Retry-After: 0"), (200,))) as server, tuned_session() as session:
        assert session.put(server.url, one_shot).status_code == 503
        assert server.bodies == [b"onetwo"]


def test_a_spent_body_is_not_sent_again_by_the_users_own_policy(one_shot: Any) -> None:
    policy = Retry(3, allowed_methods=None, backoff_factor=0)
    with Server(hangs_up, answers()) as server, tuned_session(max_retries=policy) as session:
        with pytest.raises(requests.ConnectionError):
            session.post(server.url, one_shot)
        assert server.bodies == [b"onetwo"]


@pytest.mark.skipif(
    not CHUNKS_THROUGH_URLLIB3, reason="this requests retries nothing that is sent in chunks"
)
@pytest.mark.parametrize("make", [ONE_SHOT[name] for name in ("generator", "stream")])
def test_a_plain_session_that_retries_sends_a_spent_body_again_as_if_it_were_empty(
    make: Any,
) -> None:
    with Server(hangs_up, answers()) as server, requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=Retry(3)))
        assert session.put(server.url, make()).status_code == 200
        assert server.bodies == [b"onetwo", b""]


@pytest.mark.skipif(
    not CHUNKS_THROUGH_URLLIB3, reason="this requests retries nothing that is sent in chunks"
)
def test_a_body_that_nobody_has_read_is_still_whole_when_connecting_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(listening_later())
        server = Server(listener=sock)

        def begin(*_: object) -> None:
            sock.listen()
            stack.enter_context(server)

        monkeypatch.setattr(SafeRetry, "sleep", begin)
        session = stack.enter_context(tuned_session())
        assert session.put(server.url, iter([b"one", b"two"])).status_code == 200
        assert server.bodies == [b"onetwo"]


def test_a_body_that_can_be_read_again_is_sent_again_whole(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    path = tmp_path / "content"
    path.write_bytes(content)
    form = [("name", "one"), ("name", "two & three")]
    with path.open("rb") as whole, path.open("rb") as rest, path.open("rb") as attached:
        rest.seek(1000)
        kinds = {
            "bytes": ({"data": content}, content),
            "text": ({"data": "green"}, b"green"),
            "form": ({"data": form}, b"name=one&name=two+%26+three"),
            "json": ({"json": {"a": [1]}}, None),
            "file": ({"data": whole}, content),
            "rest of a file": ({"data": rest}, content[1000:]),
            "buffer": ({"data": io.BytesIO(content)}, content),
            "attachment": ({"files": {"it": attached}}, None),
        }
        for name, (given, expected) in kinds.items():
            with Server(hangs_up, answers()) as server, tuned_session() as session:
                assert (name, session.put(server.url, **given).status_code) == (name, 200)
                first, second = server.bodies
                assert first == second, name
                assert expected is None or expected == first, name


def test_a_list_of_parts_is_sent_again_whole() -> None:
    with Server(hangs_up, answers()) as server, tuned_session() as session:
        prepared = session.prepare_request(requests.Request("PUT", server.url))
        prepared.body = [b"one", b"two"]
        del prepared.headers["Content-Length"]
        prepared.headers["Transfer-Encoding"] = "chunked"
        if CHUNKS_THROUGH_URLLIB3:
            assert session.send(prepared).status_code == 200
            assert server.bodies == [b"onetwo", b"onetwo"]
        else:
            with pytest.raises(requests.ConnectionError):
                session.send(prepared)
            assert server.bodies == [b"onetwo"]


def test_a_body_may_come_from_the_same_session() -> None:
    with Server() as source, Server() as target, tuned_session() as session:

        def relayed() -> Iterator[bytes]:
            with session.get(source.url, stream=True) as response:
                yield from response.iter_content(1)

        assert session.put(target.url, relayed()).text == "ok"
        assert target.bodies == [b"ok"]


def test_a_tuned_class_of_pools_is_not_tuned_again() -> None:
    limits, others = TunedAdapter(max_idle=5), TunedAdapter(max_idle=7)
    made = pools.tuned_class(pools.HTTPConnectionPool, limits)
    assert made.limits is limits
    assert pools.tuned_class(made, others) is made


def test_what_a_hook_raises_does_not_take_the_place_along() -> None:
    class ApiError(Exception):
        """Not one of requests' own."""

    def complain(response: requests.Response, **_: Any) -> None:
        if response.status_code == 404:
            raise ApiError

    with Server(answers((404,), (200,))) as server:
        with tuned_session(threads=1, timeout=0.05) as session:
            session.hooks["response"].append(complain)
            with pytest.raises(ApiError):
                session.get(server.url, timeout=PATIENCE_S)
            assert session.get(server.url, timeout=PATIENCE_S).text == "ok"
            assert server.accepted == 1


def test_who_waits_for_a_place_goes_on_when_the_session_is_closed() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        asked.set()
        go_on.wait(PATIENCE_S)
        peer.respond()

    with Server(script, answers()) as server, tuned_session(threads=1, timeout=None) as session:
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(session.get, server.url)
            assert asked.wait(PATIENCE_S)
            second = threads.submit(session.get, server.url)
            pool = next(iter(session.get_adapter(server.url).poolmanager.pools._container.values()))
            while not pool._slots._changed._waiters:  # until it waits
                threading.Event().wait(0.001)
            session.close()
            assert second.result(PATIENCE_S / 2).text == "ok"
            go_on.set()
            assert first.result(PATIENCE_S).text == "ok"


def test_a_limit_that_is_changed_holds_from_then_on(clock: Clock) -> None:
    with Server() as server, tuned_session(max_idle=10) as session:
        session.get(server.url)
        session.get_adapter(server.url).max_idle = 3
        clock.now += 5
        session.get(server.url)
        assert server.accepted == 2


def test_a_session_that_is_dropped_closes_its_sockets_without_the_garbage_collector() -> None:
    ended = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.respond()
        peer.request()  # returns at the connection's end
        ended.set()

    gc.disable()
    try:
        with Server(script) as server:
            session = tuned_session()
            session.get(server.url)
            del session
            assert ended.wait(PATIENCE_S)
    finally:
        gc.enable()


def test_a_retry_gets_a_new_connection_though_other_idle_ones_are_there() -> None:
    """They may have been closed by the server as well, and a policy allows for few tries."""
    together = threading.Barrier(4)

    def answers_once_then_hangs_up_beside_others(peer: Peer) -> None:
        assert peer.request()
        together.wait(PATIENCE_S)
        peer.respond()
        peer.request()

    policy = Retry(1, backoff_factor=0)
    scripts = [answers_once_then_hangs_up_beside_others] * 4
    with Server(*scripts, answers()) as server, tuned_session(max_retries=policy) as session:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: session.get(server.url), range(4)))
        assert session.get(server.url).text == "ok"
        assert server.accepted == 5
