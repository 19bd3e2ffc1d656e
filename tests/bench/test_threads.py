"""Several threads send the requests of a trial: what they share, what is counted and measured."""

from __future__ import annotations

import functools
import itertools
import os
import queue
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.marks import complete
from tests.runs import trial
from tests.servers.scripted import Peer, Server
from tests.small_bundle import trim
from urllib3.connectionpool import HTTPConnectionPool

from keptalive.bench.calls import StrategyError
from keptalive.bench.in_flight import InFlight, of_connections
from keptalive.bench.plan import Plan, read_plan
from keptalive.bench.rounds import Turn
from keptalive.bench.runner import Bench
from keptalive.bench.strategies import STRATEGIES, Fresh, OneSession
from keptalive.bench.strategy import Answer, Request, Strategy
from keptalive.bench.summary import summarise
from keptalive.bench.targets import LookalikeTarget, prepared
from keptalive.bench.together import work_together
from keptalive.bench.trial import WAITING
from keptalive.lookalike.behaviour import SCENARIOS as ALL_SCENARIOS
from keptalive.lookalike.process import Lookalike
from keptalive.records.run import Run, StrategySummary, Trial
from keptalive.tuned import tuned_session
from keptalive.watching.phases import timed_call, timing

POOLS = ("session-pool=2", "session-pool=4", "session-pool-block=2")
SCENARIOS = ("keep-alive", "idle-timeout=60", "request-limit-announced=3")
PLAN = Plan(
    requests=("/user",), repeats=3, threads=4, rounds=1, rtt_ms=0, strategies=(*STRATEGIES, *POOLS)
)


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(SCENARIOS) as started:
        yield trim(started)


def bench_on(lookalike: Lookalike, plan: Plan, **strategies: type[Strategy]) -> Bench:
    """A bench of these strategies, or of the plan's."""
    return Bench(plan=plan, target=LookalikeTarget(lookalike, plan), strategies=strategies)


def trial_of(bench: Bench, scenario: str = "keep-alive") -> Trial:
    (name,) = bench.contestants()
    return bench.trial(Turn(scenario=scenario, name=name, round=1))


def row_of(run: Run, strategy: str) -> StrategySummary:
    (row,) = (row for row in run.summary if row.strategy == strategy)
    return row


# -- The witnesses -------------------------------------------------------------------------------


ALWAYS = [*((one, "keep-alive") for one in PLAN.strategies), ("session", "idle-timeout=60")]


@pytest.mark.parametrize(
    ("strategy", "scenario"),
    [
        pair if pair in ALWAYS else complete(*pair)
        for pair in itertools.product(PLAN.strategies, SCENARIOS)
    ],
)
def test_with_threads_pool_log_sockets_and_server_count_the_same(
    lookalike: Lookalike, strategy: str, scenario: str
) -> None:
    plan = replace(PLAN, strategies=(strategy,), scenarios=(scenario,))
    trial = trial_of(bench_on(lookalike, plan), scenario)
    said = trial.witnesses
    assert said.pool_log == said.sockets == said.server == trial.counts.opened
    assert (trial.requests, trial.counts.requests, trial.failed, trial.threads) == (12, 12, 0, 4)
    assert trial.counts.attempts == 12
    least = {"keep-alive": 1, "idle-timeout=60": 3, "request-limit-announced=3": 4}[scenario]
    assert least <= trial.counts.opened <= 12
    assert trial.counts.opened == 12 or strategy != "fresh"


@pytest.mark.complete
@pytest.mark.parametrize("bursts", [False, True])
def test_with_16_threads_all_counts_agree_however_connections_end(bursts: bool) -> None:
    numbered = {name: f"{name}=3" for name in ("request-limit", "request-limit-announced")}
    names = [name for name in ALL_SCENARIOS if name != "nat-timeout"]  # it needs a true link
    scenarios = tuple(numbered.get(name, name) for name in names)
    plan = replace(PLAN, threads=16, bursts=bursts, scenarios=scenarios)
    with Lookalike.start(plan.scenarios) as started:
        run = Bench(plan=plan, target=LookalikeTarget(trim(started), plan)).run()
    assert (run.ended, run.disagreements) == ("rounds", ())
    assert len(run.summary) == len(plan.scenarios) * len(plan.strategies)
    assert all(row.perfect <= row.counts.opened for row in run.summary)
    assert all(row.perfect <= 2 for row in run.summary if row.strategy == "session-pool-block=2")


