"""One trial: a fresh client makes the whole list of requests, timed, with the witnesses listening.

Only the client's own work is on the stopwatch: making it, its calls, closing it. Pauses, hashing
and comparing are not.
"""

from __future__ import annotations

import gc
import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType

from keptalive.bench import pool_log, sockets, witnesses
from keptalive.bench.plan import Plan
from keptalive.bench.plan_requests import request_of
from keptalive.bench.strategy import Answer, Request, Strategy
from keptalive.bench.targets import Target
from keptalive.counting import count
from keptalive.errors import TargetError, UsageError
from keptalive.records.counts import HostCounts
from keptalive.records.pool_events import CallBegan, CallEnded, Event
from keptalive.records.run import Trial, Witnesses
from keptalive.redaction import redact, shown
from keptalive.watching.phases import timed_call, timing


class DisagreementError(Exception):
    """Witnesses or answers differ: whatever was measured is no result."""


class StrategyError(UsageError):
    """A strategy raised what is not among its errors: its own mistake."""


class Stopwatch:
    """Adds up wall and CPU time over the blocks it is used around; the last one is ``lap_s``."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self.lap_s = 0.0

    def __enter__(self) -> Stopwatch:
        self._cpu_began = time.process_time()
        self._began = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.lap_s = time.perf_counter() - self._began
        self.seconds += self.lap_s
        self.cpu_seconds += time.process_time() - self._cpu_began


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """An answer, as far as another strategy's must be the same."""

    status: int
    size: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.status} with {self.size} bytes"


class Answers:
    """The first answer to each request of a scenario, with which all later ones are compared.

    Args:
        bodies: whether bodies must be the same too, or the status alone.
    """

    def __init__(self, *, bodies: bool) -> None:
        self._bodies = bodies
        self._first: dict[tuple[str, int], tuple[str, Fingerprint]] = {}

    def compare(self, scenario: str, place: int, path: str, label: str, answer: Answer) -> None:
        """Compare this answer to the request at this place with the first one.

        Raises:
            DisagreementError: they differ.
        """
        body = answer.body if self._bodies else b""
        found = Fingerprint(answer.status, len(body), hashlib.sha256(body).digest())
        first_label, first = self._first.setdefault((scenario, place), (label, found))
        if found != first:
            bodies_alone = found.status == first.status
            advice = ' If this body changes by itself: compare = "status" in the plan.'
            raise DisagreementError(
                f"The answers to {redact(path)} differ: {first_label} got {first}, {label} "
                f"{'other bytes: ' if found.size == first.size else ''}{found}."
                f"{advice if bodies_alone else ''}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A strategy in a scenario, once: what a round is made of."""

    scenario: str
    name: str
    strategy: type[Strategy]


@dataclass(slots=True, kw_only=True)
class TrialRecorder:
    """What is gathered during a trial, before it is a record."""

    step: Step
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    events: list[Event] = field(default_factory=list)
    laps: list[float] = field(default_factory=list)
    phases: Counter[str] = field(default_factory=Counter)

    def call(self, client: Strategy, request: Request) -> Answer | None:
        """Make one call; None if it failed.

        Raises:
            StrategyError: the strategy made a mistake.
            TargetError: the response leads to another host.
        """
        thread = threading.get_ident()
        self.events.append(CallBegan(thread=thread))
        answer, failure = None, ""
        try:
            with timed_call() as seconds, self.stopwatch:
                answer = client.send(request)
        except TargetError:  # of the target's check before a redirect is followed
            raise
        except self.step.strategy.errors as error:
            failure = type(error).__name__
        except Exception as error:
            raise self._mistake("send()", error) from error
        self.laps.append(self.stopwatch.lap_s)
        self.phases.update(seconds)
        self.events.append(CallEnded(thread=thread, failed=answer is None, error=failure))
        return answer

    @contextmanager
    def outside_calls(self, what: str) -> Iterator[None]:
        """Make or close a client in this block, on the stopwatch.

        Raises:
            StrategyError: the strategy made a mistake.
        """
        try:
            with self.stopwatch:
                yield
        except Exception as error:
            raise self._mistake(what, error) from error

    def _mistake(self, what: str, error: Exception) -> StrategyError:
        said = " ".join(shown(str(error)).split())[:200]
        return StrategyError(
            f"The strategy {self.step.name} failed in {what}: {type(error).__name__}: {said}\n"
            "Next: mend it; what counts as a failed request stands in its `errors`."
        )

    def counts(self) -> HostCounts:
        """What urllib3's log amounts to; without it, the number of calls."""
        if self.step.strategy.built_on_urllib3:
            return count(self.events)
        unknown = ("connects", "opened", "opened_unanswered", "reopened", "reused", "unanswered")
        return HostCounts(
            requests=len(self.laps),
            errors=count(self.events).errors,
            **dict.fromkeys((*unknown, "in_flight", "most_at_once")),  # type: ignore[arg-type]
        )


def run_trial(step: Step, round_number: int, plan: Plan, target: Target, answers: Answers) -> Trial:
    """Run one trial; round 0 is the warm-up.

    Raises:
        DisagreementError: the witnesses or the answers differ.
        TargetError: the server wants fewer requests.
        StrategyError: the strategy made a mistake.
    """
    recorder = TrialRecorder(step=step)
    strategy = step.strategy
    accepted_before = target.accepted(step.scenario)
    gc.collect()  # so that no trial pays for another's garbage
    with ExitStack() as stack:
        if strategy.built_on_urllib3:
            stack.enter_context(pool_log.listening(recorder.events.append))
            stack.enter_context(timing())
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
        cpu_seconds=recorder.stopwatch.cpu_seconds,
        request_seconds=tuple(recorder.laps),
        phases=dict(recorder.phases) if strategy.built_on_urllib3 else {},
    )


def _make_all_calls(recorder: TrialRecorder, plan: Plan, target: Target, answers: Answers) -> None:
    step = recorder.step
    base_url = target.url(step.scenario)
    requests = [request_of(planned, base_url, os.environ) for planned in plan.targets]
    with recorder.outside_calls("making it"):
        client = step.strategy(replace(target.access, base_url=base_url))
    try:
        for place, (planned, request) in enumerate(zip(plan.targets, requests, strict=True)):
            if place:
                target.pause(step.scenario)
            answer = recorder.call(client, request)
            if answer is not None:
                target.check(planned, answer)
                answers.compare(step.scenario, place, str(planned), step.strategy.label, answer)
    finally:
        with recorder.outside_calls("close()"):
            client.close()
