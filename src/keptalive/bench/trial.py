"""One trial: a fresh client makes the whole list of requests, timed, with the witnesses listening.

Only the client's own work is on the stopwatch: making it, its calls, closing it. Pauses, hashing
and comparing are not. With several threads, each of them sends the list; the time is that of all
calls together, and what is done with an answer meanwhile, some microseconds, is in it.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from keptalive.bench import in_flight, pool_log, sockets, witnesses
from keptalive.bench.access import Access
from keptalive.bench.answers import Answers, DisagreementError
from keptalive.bench.calls import Caller, Step, TrialRecorder
from keptalive.bench.plan import Plan
from keptalive.bench.plan_requests import request_of
from keptalive.bench.strategy import Strategy
from keptalive.bench.targets import Target
from keptalive.bench.together import work_together
from keptalive.records.run import Trial, Witnesses
from keptalive.tuned.pools import TunedPool
from keptalive.watching.phases import timing

# Where the tuned Session waits for one of its ``threads``, rather than in urllib3's queue
WAITING = ((TunedPool, "_wait_for_slot", "blocked"),)


def run_trial(step: Step, round_number: int, plan: Plan, target: Target, answers: Answers) -> Trial:
    """Run one trial; round 0 is the warm-up.

    Raises:
        DisagreementError: the witnesses or the answers differ.
        TargetError: the server wants fewer requests.
        StrategyError: the strategy made a mistake.
    """
    recorder = TrialRecorder(step=step, threads=plan.threads)
    strategy = step.strategy
    accepted_before = target.accepted(step.scenario)
    gc.collect()  # so that no trial pays for another's garbage
    with ExitStack() as stack:
        if strategy.built_on_urllib3:
            stack.enter_context(pool_log.listening(recorder.events.append))
            stack.enter_context(timing(also=WAITING))
            if plan.threads > 1:
                stack.enter_context(in_flight.of_connections(recorder.in_flight))
        witness = stack.enter_context(sockets.watching())
        _make_all_calls(recorder, plan, target, answers)
    accepted = target.accepted(step.scenario)
    counts = recorder.counts()
    said = Witnesses(
        pool_log=counts.opened if strategy.built_on_urllib3 else None,
        sockets=witness.connected if strategy.connects_in_python else None,
        server=None if accepted is None or accepted_before is None else accepted - accepted_before,
    )
    if (difference := witnesses.disagreement(counts, said)) is not None:
        raise DisagreementError(
            f"The counts disagree ({strategy.label}, {step.scenario}, round {round_number}): "
            f"{difference}."
        )
    return Trial(
        scenario=step.scenario,
        strategy=step.name,
        round=round_number,
        warm_up=round_number == 0,
        counts=witnesses.settled(counts, said),
        witnesses=said,
        seconds=recorder.stopwatch.seconds,
        cpu_seconds=recorder.cpu_seconds,
        threads=plan.threads,
        request_seconds=recorder.laps,
        phases=recorder.phases if strategy.built_on_urllib3 else {},
    )


def _make_all_calls(recorder: TrialRecorder, plan: Plan, target: Target, answers: Answers) -> None:
    scenario, strategy = recorder.step.scenario, recorder.step.strategy
    base_url = target.url(scenario)
    requests = [request_of(planned, base_url, os.environ) for planned in plan.targets]

    def call(caller: Caller, client: Strategy, place: int) -> None:
        answer = caller.call(client, requests[place])
        if answer is not None:
            with caller.checks:
                planned = plan.targets[place]
                target.check(planned, answer)
                answers.compare(scenario, place, str(planned), strategy.label, answer)

    with _clients(recorder, replace(target.access, base_url=base_url)) as clients:
        if plan.threads == 1:
            for place in range(len(requests)):
                if place:
                    target.pause(scenario)
                call(recorder.callers[0], clients[0], place)
            return

        def call_on(thread: int, place: int) -> None:
            with in_flight.of_call(recorder.in_flight, counts=not strategy.built_on_urllib3):
                call(recorder.callers[thread], clients[thread], place)

        places = range(len(requests))
        in_step = plan.bursts or target.pauses(scenario)
        work_together(
            plan.threads,
            [[place] for place in places] if in_step else [places],
            call_on,
            pause=lambda: target.pause(scenario),
            timed=recorder.stopwatch,
        )


@contextmanager
def _clients(recorder: TrialRecorder, access: Access) -> Iterator[list[Strategy]]:
    """A client for each thread, the same one where threads may share it; closed afterwards."""
    strategy, threads = recorder.step.strategy, len(recorder.callers)
    wanted = 1 if strategy.thread_safe else threads
    made: list[Strategy] = []
    try:
        for _ in range(wanted):
            with recorder.outside_calls("making it"):
                made.append(strategy(access))
        yield made * (threads // wanted)
    finally:
        for client in made:
            with recorder.outside_calls("close()"):
                client.close()
