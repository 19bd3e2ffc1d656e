"""Threads of a trial: what they share, what they take, how all end, and that they work in step."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from tests.runs import trial
from tests.small_bundle import started

from keptalive.bench.calls import StrategyError
from keptalive.bench.runner import Bench
from keptalive.bench.strategies import Fresh, OneSession
from keptalive.bench.strategy import Answer, Request
from keptalive.bench.summary import summarise
from keptalive.bench.together import work_together
from keptalive.lookalike.process import Lookalike
from keptalive.records.run import Trial

from .threaded import PLAN, Calls, bench_on, trial_of


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with started(Lookalike.start, ["keep-alive"]) as running:
        yield running


def test_threads_share_a_client_that_is_safe_and_have_one_each_of_another(
    lookalike: Lookalike,
) -> None:
    made: list[type] = []
    used: set[tuple[int, int]] = set()

    class Shared(Calls):
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
    moments: list[float] = []

    class Waits(Calls):
        def send(self, request: Request) -> Answer:
            moments.append(time.perf_counter())
            threading.Event().wait(0.03)
            answer = super().send(request)
            moments.append(time.perf_counter())
            return answer

    began = time.perf_counter()
    trial = trial_of(bench_on(lookalike, PLAN, waits=Waits))
    ended = time.perf_counter()
    assert len(trial.request_seconds) == 12
    assert min(trial.request_seconds) >= 0.03
    # no bound that a busy machine could break; the sum of all calls, 0.36 s or more, is far above
    assert max(moments) - min(moments) <= trial.seconds <= ended - began
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


@pytest.fixture
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that ends is waited for, be the machine ever so busy."""
    monkeypatch.setattr("keptalive.bench.together.ENDS_WITHIN_S", 60.0)


@pytest.mark.usefixtures("_patience")
def test_a_mistake_on_one_thread_ends_the_others_after_their_present_call(
    lookalike: Lookalike,
) -> None:
    counting = threading.Lock()

    class Mistaken(OneSession):
        label = "mistaken"
        sent = 0
        thread: threading.Thread | None = None

        def send(self, request: Request) -> Answer:
            with counting:
                type(self).sent += 1
                if self.sent == 3:
                    type(self).thread = threading.current_thread()
                    raise LookupError("no such thing")
            if self.thread is not None:
                self.thread.join(30)  # so that this call ends when the mistake is known
            return super().send(request)

    before = set(threading.enumerate())
    with pytest.raises(StrategyError, match=r"mistaken failed in send.*LookupError"):
        trial_of(bench_on(lookalike, replace(PLAN, repeats=10_000), mistaken=Mistaken))
    assert 3 <= Mistaken.sent <= 6
    assert set(threading.enumerate()) <= before


def test_an_answer_that_differs_on_one_thread_makes_the_run_invalid(lookalike: Lookalike) -> None:
    first = threading.Lock()

    class Impostor(Fresh):
        label = "an impostor"

        def send(self, request: Request) -> Answer:
            if first.acquire(blocking=False):
                return replace(super().send(request), body=b"other")
            return super().send(request)

    plan = replace(PLAN, scenarios=("keep-alive",))
    run = bench_on(lookalike, plan, impostor=Impostor).run()
    assert run.ended == "disagreement"
    assert "The answers to GET /user differ" in run.disagreements[0]


@pytest.mark.usefixtures("_patience")
def test_an_interruption_ends_a_run_with_threads_and_keeps_what_was_measured(
    lookalike: Lookalike,
) -> None:
    first = threading.Lock()  # a second one, while the first is handled, is not caught by `run`

    class Interrupting(OneSession):
        label = "interrupting"
        trials = 0

        def close(self) -> None:
            super().close()
            type(self).trials += 1

        def send(self, request: Request) -> Answer:
            if self.trials == 2 and first.acquire(blocking=False):
                os.kill(os.getpid(), signal.SIGINT)
            return super().send(request)

    before = set(threading.enumerate())
    plan = replace(PLAN, rounds=100, scenarios=("keep-alive",))
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


def _counts() -> Any:
    return trial("session", 1, 1.0, opened=3, most_at_once=4).counts
