"""`max_idle="learn"`: what the tuned Session learns of real servers, and what it does with it."""

from __future__ import annotations

import functools
import gc
import itertools
import logging
import os
import pickle
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import requests
from tests.servers.pki import Trusted
from tests.servers.scripted import PATIENCE_S, Peer, Script, Server, answers
from tests.servers.scripts import closes_idle, proxy, tunnel
from tests.tuned.conftest import Clock

from keptalive import TunedAdapter, tuned_session
from keptalive.tuned import pools, sockets
from keptalive.tuned.events import Sight
from keptalive.tuned.learning import Learned, Memory

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says when a FIN came")


class Scaled:
    """Stands in for `time`: this many seconds pass in one, for TCP too."""

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self.late_s = 0.0
        """By how much, in these seconds, anything was late: the machine does something else."""

    def monotonic(self) -> float:
        return time.monotonic() * self.factor

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self.factor)

    def note_late(self, since: float, expected_s: float) -> None:
        self.late_s = max(self.late_s, self.monotonic() - since - expected_s)

    def closes_idle(self, seconds: float) -> Script:
        """A server's script: close what was idle for so long, and note how late that was."""

        def script(peer: Peer) -> None:
            peer.sock.settimeout(seconds / self.factor)
            answered = self.monotonic()
            with suppress(TimeoutError):
                while peer.request():
                    answered = self.monotonic()
                    peer.respond()
            self.note_late(answered, seconds)

        return script

    def look(self, sock: Any, look: Callable[[Any], Sight | None] = sockets.look) -> Sight | None:
        sight = look(sock)
        if sight is None or sight.silent_s is None:
            return sight
        # As if each probe of TCP keepalive had been acknowledged
        silent_s = sight.silent_s * self.factor % 45
        return replace(sight, silent_s=silent_s, data_s=None, probes_s=45)


@pytest.fixture
def scaled(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Scaled]:
    def start(factor: float) -> Scaled:
        time_ = Scaled(factor)
        monkeypatch.setattr("keptalive.tuned.idle.time", time_)
        monkeypatch.setattr(sockets, "look", time_.look)
        return time_

    return start


def closes_under_a_second_request(peer: Peer) -> None:
    assert peer.request()
    peer.respond()
    peer.request()


def only(session: Any) -> Learned:
    """What is learned of the only host."""
    (learned,) = session.learned().values()
    return learned


# What the server announces


def test_a_server_that_announces_no_time_gets_a_connection_for_each_request(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, pools.__name__)
    with Server(answers((200, "Keep-Alive: timeout=1"))) as server:
        with tuned_session() as session:
            for _ in range(3):
                assert session.get(server.url).text == "ok"
        assert server.accepted == 3
    assert (
        caplog.messages
        == ["Replacing a connection to 127.0.0.1, not to be used again (Keep-Alive: timeout=1)"] * 2
    )


def test_an_announced_time_is_kept_to_by_posts_and_tried_beyond_by_gets(clock: Clock) -> None:
    with Server(answers((200, "Keep-Alive: timeout=5"))) as server, tuned_session() as session:
        session.post(server.url)
        clock.now += 4
        session.post(server.url)
        assert server.accepted == 1
        clock.now += 4.1
        session.get(server.url)
        assert server.accepted == 1
        clock.now += 4.1
        session.post(server.url)
        assert server.accepted == 2
        assert only(session).announced_s == 5
        assert only(session).max_idle_s == 4
        server.wait_for_scripts(1)  # nothing is to be learned from it: it is closed


# What was survived


def test_a_get_tries_a_connection_of_which_nothing_is_known(clock: Clock) -> None:
    with Server() as server, tuned_session() as session:
        for idle in (0, 1, 60, 3600):
            clock.now += idle
            assert session.get(server.url).text == "ok"
        assert server.accepted == 1
        assert only(session) == Learned(
            announced_s=None, kept_s=3600, closed_s=None, forgotten_s=None, max_idle_s=3240
        )
        clock.now += 3000
        session.post(server.url)
        assert server.accepted == 1


def test_a_program_that_only_posts_learns_from_the_connection_that_it_has_replaced(
    clock: Clock,
) -> None:
    with Server() as server, tuned_session() as session:
        for _ in range(8):
            session.post(server.url)
            clock.now += 10
        assert server.accepted == 2
        assert only(session).kept_s == 80


