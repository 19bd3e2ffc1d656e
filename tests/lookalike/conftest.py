"""A client of bare ssl and socket, so that nothing hides what arrives."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from keptalive.lookalike.process import Lookalike

PATIENCE_S = 10.0


@dataclass(frozen=True)
class Answer:
    version: str
    status: int
    headers: dict[str, str]
    body: bytes


class RawClient:
    """One TLS connection, read byte by byte."""

    def __init__(self, lookalike: Lookalike, scenario: str) -> None:
        parts = urlsplit(lookalike.url(scenario))
        plain = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S)
        # Without it the client's kernel may hold a small write back until the last is acknowledged.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = client_context(lookalike.ca_bundle).wrap_socket(
            plain, server_hostname=parts.hostname, suppress_ragged_eofs=False
        )
        self.raw = socket.socket(fileno=self.sock.fileno())  # the same socket, beneath TLS
        self.raw.settimeout(PATIENCE_S)
        self._token = lookalike.token
        self._buffer = b""

    def close(self) -> None:
        self.raw.detach()
        self.sock.close()

    def send(
        self, path: str = "/user", *, method: str = "GET", extra: str = "", version: str = "1.1"
    ) -> None:
        self.sock.sendall(
            f"{method} {path} HTTP/{version}\r\nHost: lookalike\r\nUser-Agent: raw\r\n"
            f"Authorization: Bearer {self._token}\r\n{extra}\r\n".encode()
        )

    def ask(self, path: str = "/user", **options: str) -> Answer:
        self.send(path, **options)
        return self.answer()

    def answer(self, *, has_body: bool = True) -> Answer:
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status_line, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (x.split(": ", 1) for x in lines)}
        version, status, _ = status_line.split(" ", 2)
        length = int(headers.get("content-length", 0)) if has_body else 0
        while len(self._buffer) < length:
            self._read()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Answer(version, int(status), headers, body)

    def _read(self) -> None:
        data = self.sock.recv(65_536)
        assert data, "the connection ended within a response"
        self._buffer += data

    def until_the_end(self) -> tuple[bytes, str]:
        """Read to the end of TLS: what came, and whether by close_notify, FIN or RST."""
        received, self._buffer = self._buffer, b""
        while True:
            try:
                # Asked beneath TLS, since older Pythons report RST as the end of the file.
                self.raw.recv(1, socket.MSG_PEEK)
            except ConnectionResetError:
                return received, "RST"
            try:
                data = self.sock.recv(65_536)
            except ssl.SSLEOFError:
                return received, "FIN"
            if not data:
                return received, "close_notify"
            received += data

    def sees_fin(self) -> bool:
        """Whether FIN follows (the wait is bounded by the socket's timeout)."""
        return self.raw.recv(1) == b""

    def fin_is_here(self) -> bool:
        """Whether FIN has arrived already, data before it or not."""
        poll = select.poll()
        poll.register(self.raw, select.POLLRDHUP)
        return bool(poll.poll(0))

    def hears_rst(self) -> bool:
        """Whether RST comes in answer to what was sent after the FIN."""
        poll = select.poll()
        poll.register(self.raw, 0)  # errors and hang-ups only
        return poll.poll(PATIENCE_S * 1000) != []

    def looks_alive(self) -> bool:
        """Whether nothing waits to be read: what a client knows that looks before it sends."""
        poll = select.poll()
        poll.register(self.raw, select.POLLIN)
        return poll.poll(0) == []


@lru_cache(maxsize=4)
def client_context(ca_bundle: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca_bundle)
    return context


Connect = Callable[[Lookalike, str], RawClient]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Open raw connections, closed after the test."""
    with contextlib.ExitStack() as clients:

        def open_connection(lookalike: Lookalike, scenario: str) -> RawClient:
            client = RawClient(lookalike, scenario)
            clients.callback(client.close)
            return client

        yield open_connection


@contextlib.contextmanager
def started(scenarios: Sequence[str], **options: float) -> Iterator[Lookalike]:
    """Start a look-alike that must end well and have nothing to complain of."""
    with Lookalike.start(scenarios, **options) as lookalike:
        errors = (lookalike.ca_bundle.parent / "errors.txt").open()
        yield lookalike
    with errors:
        assert (lookalike._helper.child.returncode, errors.read()) == (0, "")


@pytest.fixture
def serve() -> Iterator[Callable[..., Lookalike]]:
    """Start look-alikes, ended after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *scenarios, **options: stack.enter_context(started(scenarios, **options))


@pytest.fixture(scope="session")
def shared() -> Iterator[Lookalike]:
    """One look-alike for the tests that only need somebody to talk to."""
    with started(["keep-alive"]) as lookalike:
        yield lookalike
