"""What the tuned Session adds to urllib3's connection pools.

A connection that was idle too long is replaced before use. No two processes use the same
connection. A body that can be read only once is not sent again. A slot of ``threads`` is never
lost. Closing a pool fails no request that uses it.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol, cast

from urllib3 import PoolManager
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import ClosedPoolError, EmptyPoolError
from urllib3.util import Retry

from keptalive.tuned import flow
from keptalive.tuned.slots import Slot, Slots
from keptalive.tuned.timeouts import Timeout, as_pair, longest_wait

log = logging.getLogger(__name__)


class Limits(Protocol):
    """The adapter's limits, which the pools read at each use."""

    max_idle: float | None  # seconds
    timeout: Timeout  # of requests; a pool that blocks waits as long for a connection


class NoFreeConnectionError(EmptyPoolError):
    """All slots of a pool stayed in use for too long; `sentence` is for the user."""

    def __init__(self, pool: HTTPConnectionPool, slots: int, seconds: float) -> None:
        subject = "The only connection" if slots == 1 else f"All {slots} connections"
        self.sentence = (
            f"{subject} to {pool.host} stayed in use for {seconds:g} s. "
            "Read or close streamed responses, or raise threads=."
        )
        super().__init__(pool, self.sentence)


class IdleConnections:
    """A stack with the idle connections of a pool; the last one used is on top.

    It replaces `queue.LifoQueue`, whose lock could be held when the process forks, and then stays
    held in the child. This one has no lock, and never waits. As in urllib3's queue, ``None`` stands
    for a connection that is not open yet. A failed connection leaves a ``None`` on top: so a retry
    gets a new connection, and not another idle one, which the server may have closed too.
    """

    is_stack = True  # `keptalive.watching` reads this

    def __init__(self, maxsize: int) -> None:
        self.maxsize = maxsize
        self.queue: list[Any] = []

    def put(self, connection: Any, block: bool = False, timeout: float | None = None) -> None:  # noqa: ARG002
        if 0 < self.maxsize <= len(self.queue):
            raise queue.Full
        self.queue.append(connection)

    def get(self, block: bool = False, timeout: float | None = None) -> Any:  # noqa: ARG002
        try:
            return self.queue.pop()
        except IndexError:
            raise queue.Empty from None

    def qsize(self) -> int:
        return len(self.queue)

    def close(self) -> None:
        """Close each of them. A socket that another process shares stays open there."""
        with suppress(IndexError):  # none is left
            while True:
                connection = self.queue.pop()
                if connection is not None:
                    connection.close()


