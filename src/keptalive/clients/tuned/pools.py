"""urllib3's pools, fitted: no connection is used past its time, no spent body sent again."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol, cast

from urllib3.connectionpool import HTTPConnectionPool
from urllib3.util import Retry

from keptalive.clients.tuned.timeouts import Timeout, longest

log = logging.getLogger(__name__)


class Limits(Protocol):
    """What the pools are held to, read anew each time: the adapter has it."""

    max_idle: float | None  # seconds
    timeout: Timeout  # which is also how long to wait for a connection, where the pool blocks


class FittedPool(HTTPConnectionPool):
    """What is added to a pool; `fitted` mixes it in."""

    limits: Limits

    def _get_conn(self, timeout: float | None = None) -> Any:
        places = self.pool
        wait = longest(self.limits.timeout) if timeout is None else timeout
        connection: Any = super()._get_conn(timeout=wait)
        if self.pool is None:  # closed while this one waited
            _wake(places)
        max_idle = self.limits.max_idle
        if max_idle is None or getattr(connection, "sock", None) is None:
            return connection
        now = time.monotonic()
        idle = now - getattr(connection, "idle_since", now)
        if idle <= max_idle:
            return connection
        log.debug(
            "Replacing a connection to %s, idle for %.1f s (max_idle %g)",
            self.host,
            idle,
            max_idle,
        )
        connection.close()
        # Not the old object: this way urllib3's log has its "Starting new" line, as every
        # count of connections expects
        return self._new_conn()

    def close(self) -> None:
        """As urllib3's, but whoever waits for a connection goes on with a new one."""
        places = self.pool
        super().close()
        _wake(places)

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)

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
        return super().urlopen(method, url, body, headers, retries, *args, **settings)


def _wake(places: Any) -> None:
    if places is not None:
        with suppress(queue.Full):
            places.put(None, block=False)


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
