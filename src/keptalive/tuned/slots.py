"""Slots: the limit on how many connections of one pool are in use at once.

There is no counter that goes up and down: an exception can come between any two lines, and a
response can be collected unread, and then the counter would be wrong. Instead a slot is in use as
long as its `Slot` object exists, and the connection owns that object. Whatever happens to the
connection, the slot becomes free. A thread that waits for a slot looks for `Slot` objects that no
longer exist. There is no callback: Python drops an exception that a signal handler raises in a
weakref callback.
"""

from __future__ import annotations

import gc
import math
import threading
import time
import weakref
from typing import Any

CHECK_INTERVAL_S = 0.05  # how often a waiting thread looks for slots that are no longer in use
GREENLET_CHECK_INTERVAL_S = 0.002  # the same where a waiting greenlet cannot be woken
COLLECT_AFTER_S = 0.25  # a wait this long may be due to a response in a reference cycle


class Slot:
    """The use of one connection: from `Slots.acquire` until it is free or no longer referenced.

    Attributes:
        free: whether another request may have the slot.
        response: urllib3's response, once it has come.
    """

    __slots__ = ("__weakref__", "free", "response")

    def __init__(self) -> None:
        self.free = True
        self.response: weakref.ref[Any] | None = None

    def is_free(self) -> bool:
        """Whether nothing more can be read from its connection."""
        if self.free or self.response is None:
            return self.free
        response = self.response()
        return response is None or bool(response.closed) or response.length_remaining == 0

    def abandon(self) -> None:
        """Free it: nobody will read the rest of the response."""
        self.free = True
        response = self.response() if self.response else None
        if response is not None:
            response.close()


class Slots:
    """The slots of one pool. Safe to share between threads, greenlets and signal handlers.

    The lock is never held while code runs that could wait.

    Args:
        limit: how many slots there are.
    """

    def __init__(self, limit: int) -> None:
        self._limit: float = limit
        self._used: set[weakref.ref[Slot]] = set()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._collected_at = -math.inf

    def acquire(self, slot: Slot) -> bool:
        """Use this slot now; False if all slots are in use."""
        if self._acquire(slot):
            return True
        self._remove_free_ones()
        return self._acquire(slot)

    def wait(self, slot: Slot, no_response_s: float | None, unread_s: float | None) -> float | None:
        """Use this slot as soon as one is free.

        Args:
            slot: the new slot.
            no_response_s: how many seconds to wait while another request waits for its response;
                None: no limit.
            unread_s: how many seconds to wait while every response has come and only has to be
                read; None: no limit.

        Returns:
            None if the slot was acquired, else the limit, in seconds, that was reached.
        """
        began = time.monotonic()
        while not self.acquire(slot):
            waited = time.monotonic() - began
            limit = no_response_s if self._any_without_response() else unread_s
            grace = COLLECT_AFTER_S if limit is None else min(COLLECT_AFTER_S, limit / 2)
            if waited >= grace and self._collected_at < began and self._any_with_response():
                self._collected_at = time.monotonic()
                gc.collect()
            elif limit is not None and waited >= limit:
                return limit
            elif self._acquire(slot, math.inf if limit is None else limit - waited):
                return None
        return None

    def release(self, slot: Slot) -> None:
        """Free this slot, and wake a thread that waits for one."""
        slot.free = True
        with self._lock:
            self._used.discard(weakref.ref(slot))
            self._changed.notify()

    def remove_limit(self) -> None:
        """Wake all that wait: from now on there is no limit."""
        with self._lock:
            self._limit = math.inf
            self._changed.notify_all()

    def _acquire(self, slot: Slot, longest_wait_s: float = 0) -> bool:
        if longest_wait_s and _lock_blocks_all_greenlets():
            time.sleep(min(longest_wait_s, GREENLET_CHECK_INTERVAL_S))
            longest_wait_s = 0
        with self._lock:
            if longest_wait_s and len(self._used) >= self._limit:
                self._changed.wait(min(longest_wait_s, CHECK_INTERVAL_S))
            if len(self._used) >= self._limit:
                return False
            slot.free = False
            self._used.add(weakref.ref(slot))
            return True

    def _remove_free_ones(self) -> None:
        # Not under the lock: dropping the last reference to a response runs the response's code
        free = [known for known in list(self._used) if (it := known()) is None or it.is_free()]
        if free:
            with self._lock:
                self._used.difference_update(free)
                self._changed.notify_all()

    def _any_without_response(self) -> bool:
        slots = [known() for known in list(self._used)]
        return any(slot is not None and slot.response is None for slot in slots)

    def _any_with_response(self) -> bool:
        slots = [known() for known in list(self._used)]
        return any(slot is not None and slot.response is not None for slot in slots)


def _lock_blocks_all_greenlets() -> bool:
    """Whether waiting for a lock stops the whole thread, and so the greenlet that has the slot.

    This is so where gevent or eventlet has patched time and sockets, but not threads.
    """
    patched_by = getattr(time.sleep, "__module__", None) or ""
    locks = type(threading.Lock()).__module__
    return patched_by.startswith(("gevent", "eventlet")) and locks == "_thread"
