"""A watch that goes on for weeks: a window that moves, bounded memory, and nothing uncounted."""

from __future__ import annotations

import gc
import json
import math
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from tests.marks import complete
from tests.servers.peer import answers
from tests.servers.scripted import PATIENCE_S, Server

from keptalive import interactive
from keptalive.errors import UsageError
from keptalive.watching import ledger, route_counts, windows
from keptalive.watching.api import Watch, watch
from keptalive.watching.recorder import Recorder

HOUR = 3600.0
PROGRAM = Path(__file__).parents[1] / "data" / "programs" / "long_watch_memory.py"


class Clock:
    """A clock that a test sets forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server():
    with Server(answers()) as running:
        yield running


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(ledger, "KEPT", 6)
    monkeypatch.setattr(ledger, "BATCH", 4)


def causes(host) -> dict[str, int]:
    return {one.cause: one.count for one in host.causes}


def test_a_window_forgets_what_is_older_and_keeps_what_is_not(server, clock):
    with requests.Session() as session, watch(window_s=HOUR, clock=clock) as seen:
        session.get(server.url)
        session.get(server.url)
        clock.now += HOUR / 2
        requests.get(server.url)
        [host] = seen.result().hosts
        assert (host.requests, host.opened, host.reused) == (3, 2, 1)
        assert causes(host) == {"first-use": 1, "new-session": 1}
        clock.now += HOUR * 3 / 4  # the first two are 75 minutes old, the third 45
        session.get(server.url)
        report = seen.result()
        [host] = report.hosts
        assert (host.requests, host.opened, host.reused) == (2, 1, 1)
        assert causes(host) == {"new-session": 1}
        assert report.window_s == HOUR
        assert HOUR <= report.seconds <= HOUR * (1 + 1 / windows.SLICES)
        assert [one.cause for one in report.connections] == ["new-session"]


def test_perfect_reuse_of_a_window_is_what_it_had_to_open_itself(server, clock):
    with requests.Session() as session, watch(window_s=HOUR, clock=clock) as seen:
        session.get(server.url)
        clock.now += 2 * HOUR
        session.close()
        session.get(server.url)
        [host] = seen.result().hosts
        assert causes(host) == {"session-closed": 1}
        assert (host.opened, host.perfect.least, host.perfect.most) == (1, 0, 0)


def test_what_is_printed_says_that_it_is_the_last_hour(server, clock):
    with interactive.watch(window_s=HOUR, clock=clock) as seen:
        requests.get(server.url)
        clock.now += 3 * HOUR
        requests.get(server.url)
        lines = str(seen).splitlines()
    assert lines[0] == "keptalive: the last 1 h of a longer watch"
    assert "1 request, 1 connection, 0 would be enough" in lines[3]


def test_until_a_window_is_full_it_is_said_how_long_the_watch_has_been(server, clock):
    with interactive.watch(window_s=HOUR, clock=clock) as seen:
        requests.get(server.url)
        clock.now += HOUR / 60
        assert str(seen).splitlines()[0] == "keptalive: watching for 1 min"


def test_hours_without_a_request_leave_an_empty_window(server, clock):
    with requests.Session() as session, watch(window_s=HOUR, clock=clock) as seen:
        for _ in range(5):
            session.get(server.url)
        clock.now += 30 * HOUR
        [host] = seen.result().hosts
        assert (host.requests, host.opened, host.reused) == (0, 0, 0)
        session.get(server.url)
        [host] = seen.result().hosts
        assert (host.requests, host.opened, host.reused) == (1, 0, 1)


def test_requests_of_the_hours_before_are_told_apart_though_nothing_was_opened(server, clock):
    with requests.Session() as session, watch(window_s=HOUR, clock=clock) as seen:
        for _ in range(20):
            session.get(server.url)
            clock.now += HOUR / 4
        [host] = seen.result().hosts
        assert host.reused == 4  # of the last 60 to 65 minutes
        assert (seen.opened, seen.reused) == (0, 4)


def test_after_it_has_ended_a_watch_says_what_its_last_window_was(server, clock):
    with watch(window_s=HOUR, clock=clock) as seen:
        requests.get(server.url)
        clock.now += 2 * HOUR
        requests.get(server.url)
    clock.now += 2 * HOUR
    [host] = seen.result().hosts
    assert causes(host) == {"new-session": 1}


@pytest.mark.usefixtures("small")
def test_connections_that_are_forgotten_stay_counted_by_cause(server):
    with watch(window_s=math.inf) as seen:
        for _ in range(50):
            requests.get(server.url)
        with requests.Session() as session:
            session.get(server.url)
            session.close()
            session.get(server.url)
        report = seen.result()
        [host] = report.hosts
        assert host.opened == server.accepted == 52
        assert causes(host) == {"first-use": 1, "new-session": 50, "session-closed": 1}
        assert host.requests == 52
        assert len(report.connections) <= 12
        assert f"{52 - len(report.connections)} connections are counted but not listed" in str(
            report.warnings
        )
        assert all(one.evidence for one in host.causes if one.cause == "session-closed")
    assert report.window_s is None


@pytest.mark.usefixtures("small")
def test_a_long_watch_finds_the_same_causes_as_a_short_one(server):
    with watch() as whole, watch(window_s=math.inf) as long:
        session = requests.Session()
        for number in range(40):
            session.get(server.url, headers={"Connection": "close"} if number % 3 else {})
            if number % 7 == 0:
                session.close()
            if number % 10 == 0:
                session = requests.Session()
            if number % 5 == 0:
                session.get(server.url, stream=True).close()
        [one], [other] = whole.result().hosts, long.result().hosts
    assert causes(one) == causes(other)
    assert len(causes(one)) >= 4
    assert (one.opened, one.reused, one.requests) == (other.opened, other.reused, other.requests)
    assert one.perfect == other.perfect


@pytest.mark.usefixtures("small")
def test_of_many_hosts_the_oldest_are_counted_together_and_none_is_lost(server, monkeypatch):
    monkeypatch.setattr(ledger, "ROUTES_KEPT", 10)
    found = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest: found("127.0.0.1", *rest))
    with watch(window_s=math.inf) as seen:
        for number in range(100):
            with requests.Session() as session:
                session.get(server.at(f"h{number}.test"))
                session.get(server.at(f"h{number}.test"))
        hosts = {one.host: one for one in seen.result().hosts}
    assert len(hosts) <= 21
    assert sum(one.opened for one in hosts.values()) == 100
    assert sum(one.reused for one in hosts.values()) == 100
    assert sum(one.requests for one in hosts.values()) == 200
    assert (hosts["other"].opened, hosts["other"].perfect.most) == (
        causes(hosts["other"])["first-use"],
    ) * 2


def test_openings_that_another_thread_counts_while_an_exporter_reads_are_no_error(server):
    with watch(window_s=math.inf) as seen:
        requests.get(server.url)
        totals = seen.forget_old().routes.totals
        before = seen.totals()

        class CountedMeanwhile(windows.Tally):
            @property
            def opened(self):
                totals.setdefault((server.url, None, "redirect"), windows.Tally())
                return 1

            @opened.setter
            def opened(self, _number):
                pass

        [key] = totals
        totals[key] = CountedMeanwhile()
        assert seen.totals() == before


def test_while_an_exporter_reads_no_thread_counts_routes_together(server, monkeypatch):
    """Else a route could be among neither, and a counter would fall for a moment."""
    read, could = route_counts.RouteCounts.counts, []
    with watch(window_s=math.inf) as seen:
        requests.get(server.url)
        kept = seen.forget_old()

        def counting() -> None:
            with kept._locked(0) as is_ours:
                could.append(is_ours)

        def counts(self):
            other = threading.Thread(target=counting)
            other.start()
            other.join()
            return read(self)

        monkeypatch.setattr(route_counts.RouteCounts, "counts", counts)
        seen.totals()
    assert could == [False]


def test_a_route_whose_last_request_ends_while_others_are_counted_together_loses_none(server):
    class Counting(Recorder):
        session = requests.Session()

        def counts(self):
            counted = super().counts()
            if self.session is not None:  # what another thread does meanwhile
                with self.session:
                    session, self.session = self.session, None
                    session.get(server.url)
                session.adapters.clear()
                gc.collect()
            return counted

    recorder = Counting()
    with Watch(recorder=recorder, window_s=math.inf) as seen:
        recorder.session.get(server.url)
        seen.forget_old().routes.fold(set(), at_most=0)
        [host] = seen.result().hosts
    assert host.requests == 2


@pytest.mark.parametrize(("routes", "kept"), [(10, 10), complete(200, 200)])
def test_memory_stays_the_same_with_ever_more_hosts_sessions_and_connections(routes, kept):
    ran = subprocess.run(
        [sys.executable, PROGRAM, str(routes), str(kept)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    told = json.loads(ran.stdout)
    before, *after = told["bytes"]
    assert told["opened"] == 10 * routes
    assert max(after) < 1.15 * before + 50_000


@pytest.mark.usefixtures("small")
def test_threads_that_open_while_others_are_counted_lose_none(server):
    def ask() -> None:
        for _ in range(30):
            requests.get(server.url)

    with watch(window_s=math.inf) as seen:
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            [*_] = seen.result().hosts
        [host] = seen.result().hosts
    assert host.opened == server.accepted == 120
    assert sum(causes(host).values()) == 120


def test_a_report_within_a_signal_handler_does_not_wait_for_what_it_interrupts(server, monkeypatch):
    monkeypatch.setattr(ledger, "PATIENCE_S", 20.0)
    shown = []

    def interrupted(*_: object) -> None:
        shown.append(seen.result().hosts[0].requests)

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        with watch(window_s=HOUR) as seen:
            requests.get(server.url)
            seen.forget_old().on_end.append(lambda *_: signal.raise_signal(signal.SIGINT))
            began = time.monotonic()
            assert seen.result().hosts[0].opened == 1
    finally:
        signal.signal(signal.SIGINT, before)
    assert shown == [1]
    assert time.monotonic() - began < PATIENCE_S


@pytest.mark.parametrize("length", [0, -1, math.nan, "3600", 0.5, True])
def test_a_window_that_makes_no_sense_is_refused_in_one_line(length):
    with pytest.raises(UsageError, match=r"Next: window_s=3600 is the last hour\.$"):
        watch(window_s=length)


def test_a_window_longer_than_any_float_covers_everything(server):
    with watch(window_s=10**400) as seen:
        requests.get(server.url)
    assert (seen.opened, seen.result().window_s) == (1, None)


def test_a_timeline_has_no_window():
    with pytest.raises(UsageError, match="Next: leave out"):
        watch(window_s=HOUR, timeline=True)
