"""The second witness: the client's own sockets, counted where Python connects them.

It knows nothing of urllib3. Every pure-Python client connects through ``socket.socket.connect``,
once for each address it tries; a connection is one whose connect() returned. An audit hook would
see the same calls, but before their outcome, and could never be removed.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
    inherited = "connect" not in vars(socket.socket)
    before = socket.socket.connect

    def connect(self: socket.socket, address: Any, /) -> None:
        before(self, address)
        witness.saw(self)

    socket.socket.connect = connect  # type: ignore[method-assign, assignment]
    try:
        yield witness
    finally:
        if inherited:
            # socket.socket inherits it from the C class; an own copy would shadow that for good
            del socket.socket.connect
        else:
            socket.socket.connect = before  # type: ignore[method-assign]
