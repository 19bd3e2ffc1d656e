"""The places of one pool: no more than so many connections are in use at once.

Nothing is counted up and down, since an exception can strike between any two lines, and a
response can be collected unread. A place is taken for as long as its `Place` exists, and that
belongs to the connection that uses it: whatever becomes of the connection, the place is free
again. Who waits for one looks for those that have gone; nobody is called back when one goes,
since Python drops what a signal handler raises in such a callback.
"""

from __future__ import annotations

import gc
import math
import threading
import time
import weakref
from typing import Any

LOOK_S = 0.05  # so often, who waits looks for places that have gone
GREENLETS_LOOK_S = 0.002  # where nobody can be woken
COLLECT_AFTER_S = 0.25  # of waiting: a reference cycle may keep a response that nobody can reach


class Place:
    """The use of one connection, from `Places.take` on, until it is over or nothing refers to it.

    Attributes:
        over: whether it is free for somebody else.
        answer: urllib3's response, once it is there.
    """

    __slots__ = ("__weakref__", "answer", "over")

    def __init__(self) -> None:
        self.over = True
        self.answer: weakref.ref[Any] | None = None

    def is_over(self) -> bool:
        """Whether nothing more can be read from its connection."""
        if self.over or self.answer is None:
            return self.over
        response = self.answer()
        return response is None or bool(response.closed) or response.length_remaining == 0

    def give_up(self) -> None:
        """Nobody will read what is left."""
        self.over = True
        response = self.answer() if self.answer else None
        if response is not None:
            response.close()


class Places:
    """The places of one pool. Safe to share between threads, greenlets and signal handlers.

    The lock is never held while anything else runs that could wait.

    Args:
        limit: how many there are.
    """

    def __init__(self, limit: int) -> None:
        self._limit: float = limit
        self._taken: set[weakref.ref[Place]] = set()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._collected_at = -math.inf

    def take(self, place: Place) -> bool:
        """Take this place now, if one is free."""
        if self._take(place):
            return True
        self._look_for_lost_ones()
        return self._take(place)

    def wait(self, place: Place, working: float | None, unread: float | None) -> float | None:
        """Take this place as soon as one is free.

        Args:
            place: the new one.
            working: how many seconds to wait while a connection waits for its response; None
                for ever.
            unread: how many, while all responses are there and only have to be read.

        Returns:
            How many seconds were not enough; None if the place is taken.
        """
        began = time.monotonic()
        while not self.take(place):
            waited = time.monotonic() - began
            limit = working if self._is_working() else unread
            grace = COLLECT_AFTER_S if limit is None else min(COLLECT_AFTER_S, limit / 2)
            if waited >= grace and self._collected_at < began and self._any_unread():
                self._collected_at = time.monotonic()
                gc.collect()
            elif limit is not None and waited >= limit:
                return limit
            elif self._take(place, math.inf if limit is None else limit - waited):
                return None
        return None

    def give_back(self, place: Place) -> None:
        """It is free, and whoever waits for one is woken."""
        place.over = True
        with self._lock:
            self._taken.discard(weakref.ref(place))
            self._changed.notify()

    def lift(self) -> None:
        """From now on there is no limit: whoever waits goes on."""
        with self._lock:
            self._limit = math.inf
            self._changed.notify_all()

    def _take(self, place: Place, patience: float = 0) -> bool:
        if patience and _would_stop_all_greenlets():
            time.sleep(min(patience, GREENLETS_LOOK_S))
            patience = 0
        with self._lock:
            if patience and len(self._taken) >= self._limit:
                self._changed.wait(min(patience, LOOK_S))
            if len(self._taken) >= self._limit:
                return False
            place.over = False
            self._taken.add(weakref.ref(place))
            return True

    def _look_for_lost_ones(self) -> None:
        # Not under the lock: a response that is let go of here runs its own code
        lost = [known for known in list(self._taken) if (it := known()) is None or it.is_over()]
        if lost:
            with self._lock:
                self._taken.difference_update(lost)
                self._changed.notify_all()

    def _is_working(self) -> bool:
        places = [known() for known in list(self._taken)]
        return any(place is not None and place.answer is None for place in places)

    def _any_unread(self) -> bool:
        places = [known() for known in list(self._taken)]
        return any(place is not None and place.answer is not None for place in places)


def _would_stop_all_greenlets() -> bool:
    """Whether waiting for a lock stops the thread, and with it the greenlet that has the place.

    So it is where gevent or eventlet has patched time and sockets, but not threads.
    """
    patched_by = getattr(time.sleep, "__module__", None) or ""
    locks = type(threading.Lock()).__module__
    return patched_by.startswith(("gevent", "eventlet")) and locks == "_thread"