SOAK_REQUESTS = int(os.environ.get("KEPTALIVE_SOAK", "3200"))


@pytest.mark.complete
@pytest.mark.parametrize("strategy", [*STRATEGIES, "session-pool=8", "session-pool-block=8"])
def test_with_64_threads_all_counts_are_exact(lookalike: Lookalike, strategy: str) -> None:
    repeats = -(-SOAK_REQUESTS // 64)
    plan = replace(PLAN, threads=64, repeats=repeats, strategies=(strategy,))
    trial = trial_of(bench_on(lookalike, plan))
    said = trial.witnesses
    print(strategy, trial.requests, said, trial.counts.most_at_once)  # noqa: T201 - for `make soak`
    assert said.pool_log == said.sockets == said.server == trial.counts.opened
    assert trial.counts.requests == trial.counts.attempts == 64 * repeats
    assert trial.failed == 0
    limit = {"fresh": 64 * repeats, "tuned": 64, "session-pool-block=8": 8}.get(strategy)
    if limit is not None:
        assert trial.counts.opened == limit if strategy == "fresh" else trial.counts.opened <= limit
    assert trial.counts.most_at_once <= (8 if strategy == "session-pool-block=8" else 64)


# -- Perfect reuse, as measured for each strategy ------------------------------------------------


def gated_run(strategy: str, at_once: int, **changed: Any) -> Run:
    """A run, in bursts, on a server that answers only when so many requests have come to it."""
    gate = threading.Barrier(at_once)

    def answers(peer: Peer) -> None:
        while peer.request():
            peer.respond()

    def gated(peer: Peer) -> None:
        while peer.request():
            gate.wait(5)
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
        holding = threading.Thread(target=lambda: held.append(session.get(server.url, stream=True)))
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


class _Calls(Strategy):
    """Answers when all four threads have asked."""

    label = "calls"
    connects_in_python = False
    thread_safe = True

    def __init__(self, access: Any) -> None:
        super().__init__(access)
        self.gate = threading.Barrier(4)

    def send(self, request: Request) -> Answer:
        self.gate.wait(5)
        return Answer(status=200, body=b"")


def test_of_a_client_whose_connections_are_not_seen_calls_are_in_flight(
    lookalike: Lookalike,
) -> None:
    assert trial_of(bench_on(lookalike, PLAN, calls=_Calls)).counts.most_at_once == 4


# -- What threads share --------------------------------------------------------------------------


def test_threads_share_a_client_that_is_safe_and_have_one_each_of_another(
    lookalike: Lookalike,
) -> None:
    made: list[type] = []
    used: set[tuple[int, int]] = set()

    class Shared(_Calls):
        def __init__(self, access: Any) -> None:
            super().__init__(access)
            made.append(type(self))

        def send(self, request: Request) -> Answer:
            used.add((id(self), threading.get_ident()))
            return Answer(status=200, body=b"")

    class Alone(Shared):
        thread_safe = False

    trial_of(bench_on(lookalike, PLAN, shared=Shared))
    assert (made, len({client for client, _ in used}), len(used)) == ([Shared], 1, 4)
    made.clear()
    used.clear()
    trial_of(bench_on(lookalike, PLAN, alone=Alone))
    assert (made, len({client for client, _ in used}), len(used)) == ([Alone] * 4, 4, 4)


def test_the_tuned_session_is_made_for_the_threads_of_the_plan() -> None:
    plan = replace(PLAN, strategies=("tuned",))
    (strategy,) = Bench(plan=plan, target=None).strategies.values()  # type: ignore[arg-type]
    assert strategy.make_session().get_adapter("https://a.example")._pool_maxsize == 4
    assert strategy.make_session().get_adapter("https://a.example")._pool_block


# -- Times ---------------------------------------------------------------------------------------


def test_calls_that_overlap_are_timed_once_and_each_by_itself(lookalike: Lookalike) -> None:
    class Waits(_Calls):
        def send(self, request: Request) -> Answer:
            threading.Event().wait(0.01)
            return super().send(request)

    trial = trial_of(bench_on(lookalike, PLAN, waits=Waits))
    assert len(trial.request_seconds) == 12
    assert min(trial.request_seconds) >= 0.01
    assert 0.03 <= trial.seconds < sum(trial.request_seconds)
    assert 0 <= trial.cpu_seconds < trial.seconds * 2


def test_a_second_of_four_threads_has_four_times_the_requests_of_one() -> None:
    trial = Trial(
        scenario="keep-alive",
        strategy="session",
        round=1,
        warm_up=False,
        counts=replace(_counts(), requests=8),
        witnesses=None,  # type: ignore[arg-type]
        seconds=2.0,
        cpu_seconds=0.4,
        threads=4,
        request_seconds=(1.0, 1.2, 1.4, 1.6, 0.1, 0.2, 0.3, 0.4),
    )
    (row,) = summarise([trial])
    assert row.requests_per_second.median == 4.0
    assert row.seconds_per_request.median == pytest.approx(0.775)  # the mean of all
    assert row.first_request_s.median == pytest.approx(1.3)  # the mean of the threads' first ones
    assert row.later_request_s.median == pytest.approx(0.25)
    assert row.perfect == 3  # no more are enough than were opened


# -- What goes wrong -----------------------------------------------------------------------------


def test_a_mistake_on_one_thread_ends_the_others(lookalike: Lookalike) -> None:
    class Mistaken(OneSession):
        label = "mistaken"
        sent = 0

        def send(self, request: Request) -> Answer:
            type(self).sent += 1
            if self.sent == 3:
                raise LookupError("no such thing")
            return super().send(request)

    before = set(threading.enumerate())
    with pytest.raises(StrategyError, match=r"mistaken failed in send.*LookupError"):
        trial_of(bench_on(lookalike, replace(PLAN, repeats=10_000), mistaken=Mistaken))
    assert Mistaken.sent < 100
    assert set(threading.enumerate()) <= before


def test_an_answer_that_differs_on_one_thread_makes_the_run_invalid(lookalike: Lookalike) -> None:
    first = threading.Lock()

    class Impostor(Fresh):
        label = "an impostor"

        def send(self, request: Request) -> Answer:
            if first.acquire(blocking=False):
                return replace(super().send(request), body=b"other")
            return super().send(request)

    run = bench_on(lookalike, PLAN, impostor=Impostor).run()
    assert run.ended == "disagreement"
    assert "The answers to GET /user differ" in run.disagreements[0]


def test_an_interruption_ends_a_run_with_threads_and_keeps_what_was_measured(
    lookalike: Lookalike,
) -> None:
    class Interrupting(OneSession):
        label = "interrupting"
        trials = 0

        def close(self) -> None:
            super().close()
            type(self).trials += 1

        def send(self, request: Request) -> Answer:
            if self.trials == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return super().send(request)

    before = set(threading.enumerate())
    plan = replace(PLAN, rounds=100)
    run = bench_on(lookalike, plan, interrupting=Interrupting).run()
    assert (run.ended, len(run.trials)) == ("interrupted", 2)
    assert set(threading.enumerate()) <= before


# -- Work in step --------------------------------------------------------------------------------


def test_nothing_is_done_while_all_pause_between_two_legs() -> None:
    done: list[tuple[int, int]] = []
    at_pauses: list[int] = []
    work_together(
        3,
        [[0], [1, 2], [3]],
        lambda thread, place: done.append((thread, place)),
        pause=lambda: at_pauses.append(len(done)),
        timed=nullcontext(),
    )
    assert at_pauses == [3, 9]
    assert sorted(done) == [(thread, place) for thread in range(3) for place in range(4)]


def test_threads_live_as_long_as_the_trial() -> None:
    threads: dict[int, set[threading.Thread]] = {0: set(), 1: set()}
    work_together(
        2,
        [[0], [1], [2]],
        lambda thread, _: threads[thread].add(threading.current_thread()),
        pause=lambda: None,
        timed=nullcontext(),
    )
    assert [len(one) for one in threads.values()] == [1, 1]


def test_a_trial_does_not_wait_long_for_a_thread_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("keptalive.bench.together.ENDS_WITHIN_S", 0.05)
    freed = threading.Event()

    def work(thread: int, _: int) -> None:
        if thread:
            freed.wait(10)
        raise LookupError

    began = time.monotonic()
    with pytest.raises(LookupError):
        work_together(2, [[0]], work, pause=lambda: None, timed=nullcontext())
    freed.set()
    assert time.monotonic() - began < 5


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


def _counts() -> Any:
    return trial("session", 1, 1.0, opened=3, most_at_once=4).counts
