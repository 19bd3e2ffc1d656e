"""A witness on the way to a server: it passes bytes on, and notes when the server closes, and how.

It reads no HTTP and decrypts nothing, and shares no code with what it is a witness of.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_PIECE = 65_536
_PATIENCE_S = 20.0
_IDLE_S = 0.5  # what comes from the server after so long a silence begins the end
_RST_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Passed:
    """What has passed on one connection: the times of the bytes from each side, in seconds."""

    from_client: list[float] = field(default_factory=list)
    from_server: list[tuple[float, bytes]] = field(default_factory=list)
    end: tuple[float, str] | None = None  # of the server's side: FIN or RST
    client_left: float | None = None

    @property
    def _last_words(self) -> list[tuple[float, bytes]]:
        """What came from the server long after its last response, as a TLS close does."""
        asked = self.from_client[-1]
        answered = [at for at, _ in self.from_server if at - asked < _IDLE_S]
        return [(at, data) for at, data in self.from_server if at > max(answered, default=0.0)]

    @property
    def idle_s(self) -> float | None:
        """How long it had been idle when the server began to close it; None if it did not."""
        ends = [at for at, _ in self._last_words] + ([self.end[0]] if self.end else [])
        words = {at for at, _ in self._last_words}
        answered = max((at for at, _ in self.from_server if at not in words), default=None)
        if not ends or answered is None or min(ends) - answered < _IDLE_S:
            return None
        if self.client_left is not None and self.client_left < min(ends):
            return None
        return min(ends) - answered

    @property
    def closed_with(self) -> str | None:
        """How the server closed it while it was idle, in the words of a probe."""
        if self.idle_s is None:
            return None
        said = b"".join(data for _, data in self._last_words)
        if said.startswith(b"HTTP/1."):
            return "408"
        if said:
            began = self._last_words[0][0]
            follows = self.end is not None and self.end[0] - began < 1.0
            return "TLS close and FIN" if follows else "TLS close"
        assert self.end is not None
        return self.end[1]


class Relay:
    """Listens on a port of its own, and passes on what comes there.

    Attributes:
        port: where it listens, on 127.0.0.1.
        passed: a record for each connection, in the order in which they came.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.passed: list[Passed] = []
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """End all connections; their records are complete then."""
        _end(self._listener)
        self._threads[0].join(_PATIENCE_S)
        self._listener.close()
        for sock in self._sockets:
            _end(sock)
        for thread in self._threads:
            thread.join(_PATIENCE_S)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._to))
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [client, server]
            self.passed.append(Passed())
            passing = threading.Thread(target=_pass_on, args=(client, server, self.passed[-1]))
            self._threads.append(passing)
            passing.start()


def _pass_on(client: socket.socket, server: socket.socket, passed: Passed) -> None:
    """Pass on what comes from either side, until both have ended or one has reset.

    In one thread: a socket in which another thread waits does not end when it is closed.
    """
    with client, server, selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ, (_from_client, server))
        selector.register(server, selectors.EVENT_READ, (_from_server, client))
        while selector.get_map():
            for key, _ in selector.select():
                read, other = key.data
                try:
                    if not read(key.fileobj, other, passed):
                        selector.unregister(key.fileobj)
                        other.shutdown(socket.SHUT_WR)
                except OSError:
                    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
                    return


def _from_client(client: socket.socket, server: socket.socket, passed: Passed) -> bool:
    try:
        data = client.recv(_PIECE)
    except OSError:
        passed.client_left = time.monotonic()
        raise
    if data:
        passed.from_client.append(time.monotonic())
        server.sendall(data)
    else:
        passed.client_left = time.monotonic()
    return bool(data)


def _from_server(server: socket.socket, client: socket.socket, passed: Passed) -> bool:
    try:
        data = server.recv(_PIECE)
    except ConnectionResetError:
        passed.end = (time.monotonic(), "RST")
        raise
    if data:
        passed.from_server.append((time.monotonic(), data))
        client.sendall(data)
    else:
        passed.end = (time.monotonic(), "FIN")
    return bool(data)


def _end(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended
        sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def relayed(port: int) -> Iterator[Relay]:
    """A relay to this port of 127.0.0.1."""
    relay = Relay(port)
    try:
        yield relay
    finally:
        relay.close()