@pytest.mark.parametrize(
    "send",
    [
        lambda session, url: session.post(url, data=b"a"),
        lambda session, url: session.put(url, data=iter([b"a"])),
        lambda session, url: session.patch(url),
    ],
)
def test_what_may_not_be_sent_twice_is_sent_on_a_fresh_connection(
    clock: Clock, send: Callable[[requests.Session, str], requests.Response]
) -> None:
    scripts = closes_under_a_second_request, answers()
    with Server(*scripts) as server, tuned_session() as session:
        assert session.get(server.url).ok
        clock.now += 5
        assert send(session, server.url).ok
        assert server.accepted == 2
        assert len(server.requests) == 2


def test_a_get_that_meets_the_servers_close_is_sent_again_at_once(clock: Clock) -> None:
    scripts = closes_under_a_second_request, answers()
    with Server(*scripts) as server, tuned_session() as session:
        session.get(server.url)
        clock.now += 5
        assert session.get(server.url).ok
        assert len(server.requests) == 3
        assert only(session).closed_s == 5
        clock.now += 4.1
        session.post(server.url)
        assert server.accepted == 3  # 4 s are known to be safe


def test_without_retries_nothing_unknown_is_tried(clock: Clock) -> None:
    scripts = closes_under_a_second_request, answers()
    with Server(*scripts) as server, tuned_session(max_retries=0) as session:
        session.get(server.url)
        clock.now += 5
        assert session.get(server.url).ok
        assert len(server.requests) == 2


def test_a_program_that_retries_posts_lets_them_try(clock: Clock) -> None:
    policy = requests.adapters.Retry(2, allowed_methods=None)
    with Server() as server, tuned_session(max_retries=policy) as session:
        for _ in range(3):
            assert session.post(server.url).ok
            clock.now += 60
        assert server.accepted == 1


def test_a_close_under_a_request_without_a_pause_teaches_nothing(clock: Clock) -> None:
    scripts = closes_under_a_second_request, answers()
    with Server(*scripts) as server, tuned_session() as session:
        session.get(server.url)
        session.get(server.url)
        assert session.learned() == {}


