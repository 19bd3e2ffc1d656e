"""Threads that do the same work at the same time.

They live as long as the trial, since a client may keep something for each thread. Between two legs
all of them wait, so that the target can let time pass while nothing is in flight.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

from keptalive.errors import UsageError

ENDS_WITHIN_S = 2.0  # a thread that waits longer for a response is left behind

Work = Callable[[int, int], None]


def work_together(
    threads: int,
    legs: Sequence[Iterable[int]],
    work: Work,
    *,
    pause: Callable[[], None],
    timed: AbstractContextManager[object],
) -> None:
    """Do all legs on each of so many threads.

    Args:
        threads: how many.
        legs: places, in order; a leg begins when all threads have ended the one before.
        work: is called on each thread with its number, from 0, and each place.
        pause: is called between two legs.
        timed: is entered before each leg, and left after it.

    Raises:
        Exception: the first that ``work`` has raised; then the others end too.
        UsageError: the system does not start so many threads.
    """
    workers = _Workers(threads, legs, work)
    try:
        workers.start()
        for place in range(len(legs)):
            if place:
                pause()
            with timed:
                workers.gate.wait()  # until all are there: they begin
                workers.gate.wait()  # until all have ended
    except threading.BrokenBarrierError:
        raise workers.errors[0] from None
    finally:
        workers.end()


class _Workers:
    """The threads, and the gate at which they meet before and after each leg."""

    def __init__(self, threads: int, legs: Sequence[Iterable[int]], work: Work) -> None:
        self.gate = threading.Barrier(threads + 1)
        self.errors: list[BaseException] = []
        self._legs = legs
        self._work = work
        # Daemons: one that waits for a server cannot keep an interrupted command from ending
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(threads)
        ]
        self._started: list[threading.Thread] = []

    def start(self) -> None:
        """Start them all.

        Raises:
            UsageError: the system does not start so many.
        """
        for thread in self._threads:
            try:
                thread.start()
            except RuntimeError as error:
                raise UsageError(
                    f"threads = {len(self._threads)}: the system started {len(self._started)} of "
                    "them. Next: fewer threads."
                ) from error
            self._started.append(thread)

    def end(self) -> None:
        """Let each end after its present call, and wait for that, but not for long."""
        self.gate.abort()
        ends_at = time.monotonic() + ENDS_WITHIN_S
        for thread in self._started:
            thread.join(max(0.0, ends_at - time.monotonic()))

    def _run(self, number: int) -> None:
        try:
            for leg in self._legs:
                self.gate.wait()
                self._do(leg, number)
                self.gate.wait()
        except threading.BrokenBarrierError:
            return
        except BaseException as error:  # noqa: BLE001 - it is raised where the trial is made
            self.errors.append(error)
            self.gate.abort()

    def _do(self, leg: Iterable[int], number: int) -> None:
        for place in leg:
            if self.gate.broken:
                return
            self._work(number, place)
