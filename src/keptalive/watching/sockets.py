"""The second witness: the client's own sockets, counted where Python connects them.

It knows nothing of urllib3. Every pure-Python client connects through ``socket.socket.connect``,
once for each address it tries; a connection is one whose connect() returned. An audit hook would
see the same calls, but before their outcome, and could never be removed.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from keptalive.watching.patching import replaced

_INTERNET = (socket.AF_INET, socket.AF_INET6)


class SocketWitness:
    """Counts the TCP connections that this process has opened while it watched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connected = 0

    @property
    def connected(self) -> int:
        """How many connect() calls of TCP sockets have succeeded, on any thread."""
        return self._connected

    def saw(self, connected: socket.socket) -> None:
        """Count this socket, whose connect() has just returned, if it is a TCP one."""
        if connected.family in _INTERNET and connected.type == socket.SOCK_STREAM:
            with self._lock:
                self._connected += 1


@contextmanager
def watching() -> Iterator[SocketWitness]:
    """Count the connections opened from here on, until the block ends."""
    witness = SocketWitness()

    def wrapper(before: Callable[..., Any]) -> Callable[..., Any]:
        def connect(self: socket.socket, address: Any, /) -> None:
            before(self, address)
            witness.saw(self)

        return connect

    with replaced([(socket.socket, "connect", wrapper)]):
        yield witness