def test_a_408_that_was_sent_before_the_request_came_counts_as_a_close(clock: Clock) -> None:
    def script(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        assert peer.request()
        peer.respond(408, "Connection: close", body=b"")

    with Server(script, answers()) as server, tuned_session() as session:
        session.get(server.url)
        clock.now += 5
        assert session.get(server.url).status_code == 408
        assert only(session).closed_s == 5


def test_a_path_that_does_not_answer_is_not_used(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "look", lambda _: Sight(readable=False, silent_s=100, probes_s=45))
    with Server() as server, tuned_session() as session:
        session.get(server.url)
        clock.now += 100
        session.get(server.url)
        assert server.accepted == 2


@pytest.mark.parametrize(("unacknowledged", "forgotten_s"), [(True, 40), (None, 40), (False, None)])
def test_a_timeout_is_the_paths_fault_unless_the_server_has_acknowledged_the_request(
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    unacknowledged: bool | None,
    forgotten_s: float | None,
) -> None:
    sight = Sight(readable=False, silent_s=40, unacknowledged=unacknowledged)
    monkeypatch.setattr(sockets, "look", lambda _: sight)

    def script(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        assert peer.request()
        assert peer.client_closes()

    with Server(script) as server, tuned_session(timeout=0.05) as session:
        session.get(server.url, timeout=PATIENCE_S)
        clock.now += 40
        with pytest.raises(requests.ReadTimeout):
            session.get(server.url)
        assert (only(session).closed_s, only(session).forgotten_s) == (None, forgotten_s)


def test_where_a_system_tells_nothing_a_get_tries_and_a_post_needs_a_response(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_TCP_INFO", None)
    with Server() as server, tuned_session() as session:
        session.get(server.url)
        clock.now += 300
        session.get(server.url)
        assert server.accepted == 1
        clock.now += 200
        session.post(server.url)
        assert server.accepted == 1


# The connection that is set aside


def watched_end(ended: list[int], number: int) -> Script:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.respond()
        ended.append(number)

    return script


def test_one_connection_is_set_aside_for_each_host_and_close_ends_it(clock: Clock) -> None:
    ended: list[int] = []
    scripts = [watched_end(ended, number) for number in range(4)]
    with Server(*scripts) as server, tuned_session() as session:
        for pause in (0, 1, 30, 300):
            clock.now += pause
            session.post(server.url)
        assert server.accepted == 4
        server.wait_for_connections(4)
        for _ in range(100):
            if len(ended) == 2:
                break
            threading.Event().wait(0.01)
        assert sorted(ended) == [1, 2]
        session.close()
        server.wait_for_scripts(4)
        assert sorted(ended) == [0, 1, 2, 3]
        assert session.learned() == {}


def test_a_session_that_is_dropped_closes_what_was_set_aside_silently(clock: Clock) -> None:
    with Server() as server, warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        session = tuned_session()
        session.post(server.url)
        clock.now += 1
        session.post(server.url)
        for adapter in session.adapters.values():
            pools.close_pools(adapter.poolmanager)
        del session, adapter
        gc.collect()
        server.wait_for_scripts(2)


def test_a_connection_beside_the_places_of_threads_is_set_aside(clock: Clock) -> None:
    with Server() as server, tuned_session(threads=1, timeout=0.5) as session:
        for _ in range(3):
            session.post(server.url, timeout=PATIENCE_S)
            clock.now += 1
        assert server.accepted == 2


# Age


def test_a_connection_is_replaced_when_it_is_too_old_however_busy(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, pools.__name__)
    with Server() as server, tuned_session(max_age=60) as session:
        for _ in range(9):
            session.get(server.url)
            clock.now += 15
        assert server.accepted == 2
        server.wait_for_scripts(1)
    assert caplog.messages == [
        "Replacing a connection to 127.0.0.1, 75.0 s old (max_age 60)",
    ]


@pytest.mark.parametrize("max_idle", [None, 30, "learn"])
def test_an_age_goes_with_any_idle_time(clock: Clock, max_idle: Any) -> None:
    with Server() as server, tuned_session(max_age=9, max_idle=max_idle) as session:
        session.get(server.url)
        clock.now += 10
        session.get(server.url)
        assert server.accepted == 2


# Processes, copies, ends


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_the_child_of_a_fork_knows_nothing_and_harms_nothing(clock: Clock) -> None:
    with Server() as server, tuned_session() as session:
        for _ in range(2):
            session.post(server.url)
            clock.now += 1
        child = os.fork()
        if not child:
            code = 1
            try:
                known = session.learned()
                session.post(server.url)
                session.close()
                code = 0 if known == {} else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert server.accepted == 3
        session.post(server.url)
        assert server.accepted == 3  # the one that was set aside is there still, and was seen
        assert only(session).kept_s == 2


def test_what_was_learned_is_not_pickled(clock: Clock) -> None:
    with Server() as server, tuned_session(max_age=7) as session:
        for _ in range(2):
            session.post(server.url)
            clock.now += 1
        assert session.learned() != {}
        with pickle.loads(pickle.dumps(session)) as copy:
            assert copy.learned() == {}
            adapter = copy.get_adapter(server.url)
            assert (adapter.max_idle, adapter.max_age) == ("learn", 7)
            copy.get(server.url)


def test_only_so_many_hosts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keptalive.tuned.learning.ROUTES_KEPT", 3)
    memory = Memory()
    routes = [memory.route(f"http://{number}.test") for number in range(5)]
    assert list(memory.learned()) == [f"http://{number}.test" for number in (2, 3, 4)]
    assert memory.route("http://4.test") is routes[4]


@pytest.mark.parametrize("max_idle", [None, 10])
def test_with_a_number_nothing_is_learned(clock: Clock, max_idle: float | None) -> None:
    with Server() as server, tuned_session(max_idle=max_idle) as session:
        session.post(server.url)
        clock.now += 9
        session.post(server.url)
        assert server.accepted == 1
        assert session.learned() == {}


# Routes


def test_each_route_has_a_name_and_a_memory_of_its_own(clock: Clock, trusted: Trusted) -> None:
    with (
        Server() as plain,
        Server(tls=trusted.server) as tls,
        Server(proxy) as forward,
        Server(tunnel(trusted.server, answers())) as through,
        tuned_session() as session,
    ):
        session.verify = trusted.bundle
        asked: list[tuple[str, dict[str, str]]] = [
            (plain.url, {}),
            (tls.url, {}),
            (plain.url, {"http": forward.url}),
            ("https://target.test/", {"https": through.url}),
        ]
        for _ in range(2):
            for url, proxies in asked:
                assert session.get(url, proxies=proxies).ok
            clock.now += 9
        assert list(session.learned()) == [
            plain.url.rstrip("/"),
            tls.url.rstrip("/"),
            forward.url.rstrip("/"),
            f"https://target.test through {through.url.rstrip('/')}",
        ]
        assert {learned.kept_s for learned in session.learned().values()} == {9}


def test_a_description_says_what_is_known_of_each_host(clock: Clock) -> None:
    with Server(answers((200, "Keep-Alive: timeout=60"))) as one, Server() as other:
        with tuned_session(max_age=600) as session:
            for _ in range(2):
                session.get(one.url)
                session.get(other.url)
                clock.now += 9
            lines = [line.strip() for line in session.describe().splitlines()]
        at = lines.index("replaced when 600 s old, before use")
        assert lines[at + 1 : at + 3] == [
            f"{one.url.rstrip('/')}: announces 60 s, kept 9 s, safe up to 54 s",
            f"{other.url.rstrip('/')}: kept 9 s, safe up to 7 s",
        ]


def test_an_adapter_says_what_it_has_learned(clock: Clock) -> None:
    with Server() as server, requests.Session() as session:
        adapter = TunedAdapter()
        session.mount("http://", adapter)
        for _ in range(2):
            session.get(server.url)
            clock.now += 9
        assert only(adapter).kept_s == 9


# Time passes


NUMBERS = itertools.count()


def undisturbed(passing: Scaled, attempt: Callable[[], None]) -> None:
    """Attempt it, up to three times while it fails and the machine was too late to tell."""
    for _ in range(2):
        passing.late_s = 0.0
        try:
            return attempt()
        except (AssertionError, requests.ConnectionError):
            if passing.late_s < 1:
                raise
    return attempt()


def opened_in(
    rounds: int,
    pause_s: float,
    session: requests.Session,
    url: str,
    passing: Scaled,
    method: str = "GET",
) -> None:
    for _ in range(rounds):
        began = passing.monotonic()
        assert session.request(method, url, data=str(next(NUMBERS))).ok
        passing.sleep(pause_s)
        passing.note_late(began, pause_s)


@linux
@pytest.mark.complete  # it is about time: nothing else may run
@pytest.mark.parametrize("timeout_s", [5, 60, 75, None])
def test_a_minute_poller_opens_no_more_than_a_plain_session_and_never_fails(
    scaled: Callable[[float], Scaled], timeout_s: float | None
) -> None:
    passing = scaled(60)  # a minute takes a second
    script = answers() if timeout_s is None else passing.closes_idle(timeout_s)

    def attempt() -> None:
        with Server(script) as server, tuned_session() as session:
            opened_in(6, 60, session, server.url, passing)
            assert len(server.requests) in (6, 7)  # one may have met the close at 60 s
            expected = {5: 6, 60: 6, 75: 1, None: 1}[timeout_s]
            assert server.accepted <= expected

    undisturbed(passing, attempt)


@linux
@pytest.mark.complete
def test_after_the_second_round_a_minute_poller_opens_no_more_than_one_that_knows_the_time(
    scaled: Callable[[float], Scaled],
) -> None:
    passing = scaled(20)  # a minute takes three seconds

    def opened(timeout_s: float | None, method: str, make: Callable[..., Any]) -> int:
        """How many connections were opened in rounds 3 to 10."""
        script = answers() if timeout_s is None else passing.closes_idle(timeout_s)
        with Server(script) as server, make() as session:
            opened_in(2, 60, session, server.url, passing, method)
            before = server.accepted
            opened_in(8, 60, session, server.url, passing, method)
            assert len(set(server.bodies)) == 10
            assert method == "GET" or len(server.requests) == 10
            return server.accepted - before

    cases = [(timeout_s, method) for timeout_s in (5, 60, 75, None) for method in ("GET", "POST")]

    def attempt() -> None:
        with ThreadPoolExecutor(3 * len(cases)) as threads:
            found = {}
            for case in cases:
                knows = functools.partial(tuned_session, max_idle=known_s(case[0]))
                makes = [tuned_session, knows]
                if case[0] != 60:  # a plain Session may fail: it asks just as the server closes
                    makes.append(requests.Session)
                found[case] = [threads.submit(opened, *case, make) for make in makes]
            for case, (learns, *others) in found.items():
                assert learns.result() <= min(other.result() for other in others), case

    undisturbed(passing, attempt)


def known_s(timeout_s: float | None) -> float | None:
    """What one would set who knows the server's time."""
    return None if timeout_s is None else timeout_s - max(1, timeout_s / 10)


@linux
@pytest.mark.complete  # it is about time: nothing else may run
def test_the_timeout_of_a_server_is_found_from_one_close(
    scaled: Callable[[float], Scaled],
) -> None:
    passing = scaled(100)

    def attempt() -> None:
        with Server(passing.closes_idle(10)) as server, tuned_session() as session:
            session.get(server.url)
            passing.sleep(30)
            session.get(server.url)
            learned = only(session)
            assert learned.kept_s is not None
            assert learned.closed_s is not None
            assert 9 < learned.kept_s <= learned.closed_s < 15

    undisturbed(passing, attempt)


@linux
@pytest.mark.complete  # it is about time: nothing else may run
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_around_the_servers_timeout_nothing_fails_and_no_post_is_sent_twice(
    scaled: Callable[[float], Scaled], method: str
) -> None:
    passing = scaled(20)  # 2 s take 0.1 s
    with Server(closes_idle(2 / passing.factor)) as server, tuned_session() as session:
        for number in range(24):
            assert session.request(method, server.url, data=str(number)).ok
            passing.sleep(1.7 + 0.025 * (number % 16))
        bodies = [body.decode() for body in server.bodies]
        if method == "POST":
            assert bodies == [str(number) for number in range(24)]
        else:
            assert list(dict.fromkeys(bodies)) == [str(number) for number in range(24)]


@linux
@pytest.mark.complete  # it is about time: nothing else may run
def test_threads_share_what_is_learned_and_lose_nothing(
    scaled: Callable[[float], Scaled],
) -> None:
    passing = scaled(20)
    with Server(closes_idle(2 / passing.factor)) as server, tuned_session(threads=4) as session:

        def work(thread: int) -> int:
            done = 0
            for number in range(12):
                method = "POST" if (thread + number) % 2 else "GET"
                done += session.request(method, server.url, data=f"{method}{thread}-{number}").ok
                passing.sleep(0.3 * ((thread * 5 + number * 3) % 8))
            return done

        with ThreadPoolExecutor(6) as threads:
            assert sum(threads.map(work, range(6))) == 72
        posts = [body for body in server.bodies if body.startswith(b"POST")]
        assert len(posts) == len(set(posts)) == 36


def over_a_long_link(peer: Peer, timeout_s: float, round_trip_s: float) -> None:
    """Close what was idle for so long; a request that leaves a round trip before that is lost."""
    while True:
        peer.sock.settimeout(timeout_s - round_trip_s)
        try:
            request = peer.request()
        except TimeoutError:
            time.sleep(round_trip_s)  # the FIN is on its way, and so may be a request
            return
        if request is None:
            return
        time.sleep(round_trip_s)
        peer.respond()


@linux
@pytest.mark.complete
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_of_a_thousand_requests_around_the_timeout_over_a_long_link_none_fails(
    method: str,
) -> None:
    def failures(make: Callable[[], requests.Session], client: int, each: int) -> int:
        failed, chance = 0, random.Random(client)
        with make() as session:
            for number in range(each):
                try:
                    session.request(method, server.url, data=f"{client}-{number}")
                except requests.ConnectionError:
                    failed += 1
                time.sleep(chance.uniform(0.24, 0.32))
        return failed

    with Server(lambda peer: over_a_long_link(peer, 0.3, 0.02)) as server:
        with ThreadPoolExecutor(20) as threads:
            tuned = threads.map(lambda client: failures(tuned_session, client, 50), range(20))
            assert sum(tuned) == 0
            bodies = server.bodies
            if method == "POST":
                assert len(bodies) == len(set(bodies)) == 1000
            else:
                assert len(set(bodies)) == 1000
            plain = threads.map(lambda client: failures(requests.Session, client, 10), range(20))
            assert sum(plain) > 10


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())  # those of a server that is ending may end meanwhile
    yield
    assert set(threading.enumerate()) <= before
