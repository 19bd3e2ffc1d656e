"""The second witness: the client's own sockets, counted where Python connects them.

It knows nothing of urllib3. Every pure-Python client connects through ``socket.socket.connect``,
once for each address it tries. A connection is one whose connect() returned, or was broken off by a
signal handler that raised when the other end had accepted already. An audit hook would see the same
calls, but before their outcome, and could never be removed.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from keptalive.watching.patching import replaced

_INTERNET = (socket.AF_INET, socket.AF_INET6)


class SocketWitness:
    """Counts the TCP connections that this process has opened while it watched."""

    def __init__(self) -> None:
        self.begin_again()

    def begin_again(self) -> None:
        """Forget what was counted: this is a fork's child."""
        # Not a number under a lock, which a fork's child could inherit locked
        self._connected: list[int] = []

    @property
    def connected(self) -> int:
        """How many connect() calls of TCP sockets have succeeded, on any thread."""
        return len(self._connected)

    def counts_this(self) -> bool:
        """Whether the connection that is about to be made is one of those to count."""
        return True

    def wrapped(self, before: Callable[..., Any]) -> Callable[..., Any]:
        """This ``connect``, its connections counted if they are TCP's."""

        def connect(sock: socket.socket, address: Any, /) -> None:
            is_tcp = sock.family in _INTERNET and sock.type == socket.SOCK_STREAM
            counts = is_tcp and self.counts_this()  # a handler may raise in it: not afterwards
            returned = False
            try:
                before(sock, address)
                returned = True
            finally:
                # Counted by the next call that returns, whatever a signal handler raises then
                if counts and (returned or _has_peer(sock)):
                    self._connected.append(1)

        return connect


def _has_peer(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


@contextmanager
def watching() -> Iterator[SocketWitness]:
    """Count the connections opened from here on, until the block ends."""
    witness = SocketWitness()
    with replaced([(socket.socket, "connect", witness.wrapped)]):
        yield witness
