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
        # Not a number under a lock, which a fork's child could inherit locked
        self._connected: list[int] = []

    @property
    def connected(self) -> int:
        """How many connect() calls of TCP sockets have succeeded, on any thread."""
        return len(self._connected)

    def saw(self, connected: socket.socket) -> None:
        """Count this socket, which has just been connected, if it is a TCP one."""
        if connected.family in _INTERNET and connected.type == socket.SOCK_STREAM:
            self._connected.append(1)


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

    def wrapper(before: Callable[..., Any]) -> Callable[..., Any]:
        def connect(self: socket.socket, address: Any, /) -> None:
            returned = False
            try:
                before(self, address)
                returned = True
            finally:
                if returned or _has_peer(self):
                    witness.saw(self)

        return connect

    with replaced([(socket.socket, "connect", wrapper)]):
        yield witness
