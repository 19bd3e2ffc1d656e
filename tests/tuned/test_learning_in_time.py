"""What the tuned Session learns holds while time passes, in scale: its requests fail nowhere."""

from __future__ import annotations

import functools
import itertools
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import requests
from tests.servers.peer import Peer, Script, answers
from tests.servers.scripted import Server
from tests.servers.scripts import closes_idle, over_a_long_link
from tests.tuned.conftest import only

from keptalive import tuned_session
from keptalive.tuned import sockets
from keptalive.tuned.events import Sight

pytestmark = pytest.mark.usefixtures("no_thread_is_left")
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
            while peer.request():
                answered = self.monotonic()
                peer.respond()
                if peer.is_idle_for(seconds / self.factor):
                    self.note_late(answered, seconds)
                    return

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


NUMBERS = itertools.count()


def undisturbed(passing: Scaled, attempt: Callable[[], None]) -> None:
    """Attempt it, up to five times while it fails and the machine was too late to tell."""
    for _ in range(4):
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
    passing = scaled(20)  # 10 s take half a second

    def attempt() -> None:
        with Server(passing.closes_idle(10)) as server, tuned_session() as session:
            began = passing.monotonic()
            session.get(server.url)
            passing.note_late(began, 0)  # who reads the response late has it idle for less
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
    passing = scaled(5)  # a second that is known to be safe takes 0.2 s
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

    with Server(over_a_long_link(0.3, 0.02)) as server:
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
