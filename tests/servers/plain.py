"""A plain server whose half of each conversation is written in the test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from keptalive.lookalike.process import Lookalike


class Peer:
    """One accepted connection, as the server's script sees it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def asked(self) -> bool:
        """Read one request to its end; False if the client has closed instead."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            received = self._sock.recv(65536)
            if not received:
                return False
            head += received
        return True

    def close(self) -> None:
        self._sock.close()

    def answer(self, *headers: str) -> None:
        lines = ["HTTP/1.1 200 OK", "Content-Length: 2", *headers]
        self._sock.sendall(("\r\n".join(lines) + "\r\n\r\nok").encode())


class PlainServer:
    """Plays the script on each connection, on a thread of its own, and counts its accepts."""

    def __init__(self, script: Callable[[Peer], None]) -> None:
        self.accepted = 0
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    @property
    def url(self) -> str:
        return "http://127.0.0.1:{1}/".format(*self._listener.getsockname())

    def _accept(self) -> None:
        with suppress(OSError):  # close() ends it
            while True:
                sock, _ = self._listener.accept()
                self.accepted += 1
                self._socks.append(sock)
                thread = threading.Thread(target=self._play, args=[sock])
                self._threads.append(thread)
                thread.start()

    def _play(self, sock: socket.socket) -> None:
        with sock, suppress(ConnectionError):
            self._script(Peer(sock))

    def close(self) -> None:
        # a script may still wait for a client that keeps its connection: it hears the end now
        for sock in (self._listener, *self._socks):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._accepting, *self._threads):
            thread.join(timeout=5)
            assert not thread.is_alive()


@pytest.fixture
def served() -> Iterator[Callable[[Callable[[Peer], None]], PlainServer]]:
    servers = []

    def serve(script: Callable[[Peer], None]) -> PlainServer:
        servers.append(PlainServer(script))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


@pytest.fixture
def refusing() -> Iterator[str]:
    """A URL whose port is taken and not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield "http://127.0.0.1:{1}/".format(*taken.getsockname())


@pytest.fixture(scope="module")
def bundle(lookalike: Lookalike, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The one authority that matters: to load the look-alike's all would take most of the time."""
    begin = "-----BEGIN CERTIFICATE-----"
    last = lookalike.ca_bundle.read_text().rpartition(begin)[2]
    path = tmp_path_factory.mktemp("bundle") / "ca.pem"
    path.write_text(begin + last)
    return str(path)