class TunedPool(HTTPConnectionPool):
    """A mixin with what is added to a pool; `tune` applies it."""

    QueueCls = IdleConnections  # type: ignore[assignment]
    waits_in = "_wait_for_slot"  # `keptalive.watching` reads this
    limits: Limits

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._pid = os.getpid()
        self._maxsize = self.pool.maxsize if self.pool else 0
        self._slots = Slots(self._maxsize) if self.block else None
        self.block = False  # else urllib3 would count its queue instead

    def _get_conn(self, timeout: float | None = None) -> Any:
        if self._pid != os.getpid():
            self.drop_parent_connections()
        slot = self._acquire_slot(timeout)
        try:
            connection: Any = super()._get_conn()
        except ClosedPoolError:  # closed after this request got the pool
            connection = self._new_conn()
        idle = self._idle_too_long(connection)
        if idle is not None:
            log.debug(
                "Replacing a connection to %s, idle for %.1f s (max_idle %g)",
                self.host,
                idle,
                self.limits.max_idle,
            )
            connection.closed_for = "max-idle"  # `keptalive.watching` reads this
            connection.close()
            # A new object: so urllib3 logs its "Starting new" line, which counts of connections
            # need
            connection = self._new_conn()
        connection.slot = slot
        return connection

    def _idle_too_long(self, connection: Any) -> float | None:
        """How many seconds this open connection was idle, if that is more than ``max_idle``."""
        max_idle = self.limits.max_idle
        if max_idle is None or getattr(connection, "sock", None) is None:
            return None
        now = time.monotonic()
        idle: float = now - getattr(connection, "idle_since", now)
        return idle if idle > max_idle else None

    def _acquire_slot(self, timeout: float | None) -> Slot | None:
        """A slot of ``threads``; None if there is no limit, or if this request needs no slot.

        Raises:
            NoFreeConnectionError: no slot became free in time.
        """
        if self._slots is None or self.pool is None:
            return None
        slot = Slot()
        flow.add_slot(slot)  # before it is acquired: an exception may come at any point after that
        if not self._slots.acquire(slot):
            if flow.held_slots():
                # A hook, or the body of another request, sends this one. That request has a slot
                # and does not release it before this one has its response: waiting would never end
                return None
            self._wait_for_slot(self._slots, slot, timeout)
        return slot

    def _wait_for_slot(self, slots: Slots, slot: Slot, timeout: float | None) -> None:
        limit, connect = longest_wait(self.limits.timeout), as_pair(self.limits.timeout)[0]
        if timeout is not None:
            limit = connect = timeout
        seconds = slots.wait(slot, limit, connect)
        if seconds is not None:
            raise NoFreeConnectionError(self, self._maxsize, seconds)

    def close(self) -> None:
        """Close the idle connections now, and those in use when they are released.

        Requests that use this pool, or wait for a slot of it, go on.
        """
        idle, self.pool = cast("IdleConnections | None", self.pool), None
        if self._slots is not None and self._pid == os.getpid():
            self._slots.remove_limit()
        if idle is not None:
            idle.close()

    def drop_parent_connections(self) -> None:
        """In the child of a fork: drop the parent's connections and slots.

        Closing the child's copy of a socket does not end the parent's connection: no close_notify
        is sent unless `ssl.SSLSocket.unwrap` is called.
        """
        self._slots = None
        self._pid = os.getpid()
        self.close()

    def _put_conn(self, conn: Any) -> None:
        if self._pid != os.getpid():
            self.drop_parent_connections()
        slots, idle = self._slots, cast("IdleConnections | None", self.pool)
        slot = self._slot_of(conn)
        if conn is not None:
            conn.idle_since, conn.slot = time.monotonic(), None
        if slots is not None and slot is None and idle is not None:
            if conn is not None:
                conn.close()  # it has no slot, so it is beyond the limit, and not from the queue
            return
        super()._put_conn(conn)
        if slots is not None and slot is not None:
            slots.release(slot)
        if idle is not None and self.pool is None:
            idle.close()  # close() ran meanwhile

    def _slot_of(self, conn: Any) -> Slot | None:
        if conn is not None:
            slot: Slot | None = getattr(conn, "slot", None)
            return slot
        # The connection failed, and urllib3 has closed it: its slot is the newest one in use here
        waiting = [slot for slot in flow.held_slots() if slot.response is None]
        return waiting[-1] if waiting else None

    def urlopen(  # type: ignore[override]
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        retries: Any = None,
        *args: Any,
        **settings: Any,
    ) -> Any:
        """As urllib3's, but without retries of a body that can be read only once."""
        if is_one_shot(body) and isinstance(retries, Retry):
            retries = retries.new(read=False, status=0, other=0)
        response: Any = super().urlopen(method, url, body, headers, retries, *args, **settings)
        slot = getattr(response.connection, "slot", None)
        if slot is not None:
            slot.response = weakref.ref(response)
        return response


def is_one_shot(body: object) -> bool:
    """Whether this body can be read only once: a generator, or a stream that cannot be rewound.

    urllib3 rewinds a body that has ``seek`` (``urllib3.util.request.rewind_body``). It reads any
    other body again from where it is, which is the end: a retry would send an empty body.
    """
    if body is None or isinstance(body, (str, bytes, bytearray, memoryview, Sequence)):
        return False
    seekable = getattr(body, "seekable", None)  # a pipe has seek, but is not seekable
    return not (seekable() if callable(seekable) else hasattr(body, "seek"))


def tune(manager: Any, limits: Limits) -> None:
    """Have this manager make its pools (direct, through SOCKS, ...) with these limits."""
    manager.pool_classes_by_scheme = {
        scheme: tuned_class(pool_class, limits)
        for scheme, pool_class in manager.pool_classes_by_scheme.items()
    }


def tuned_class(pool_class: type[HTTPConnectionPool], limits: Limits) -> type[HTTPConnectionPool]:
    """This class of pools with these limits; a class that has limits stays as it is."""
    if issubclass(pool_class, TunedPool):
        return pool_class
    made = type(pool_class.__name__, (TunedPool, pool_class), {"limits": limits})
    return cast("type[HTTPConnectionPool]", made)


def close_pools(manager: Any) -> None:
    """Close the pools of this manager. Of another class than `PoolManager`, close nothing."""
    for key in manager.pools.keys() if isinstance(manager, PoolManager) else ():
        pool = manager.pools.get(key)
        if pool is not None:
            pool.close()


def drop_parent_pools(manager: Any) -> None:
    """In the child of a fork: remove all pools from this manager.

    Args:
        manager: a `PoolManager`; a manager of another class stays as it is.
    """
    if not isinstance(manager, PoolManager):
        return
    pools = manager.pools
    pools.lock = threading.RLock()  # another thread may have held the old one at the fork
    for key in pools.keys():  # noqa: SIM118 - iterating over it is refused
        pool = pools.get(key)
        if isinstance(pool, TunedPool):
            pool.drop_parent_connections()
    pools.clear()
