"""One trial: a fresh client makes the whole list of requests, timed, with the witnesses listening.

Only the client's own work is on the stopwatch: making it, its calls, closing it. Pauses, hashing
and comparing are not.
"""

from __future__ import annotations

import gc
import hashlib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType

import requests
from urllib3.exceptions import HTTPError

from keptalive.bench import pool_log, sockets, witnesses
from keptalive.bench.plan import Plan
from keptalive.bench.strategies import Strategy
from keptalive.bench.targets import Target
from keptalive.counting import count
from keptalive.records.pool_events import CallBegan, CallEnded, Event
from keptalive.records.run import Trial, Witnesses
from keptalive.redaction import redact
from keptalive.watching.phases import timed_call, timing


class DisagreementError(Exception):
    """Witnesses or answers differ: whatever was measured is no result."""


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
class Answer:
    """A response, as far as another strategy's must be the same."""

    status: int
    size: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.status} with {self.size} bytes"


class Answers:
    """The first answer to each request of a scenario, against which all later ones are held.

    Args:
        bodies: whether bodies must be the same too, or the status alone.
    """

    def __init__(self, *, bodies: bool) -> None:
        self._bodies = bodies
        self._first: dict[tuple[str, int], tuple[str, Answer]] = {}

    def compare(
        self, scenario: str, place: int, path: str, label: str, response: requests.Response
    ) -> None:
        """Hold this response to the request at this place against the first one.

        Raises:
            DisagreementError: they differ.
        """
        body = response.content if self._bodies else b""
        answer = Answer(response.status_code, len(body), hashlib.sha256(body).digest())
        first_label, first = self._first.setdefault((scenario, place), (label, answer))
        if answer != first:
            bodies_alone = answer.status == first.status
            advice = ' If this body changes by itself: compare = "status" in the plan.'
            raise DisagreementError(
                f"The answers to {redact(path)} differ: {first_label} got {first}, {label} "
                f"{'other bytes: ' if answer.size == first.size else ''}{answer}."
                f"{advice if bodies_alone else ''}"
            )


@dataclass(slots=True)
class Attempt:
    """What is gathered during a trial, before it is a record."""

    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    events: list[Event] = field(default_factory=list)
    laps: list[float] = field(default_factory=list)
    phases: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def call(self, client: Strategy, url: str) -> requests.Response | None:
        """Make one call; None if it failed."""
        thread = threading.get_ident()
        self.events.append(CallBegan(thread=thread))
        response = None
        try:
            with timed_call() as seconds, self.stopwatch:
                response = client.get(url)
        except (OSError, HTTPError, ValueError) as error:  # RequestException is an OSError
            self.errors.append(type(error).__name__)
        self.laps.append(self.stopwatch.lap_s)
        self.phases.update(seconds)
        self.events.append(CallEnded(thread=thread, failed=response is None))
        return response


def try_once(
    way: type[Strategy], scenario: str, round_number: int, plan: Plan, target: Target, seen: Answers
) -> Trial:
    """Run one trial; round 0 is the warm-up.

    Raises:
        DisagreementError: the witnesses or the answers differ.
        TargetError: the server asks to stop.
    """
    attempt = Attempt()
    accepted_before = target.accepted(scenario)
    gc.collect()  # so that no trial pays for another's garbage
    with (
        pool_log.listening(attempt.events.append),
        sockets.watching() as witness,
        timing(),
    ):
        _make_all_calls(way, scenario, plan, target, seen, attempt)
    accepted = target.accepted(scenario)
    server = None
    if accepted is not None and accepted_before is not None:
        server = accepted - accepted_before
    counts = count(attempt.events)
    said = Witnesses(pool_log=counts.opened, sockets=witness.connected, server=server)
    if (difference := witnesses.disagreement(counts, said)) is not None:
        raise DisagreementError(
            f"The witnesses disagree ({way.label}, {scenario}, round {round_number}): {difference}."
        )
    return Trial(
        scenario=scenario,
        strategy=way.name,
        round=round_number,
        warm_up=round_number == 0,
        counts=witnesses.settled(counts, said),
        witnesses=said,
        seconds=attempt.stopwatch.seconds,
        cpu_seconds=attempt.stopwatch.cpu_seconds,
        request_seconds=tuple(attempt.laps),
        phases=dict(attempt.phases),
        first_error=attempt.errors[0] if attempt.errors else None,
    )


def _make_all_calls(
    way: type[Strategy],
    scenario: str,
    plan: Plan,
    target: Target,
    seen: Answers,
    attempt: Attempt,
) -> None:
    with attempt.stopwatch:
        client = way(target.access)
    try:
        for place, path in enumerate(plan.targets):
            if place:
                target.pause(scenario)
            response = attempt.call(client, target.url(scenario) + path)
            if response is not None:
                target.check(response)
                seen.compare(scenario, place, path, way.label, response)
                # A response kept until after the next call would keep its closed Session's
                # connection open, since urllib3 2.x closes a pool when nothing holds it any more
                with attempt.stopwatch:
                    del response
    finally:
        with attempt.stopwatch:
            client.close()
