"""urllib3's pools, fitted: what is added to each of them.

No connection is used past its time, none by two processes, and no spent body is sent again. A
place among ``threads`` is never lost. A closed pool does not fail the requests that have it.
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
from keptalive.tuned.places import Place, Places
from keptalive.tuned.timeouts import Timeout, longest, pair

log = logging.getLogger(__name__)


class Limits(Protocol):
    """What the pools are held to, read anew each time: the adapter has it."""

    max_idle: float | None  # seconds
    timeout: Timeout  # which is also how long to wait for a connection, where the pool blocks


class StayedInUseError(EmptyPoolError):
    """All places of a pool stayed taken for so many seconds: `line` says it to the user."""

    def __init__(self, pool: HTTPConnectionPool, places: int, seconds: float) -> None:
        self.line = (
            f"All {places} connections to {pool.host} stayed in use for {seconds:g} s. Read or "
            "close streamed responses, or allow for more threads."
        )
        super().__init__(pool, self.line)


class IdleConnections:
    """Where a pool keeps its idle connections, the last one used on top.

    In place of `queue.LifoQueue`, whose lock the child of a fork could inherit locked: this one
    has none, and never waits. As there, ``None`` stands for a connection that is not open yet: one
    that failed leaves it on top, so that a retry gets a new connection and no other idle one, which
    the server may have closed as well.
    """

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
        """Close each of them. A socket that another process has too stays open there."""
        with suppress(IndexError):  # there is none left
            while True:
                connection = self.queue.pop()
                if connection is not None:
                    connection.close()


class FittedPool(HTTPConnectionPool):
    """What is added to a pool; `fitted` mixes it in."""

    QueueCls = IdleConnections  # type: ignore[assignment]
    limits: Limits

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._pid = os.getpid()
        self._maxsize = self.pool.maxsize if self.pool else 0
        self._places = Places(self._maxsize) if self.block else None
        self.block = False  # towards urllib3, which would count its queue instead

    def _get_conn(self, timeout: float | None = None) -> Any:
        if self._pid != os.getpid():
            self.leave_to_parent()
        place = self._take_place(timeout)
        try:
            connection: Any = super()._get_conn()
        except ClosedPoolError:  # since this request was given the pool
            connection = self._new_conn()
        idle = self._idle_too_long(connection)
        if idle is not None:
            log.debug(
                "Replacing a connection to %s, idle for %.1f s (max_idle %g)",
                self.host,
                idle,
                self.limits.max_idle,
            )
            connection.closed_for = "max-idle"  # so that whoever watches sees why
            connection.close()
            # Not the old object: this way urllib3's log has its "Starting new" line, as every
            # count of connections expects
            connection = self._new_conn()
        connection.place = place
        return connection

    def _idle_too_long(self, connection: Any) -> float | None:
        """For how many seconds this open connection was unused, if that is too long."""
        max_idle = self.limits.max_idle
        if max_idle is None or getattr(connection, "sock", None) is None:
            return None
        now = time.monotonic()
        idle: float = now - getattr(connection, "idle_since", now)
        return idle if idle > max_idle else None

    def _take_place(self, timeout: float | None) -> Place | None:
        """One of ``threads``; None if there is no limit, or none for this request.

        Raises:
            StayedInUseError: none became free in time.
        """
        if self._places is None or self.pool is None:
            return None
        place = Place()
        flow.holds(place)  # first: whatever strikes from here on, it is known
        if not self._places.take(place):
            if flow.held():
                # It is sent by a hook or for a body of a request that has a place itself, and will
                # not give it back before this one is answered
                return None
            all_time, connect = longest(self.limits.timeout), pair(self.limits.timeout)[0]
            if timeout is not None:
                all_time = connect = timeout
            seconds = self._places.wait(place, all_time, connect)
            if seconds is not None:
                raise StayedInUseError(self, self._maxsize, seconds)
        return place

    def close(self) -> None:
        """Close the idle connections now, and those in use when they come back.

        Requests that are on their way with this pool, or wait for a place in it, go on.
        """
        kept, self.pool = cast("IdleConnections | None", self.pool), None
        if self._places is not None and self._pid == os.getpid():
            self._places.lift()
        if kept is not None:
            kept.close()

    def leave_to_parent(self) -> None:
        """In the child of a fork: keep none of the parent's connections, nor its places.

        To close them here ends none: TLS says goodbye only if asked to (`ssl.SSLSocket.unwrap`).
        """
        self._places = None
        self._pid = os.getpid()
        self.close()

    def _put_conn(self, conn: Any) -> None:
        if self._pid != os.getpid():
            self.leave_to_parent()
        places, kept = self._places, cast("IdleConnections | None", self.pool)
        place = self._place_of(conn)
        if conn is not None:
            conn.idle_since, conn.place = time.monotonic(), None
        if places is not None and place is None and kept is not None:
            if conn is not None:
                conn.close()  # one more than there are places for; none was taken from the queue
            return
        super()._put_conn(conn)
        if places is not None and place is not None:
            places.give_back(place)
        if kept is not None and self.pool is None:
            kept.close()  # it came between the two halves of close()

    def _place_of(self, conn: Any) -> Place | None:
        if conn is not None:
            place: Place | None = getattr(conn, "place", None)
            return place
        # It failed, and urllib3 has closed it: it is the last one that this flow took
        taken = [place for place in flow.held() if place.answer is None]
        return taken[-1] if taken else None

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
        """As urllib3's, but a body that was read once is not sent again, empty, by a retry."""
        if is_one_shot(body) and isinstance(retries, Retry):
            retries = retries.new(read=False, status=0, other=0)
        response: Any = super().urlopen(method, url, body, headers, retries, *args, **settings)
        place = getattr(response.connection, "place", None)
        if place is not None:
            place.answer = weakref.ref(response)
        return response


def is_one_shot(body: object) -> bool:
    """Whether this body can be read only once: a generator, a stream that cannot be rewound.

    urllib3 rewinds what has ``seek`` (``urllib3.util.request.rewind_body``) and reads anything
    else again from where it stands: the end.
    """
    if body is None or isinstance(body, (str, bytes, bytearray, memoryview, Sequence)):
        return False
    seekable = getattr(body, "seekable", None)  # a pipe has seek, and says here that it cannot
    return not (seekable() if callable(seekable) else hasattr(body, "seek"))


def fitted(pool_class: type[HTTPConnectionPool], limits: Limits) -> type[HTTPConnectionPool]:
    """This class of pools (direct, over SOCKS, ...) with these limits."""
    if issubclass(pool_class, FittedPool):
        return pool_class
    made = type(pool_class.__name__, (FittedPool, pool_class), {"limits": limits})
    return cast("type[HTTPConnectionPool]", made)


def close_pools(manager: Any) -> None:
    """Close this manager's pools; what is no `PoolManager` can be cleared, no more is known."""
    for key in manager.pools.keys() if isinstance(manager, PoolManager) else ():
        pool = manager.pools.get(key)
        if pool is not None:
            pool.close()


def leave_pools_to_parent(manager: Any) -> None:
    """In the child of a fork: this manager has no pools yet.

    Args:
        manager: a `PoolManager`, else nothing is known of it, and it stays as it is.
    """
    if not isinstance(manager, PoolManager):
        return
    pools = manager.pools
    pools.lock = threading.RLock()  # another thread may have held it at the fork
    for key in pools.keys():  # noqa: SIM118 - iterating over it is refused
        pool = pools.get(key)
        if isinstance(pool, FittedPool):
            pool.leave_to_parent()
    pools.clear()
