"""Requests that wait for a connection of a pool that blocks: how long, and how many at once."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, NamedTuple

from urllib3.exceptions import EmptyPoolError

from keptalive.watching.calls import current_call
from keptalive.watching.foreign import own
from keptalive.watching.openings import Openings
from keptalive.watching.own_classes import WAITS_IN
from keptalive.watching.tracking import Pool, socket_queue

# Where a connection was there a moment before: what takes less was no waiting for it
SHORTEST_WAIT_S = 0.02


class Wait(NamedTuple):
    """A request that wants a connection of a pool that blocks.

    Attributes:
        number: its own.
        began: on the clock of `time.perf_counter`: what is waited is always measured.
        finds_none: it has to wait.
    """

    number: int
    began: float
    finds_none: bool


class Waits(Openings):
    """What the hooks report of pools that block."""

    def may_wait(self, pool: Any) -> Wait | None:
        """Before a request takes a connection; None if this pool does not let it wait."""
        has_to = own(pool, WAITS_IN) is not None
        if not has_to and own(pool, "block") is not True:
            return None
        state = self.pool_of(pool)
        kept = own(socket_queue(pool), "queue")
        wait = Wait(
            number=next(self.ticks),
            began=time.perf_counter(),
            finds_none=has_to or (type(kept) in (list, deque) and not kept),
        )
        if wait.finds_none:
            state.waiting.add(wait.number)
            self._needs(pool, state)
        return wait

    def _needs(self, pool: Any, state: Pool) -> None:
        """All its connections are in use, and some requests wait: how many does that make?"""
        size = own(socket_queue(pool), "maxsize")
        if type(size) is not int:
            return  # it has just been closed
        needed = size + len(state.waiting)
        for route in self.routes_of(state)[1]:
            counts = route.counts
            counts.pool_size_needed = max(counts.pool_size_needed, needed)
            counts.blocking_pool_size = max(counts.blocking_pool_size or 0, size)

    def has_waited(self, pool: Any, wait: Wait) -> None:
        """It has a connection, or has given up."""
        waited_s = time.perf_counter() - wait.began
        state = self.pool_of(pool)
        state.waiting.discard(wait.number)
        if not wait.finds_none and waited_s < SHORTEST_WAIT_S:
            return
        for route in self.routes_of(state)[1]:
            counts = route.counts
            counts.waits += 1
            counts.seconds_waiting_for_pool = (counts.seconds_waiting_for_pool or 0.0) + waited_s
            counts.longest_wait_s = max(counts.longest_wait_s, waited_s)

    def was_refused(self, pool: Any, error: BaseException) -> None:
        """A request got no connection: if it has waited for too long, that is its try's end."""
        if not issubclass(type(error), EmptyPoolError):
            return
        state, call = self.pool_of(pool), current_call()
        if call is None:
            first = not self.is_repeated(state)
        else:
            first, call.counted = not call.counted, True
        name = type(error).__name__
        for route in self.routes_of(state)[1]:
            route.repeated += not first
            route.counts.errors[name] = route.counts.errors.get(name, 0) + 1
