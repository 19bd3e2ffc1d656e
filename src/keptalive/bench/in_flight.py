"""How many requests of a trial were in flight at once: what perfect reuse would have opened.

A request counts from the moment when it has its connection until it has given it back, so that one
that waits for a connection of a blocking pool does not count. What is kept is a set of connections,
so that nothing can drift. Of a client that is not built on urllib3, calls count.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from urllib3.connectionpool import HTTPConnectionPool

from keptalive.watching.patching import replaced


class InFlight:
    """What is in flight now, one request for each thread, and the most that were at once.

    Attributes:
        most: the most so far.
    """

    def __init__(self) -> None:
        self.most = 0
        self._by_thread: dict[int, Hashable] = {}
        self._threads: dict[Hashable, int] = {}  # by what is in flight: whose it is
        self._lock = threading.Lock()

    def begin(self, what: Hashable) -> None:
        """A request of this thread is in flight from now on, on this."""
        thread = threading.get_ident()
        with self._lock:
            self._end(thread)
            self._by_thread[thread] = what
            self._threads[what] = thread
            self.most = max(self.most, len(self._threads))

    def end(self) -> None:
        """It is no longer; what another thread has taken meanwhile is in flight for that one."""
        with self._lock:
            self._end(threading.get_ident())

    def _end(self, thread: int) -> None:
        what = self._by_thread.pop(thread, None)
        if self._threads.get(what) == thread:
            del self._threads[what]


@contextmanager
def of_connections(in_flight: InFlight) -> Iterator[None]:
    """Count the requests that urllib3 sends within the block."""

    def taking(take: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(take)
        def wrapper(*args: Any, **settings: Any) -> Any:
            connection = take(*args, **settings)
            in_flight.begin(id(connection))
            return connection

        return wrapper

    def giving_back(put: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(put)
        def wrapper(pool: Any, connection: Any, *args: Any, **settings: Any) -> Any:
            if connection is None:  # urllib3 has closed the one that failed
                in_flight.end()
            try:
                return put(pool, connection, *args, **settings)
            finally:
                in_flight.end()  # not before: until now nobody else could have taken it

        return wrapper

    places = [
        (HTTPConnectionPool, "_get_conn", taking),
        (HTTPConnectionPool, "_put_conn", giving_back),
    ]
    with replaced(places):
        yield


@contextmanager
def of_call(in_flight: InFlight, *, counts: bool) -> Iterator[None]:
    """A call of this thread: nothing of it is in flight afterwards.

    Args:
        in_flight: where it is counted.
        counts: whether the call itself is in flight, since its connections are not seen.
    """
    if counts:
        in_flight.begin(threading.get_ident())
    try:
        yield
    finally:
        in_flight.end()
