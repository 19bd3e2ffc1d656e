"""What the tuned Session adds to urllib3's connection pools.

A connection that was idle too long, or is too old, is replaced before use. No two processes use the
same connection. A body that can be read only once is not sent again. A slot of ``threads`` is never
lost. Closing a pool fails no request that uses it.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
import weakref
from http.client import HTTPResponse
from typing import Any, Literal, Protocol, cast

from urllib3 import PoolManager
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import ClosedPoolError, EmptyPoolError, ReadTimeoutError
from urllib3.util import Retry

from keptalive.tuned import flow
from keptalive.tuned.head import QuickResponse
from keptalive.tuned.idle import History, IdleConnections, history_of
from keptalive.tuned.learning import Memory, Route, route_name
from keptalive.tuned.retries import is_one_shot, is_repeatable
from keptalive.tuned.slots import Slot, Slots
from keptalive.tuned.timeouts import Timeout, as_pair, longest_wait

log = logging.getLogger(__name__)

LEARN: Literal["learn"] = "learn"
MaxIdle = float | Literal["learn"] | None  # seconds; None: never


class Limits(Protocol):
    """The adapter's limits, which the pools read at each use."""

    max_idle: MaxIdle
    max_age: float | None  # seconds
    memory: Memory  # of what is learned
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
        self._known_route: Route | None = None

    def _get_conn(self, timeout: float | None = None) -> Any:
        if self._pid != os.getpid():
            self.drop_parent_connections()
        slot = self._acquire_slot(timeout)
        try:
            connection: Any = super()._get_conn()
        except ClosedPoolError:  # closed after this request got the pool
            connection = self._new_conn()
        reason = self._why_replace(connection)
        if reason is not None:
            log.debug("Replacing a connection to %s, %s", self.host, reason)
            # `keptalive.watching` reads this
            connection.closed_for = "max-age" if self._age_if_too_old(connection) else "max-idle"
            connection.close()
            # A new object: so urllib3 logs its "Starting new" line, which counts of connections
            # need
            connection = self._new_conn()
            connection.history = History()
        connection.slot = slot
        return connection

    def _why_replace(self, connection: Any) -> str | None:
        """Why this connection must not be used; None: it may be. A closed one is opened again."""
        history, limits = history_of(connection), self.limits
        max_idle = limits.max_idle
        if history is None or getattr(connection, "sock", None) is None:
            if history is not None and max_idle == LEARN:
                self._route().on_dropped(history)
            connection.history = History()
            return None
        age = self._age_if_too_old(connection)
        if age is not None:
            return f"{age:.1f} s old (max_age {limits.max_age:g})"
        if max_idle == LEARN:
            if history.idle is None and not history.is_refused:
                return None
            repeatable = is_repeatable(*flow.ATTEMPT.get())
            return self._route().why_replace(history, connection.sock, repeatable)
        if max_idle is None or history.idle_since is None:
            return None
        idle = history.taken_at - history.idle_since
        return f"idle for {idle:.1f} s (max_idle {max_idle:g})" if idle > max_idle else None

    def _age_if_too_old(self, connection: Any) -> float | None:
        history, max_age = history_of(connection), self.limits.max_age
        if max_age is None or history is None:
            return None
        age = history.taken_at - history.opened_at
        return age if age > max_age else None

    def _route(self) -> Route:
        if self._known_route is None:
            self._known_route = self.limits.memory.route(route_name(self))
        return self._known_route

    def _make_request(self, conn: Any, *args: Any, **settings: Any) -> Any:
        try:
            response: Any = super()._make_request(conn, *args, **settings)
        except (ConnectionError, ssl.SSLError, ReadTimeoutError) as error:
            history = history_of(conn)
            if history is not None and history.idle is not None and self.limits.max_idle == LEARN:
                timed_out = isinstance(error, ReadTimeoutError)
                self._route().on_broken(history, getattr(conn, "sock", None), timed_out)
            raise
        history = history_of(conn)
        if history is not None:
            headers = response.headers  # ``in`` costs a third of ``get`` where there is none
            keep_alive = headers["Keep-Alive"] if "Keep-Alive" in headers else None  # noqa: SIM401
            is_new = history.on_head(keep_alive)
            if (is_new or history.idle is not None) and self.limits.max_idle == LEARN:
                self._route().on_response(history, response.status)
        return response

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        if getattr(connection, "response_class", None) is HTTPResponse:
            connection.response_class = QuickResponse
        return connection

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
        self._slots = self._known_route = None
        self._pid = os.getpid()
        self.close()

    def _put_conn(self, conn: Any) -> None:
        if self._pid != os.getpid():
            self.drop_parent_connections()
        slots, idle = self._slots, cast("IdleConnections | None", self.pool)
        slot = self._slot_of(conn)
        if conn is not None:
            conn.slot = None
            history = history_of(conn)
            if history is not None:
                history.on_put(getattr(conn, "sock", None) is not None)
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
        attempt = flow.ATTEMPT.set((method, retries))
        try:
            response: Any = super().urlopen(method, url, body, headers, retries, *args, **settings)
        finally:
            flow.ATTEMPT.reset(attempt)
        slot = getattr(response.connection, "slot", None)
        if slot is not None:
            slot.response = weakref.ref(response)
        return response


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
