"""The calls of one thread in a trial: timed, their events marked, their errors told apart."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType

from keptalive.bench.in_flight import InFlight
from keptalive.bench.strategy import Answer, Request, Strategy
from keptalive.counting import count
from keptalive.errors import TargetError, UsageError
from keptalive.records.counts import HostCounts
from keptalive.records.pool_events import CallBegan, CallEnded, Event
from keptalive.redaction import shown
from keptalive.watching.phases import timed_call


class StrategyError(UsageError):
    """A strategy raised what is not among its errors: its own mistake."""


class Stopwatch:
    """Adds up wall and CPU time over the blocks it is used around; the last one is ``lap_s``.

    Args:
        cpu_clock: seconds of CPU time, of the process or of the thread that uses it.
    """

    def __init__(self, cpu_clock: Callable[[], float] = time.process_time) -> None:
        self._cpu_clock = cpu_clock
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self.lap_s = 0.0

    def __enter__(self) -> Stopwatch:
        self._cpu_began = self._cpu_clock()
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
        self.cpu_seconds += self._cpu_clock() - self._cpu_began


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A strategy in a scenario, once: what a round is made of."""

    scenario: str
    name: str
    strategy: type[Strategy]

    def mistake(self, what: str, error: Exception) -> StrategyError:
        """The error that ends the benchmark, for one that the strategy has no name for."""
        said = " ".join(shown(str(error)).split())[:200]
        return StrategyError(
            f"The strategy {self.name} failed in {what}: {type(error).__name__}: {said}\n"
            "Next: mend it; what counts as a failed request stands in its `errors`."
        )


@dataclass(slots=True, kw_only=True)
class Caller:
    """One thread of a trial: it makes calls, and notes what each took.

    Attributes:
        events: of all threads.
        stopwatch: around each call.
        checks: around what is done with the answers, which is no work of the client.
        laps: seconds, one for each call.
    """

    step: Step
    events: list[Event]
    stopwatch: Stopwatch
    checks: Stopwatch = field(default_factory=lambda: Stopwatch(time.thread_time))
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
            raise self.step.mistake("send()", error) from error
        self.laps.append(self.stopwatch.lap_s)
        self.phases.update(seconds)
        self.events.append(CallEnded(thread=thread, failed=answer is None, error=failure))
        return answer


class TrialRecorder:
    """What is gathered during a trial, before it is a record.

    Args:
        step: which trial.
        threads: how many make its calls.
    """

    def __init__(self, *, step: Step, threads: int) -> None:
        self.step = step
        self.stopwatch = Stopwatch()
        self.events: list[Event] = []
        self.in_flight = InFlight()
        self.callers = [
            # of one thread, the calls alone are the trial's time; several overlap
            Caller(
                step=step,
                events=self.events,
                stopwatch=self.stopwatch if threads == 1 else Stopwatch(time.thread_time),
            )
            for _ in range(threads)
        ]

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
            raise self.step.mistake(what, error) from error

    @property
    def cpu_seconds(self) -> float:
        """The process's CPU time, without what was done with the answers."""
        if len(self.callers) == 1:
            return self.stopwatch.cpu_seconds
        checks = sum(caller.checks.cpu_seconds for caller in self.callers)
        return max(0.0, self.stopwatch.cpu_seconds - checks)

    @property
    def laps(self) -> tuple[float, ...]:
        """What each call took: the first of all threads, the second of all threads, ..."""
        together = zip(*(caller.laps for caller in self.callers), strict=True)
        return tuple(lap for laps in together for lap in laps)

    @property
    def phases(self) -> dict[str, float]:
        """The seconds of all calls by what they were spent on."""
        together: Counter[str] = Counter()
        for caller in self.callers:
            together.update(caller.phases)
        return dict(together)

    def counts(self) -> HostCounts:
        """What urllib3's log amounts to; without it, the number of calls."""
        most = None if len(self.callers) == 1 else self.in_flight.most
        counts = count(self.events)
        if self.step.strategy.built_on_urllib3:
            return replace(counts, most_at_once=most)
        unknown = ("connects", "opened", "opened_unanswered", "reopened", "reused", "unanswered")
        return HostCounts(
            requests=len(self.laps),
            errors=counts.errors,
            most_at_once=most,
            **dict.fromkeys((*unknown, "in_flight")),  # type: ignore[arg-type]
        )
