"""Idle connections: a pool's stack of them, and what each connection remembers about itself."""

from __future__ import annotations

import itertools
import queue
import time
from contextlib import suppress
from typing import Any

from keptalive.tuned import sockets
from keptalive.tuned.events import Idle, Sight
from keptalive.tuned.policy import NOT_IDLE_S, announced_timeout_s, is_refused

_NUMBERS = itertools.count(1)


def now() -> float:
    """The time on the clock of `History`."""
    return time.monotonic()


class History:
    """What a connection remembers, from when it is opened. Times are `time.monotonic`'s, in s.

    Attributes:
        number: no other connection of the process has it.
        opened_at: when the request came for which it was opened.
        head_at: when the head of its last response had come.
        idle_since: when it was given back to its pool; None: it never was, or it was closed then.
        taken_at: when it was last taken from its pool.
        idle: for how long it had been idle then; None: not for so long that it matters.
        sight: of its socket then; None: it was not looked at.
        open_s: the idle time at which it was last seen open, since it was given back.
        keep_alive: its last Keep-Alive header.
        announced_s: the timeout in that.
        is_refused: the server has announced that it keeps the connection no longer.
    """

    __slots__ = (
        *("number", "opened_at", "head_at", "idle_since", "taken_at", "idle", "sight", "open_s"),
        *("keep_alive", "announced_s", "is_refused"),
    )

    def __init__(self) -> None:
        self.number = next(_NUMBERS)
        self.opened_at = self.head_at = self.taken_at = time.monotonic()
        self.idle_since: float | None = None
        self.idle: Idle | None = None
        self.sight: Sight | None = None
        self.open_s = 0.0
        self.keep_alive: str | None = None
        self.announced_s: float | None = None
        self.is_refused = False

    def idle_at(self, now: float) -> Idle:
        """For how long the connection has been idle at this time."""
        since = now if self.idle_since is None else self.idle_since
        return Idle(least_s=now - since, most_s=now - min(self.head_at, since))

    def on_head(self, keep_alive: str | None) -> bool:
        """The head of a response has come; whether its Keep-Alive header says something new."""
        self.head_at = time.monotonic()
        if keep_alive is None or keep_alive == self.keep_alive:
            return False
        self.keep_alive = keep_alive
        self.announced_s = announced_timeout_s(keep_alive)
        self.is_refused = is_refused(self.announced_s)
        return True

    def on_put(self, is_open: bool) -> None:
        """The connection is given back to its pool."""
        self.idle_since = time.monotonic() if is_open else None
        self.open_s = 0.0

    def on_take(self, connection: Any) -> None:
        """The connection is taken from its pool; urllib3 has not looked at it yet."""
        now = self.taken_at = time.monotonic()
        self.idle = self.sight = None
        if self.idle_since is not None and now - self.head_at > NOT_IDLE_S:
            self.idle = self.idle_at(now)
            sock = getattr(connection, "sock", None)
            self.sight = None if sock is None else sockets.look(sock)


def history_of(connection: Any) -> History | None:
    """What this connection remembers; None: it was never taken from a pool of ours."""
    history: History | None = getattr(connection, "history", None)
    return history


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
            connection = self.queue.pop()
        except IndexError:
            raise queue.Empty from None
        history = history_of(connection)
        if history is not None:
            history.on_take(connection)
        return connection

    def qsize(self) -> int:
        return len(self.queue)

    def close(self) -> None:
        """Close each of them. A socket that another process shares stays open there."""
        with suppress(IndexError):  # none is left
            while True:
                connection = self.queue.pop()
                if connection is not None:
                    connection.close()
