"""Perfect reuse, as measured: as many connections are enough as were in flight at once."""

from __future__ import annotations

import functools
import queue
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.servers.peer import Peer
from tests.servers.scripted import Server
from tests.small_bundle import started, trim
from urllib3.connectionpool import HTTPConnectionPool

from keptalive.bench.in_flight import InFlight, of_connections
from keptalive.bench.plan import read_plan
from keptalive.bench.runner import Bench
from keptalive.bench.targets import LookalikeTarget, prepared
from keptalive.bench.trial import WAITING
from keptalive.lookalike.process import Lookalike
from keptalive.records.run import Run, StrategySummary
from keptalive.tuned import tuned_session
from keptalive.watching.phases import timed_call, timing

from .threaded import PLAN, Calls, bench_on, trial_of


def row_of(run: Run, strategy: str) -> StrategySummary:
    (row,) = (row for row in run.summary if row.strategy == strategy)
    return row


def gated_run(strategy: str, at_once: int, **changed: Any) -> Run:
    """A run, in bursts, on a server that answers only when so many requests have come to it."""
    gate = threading.Barrier(at_once)

    def answers(peer: Peer) -> None:
        while peer.request():
            peer.respond()

    def gated(peer: Peer) -> None:
        while peer.request():
            gate.wait(30)
            peer.respond()

    with Server(answers, gated) as server:  # the first connection only asks
        plan = replace(PLAN, target=server.url.rstrip("/"), strategies=(strategy,))
        plan = replace(plan, bursts=True, **changed)
        with prepared(plan) as (target, followed):
            return Bench(plan=followed, target=target).run()


@pytest.mark.parametrize(
    ("strategy", "at_once", "opened"),
    [
        ("fresh", 4, 12),
        ("session", 4, 4),
        ("tuned", 4, 4),
        ("session-pool=4", 4, 4),
        ("session-pool-block=2", 2, 2),
    ],
)
def test_as_many_are_enough_as_were_in_flight_at_once(
    strategy: str, at_once: int, opened: int
) -> None:
    run = gated_run(strategy, at_once)
    row = row_of(run, strategy)
    assert (row.perfect, row.counts.opened, row.failed) == (at_once, opened, 0)
    (trace,) = run.traces
    assert trace.report.hosts[0].perfect.least == at_once


def test_a_tuned_session_with_fewer_slots_than_threads_waits_for_them() -> None:
    row = row_of(gated_run("tuned", 2, pool=(("threads", 2),)), "tuned")
    assert (row.perfect, row.counts.opened) == (2, 2)


def test_waiting_for_a_slot_of_a_tuned_session_is_waiting_for_the_pool() -> None:
    def answers(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbeg")  # its rest never comes
        peer.client_closes()

    held: list[requests.Response] = []
    with Server(answers) as server, tuned_session(threads=1, timeout=(0.05, 5)) as session:
        holding = threading.Thread(
            target=lambda: held.append(session.get(server.url, stream=True, timeout=30))
        )
        holding.start()
        holding.join()
        with (
            timing(also=WAITING),
            timed_call() as seconds,
            pytest.raises(OSError, match="stayed in use"),
        ):
            session.get(server.url)
        held[0].close()
    assert 0.05 <= seconds["blocked"] <= sum(seconds.values())


def test_a_pool_that_is_too_small_discards_what_the_next_burst_opens_again() -> None:
    run = gated_run("session-pool=2", 4)
    row = row_of(run, "session-pool=2")
    assert (row.perfect, row.counts.opened) == (4, 4 + 2 * 2)
    (trace,) = run.traces
    causes = {cause.cause: cause.count for cause in trace.report.hosts[0].causes}
    assert causes == {"first-use": 1, "concurrency": 3, "pool-too-small": 4}


PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text()


def test_the_plan_of_a_pool_that_is_too_small_shows_what_its_page_says(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "plan.toml").write_text(text)
    plan = replace(read_plan(tmp_path / "plan.toml"), rounds=1, repeats=3, rtt_ms=5)
    with Lookalike.start(plan.scenarios, rtt_ms=plan.rtt_ms) as started:
        run = Bench(plan=plan, target=LookalikeTarget(trim(started), plan)).run()
    assert (run.ended, run.disagreements) == ("rounds", ())
    small, fits, waits = run.summary
    assert small.counts.opened > small.perfect
    assert fits.counts.opened == fits.perfect <= 8
    assert waits.counts.opened == waits.perfect == 2
    causes = [{one.cause for one in trace.report.hosts[0].causes} for trace in run.traces]
    assert ["pool-too-small" in found for found in causes] == [True, False, False]
    labels = [f"│ {label:<13} │" for label in run.labels.values()]
    assert all(label in PAGE for label in labels)


def test_a_connection_that_another_thread_has_taken_stays_in_flight_for_that_one() -> None:
    in_flight = InFlight()
    in_flight.begin("connection")
    other = threading.Thread(target=in_flight.begin, args=("connection",))
    other.start()
    other.join()
    in_flight.end()
    assert in_flight.most == 1
    in_flight.begin("another")
    assert in_flight.most == 2


def test_a_thread_has_one_request_in_flight_whatever_it_did_with_the_last_connection() -> None:
    in_flight = InFlight()
    for connection in ("one", "two", "three"):
        in_flight.begin(connection)
    assert in_flight.most == 1


class _HandsOver(queue.LifoQueue[Any]):
    """Another thread takes a connection of this pool while one is put back: before or after."""

    def __init__(self, pool: HTTPConnectionPool, *, before: bool) -> None:
        super().__init__(pool.pool.maxsize)  # type: ignore[union-attr]
        self._take = functools.partial(pool._get_conn)
        self._before = before

    def put(self, item: Any, *args: Any, **named: Any) -> None:
        steps = [self._taken, functools.partial(super().put, item, *args, **named)]
        for step in steps if self._before else reversed(steps):
            step()

    def _taken(self) -> None:
        thread = threading.Thread(target=self._take)
        thread.start()
        thread.join()


@pytest.mark.parametrize("fails", [False, True])
def test_of_a_pool_of_one_that_waits_no_two_are_in_flight(fails: bool) -> None:
    in_flight = InFlight()
    with of_connections(in_flight):
        pool = HTTPConnectionPool("h.example", maxsize=1, block=True)
        connection = pool._get_conn()
        pool.pool = _HandsOver(pool, before=False)
        pool._put_conn(None if fails else connection)  # as urllib3 does with one that failed
    assert in_flight.most == 1


def test_a_connection_is_in_flight_until_it_is_back_in_the_pool() -> None:
    in_flight = InFlight()
    with of_connections(in_flight):
        pool = HTTPConnectionPool("h.example", maxsize=2)
        connection = pool._get_conn()
        pool.pool = _HandsOver(pool, before=True)
        queue.LifoQueue.put(pool.pool, None)
        pool._put_conn(connection)
    assert in_flight.most == 2


def test_of_a_client_whose_connections_are_not_seen_calls_are_in_flight() -> None:
    with started(Lookalike.start, ["keep-alive"]) as lookalike:
        assert trial_of(bench_on(lookalike, PLAN, calls=Calls)).counts.most_at_once == 4
