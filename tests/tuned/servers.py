"""Servers whose half of each conversation is written in the test, over TCP or TLS."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from unittest import mock

import pytest
import requests
import trustme
import urllib3

PATIENCE_S = 5.0
URLLIB3_1 = urllib3.__version__.startswith("1.")
REQUESTS = tuple(map(int, requests.__version__.split(".")[:2]))


@dataclass(frozen=True)
class Asked:
    """One request, as it arrived."""

    method: str
    target: str
    headers: dict[str, str] = field(repr=False)
    body: bytes


class Peer:
    """One accepted connection, as the server's script sees it."""

    def __init__(self, server: Server, sock: socket.socket) -> None:
        self._server = server
        self._sock = sock
        self._file = sock.makefile("rb")

    def start_tls(self, context: ssl.SSLContext) -> None:
        self._file.close()
        self._sock = context.wrap_socket(self._sock, server_side=True)
        self._server.socks.append(self._sock)
        self._file = self._sock.makefile("rb")

    def asked(self) -> Asked | None:
        """Read one request to its end; None if the client has closed instead."""
        start = self._file.readline().decode().split()
        if not start:
            return None
        lines = iter(lambda: self._file.readline().decode().strip(), "")
        headers = {name.lower(): value for name, value in (x.split(": ", 1) for x in lines)}
        if headers.get("transfer-encoding") == "chunked":
            body = b"".join(iter(self._chunk, b""))
        else:
            body = self._file.read(int(headers.get("content-length", 0)))
        request = Asked(start[0], start[1], headers, body)
        self._server.requests.append(request)
        return request

    def _chunk(self) -> bytes:
        chunk = self._file.read(int(self._file.readline(), 16))
        self._file.readline()
        return chunk

    def answer(self, status: int = 200, *headers: str, body: bytes = b"ok") -> None:
        lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(body)}", *headers]
        self.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def write(self, data: bytes) -> None:
        self._sock.sendall(data)

    def hears_the_end(self) -> bool:
        """Whether the client closes, saying no more."""
        return self._file.read(1) == b""

    def close(self) -> None:
        self._file.close()
        self._sock.close()


Script = Callable[[Peer], None]


def answers(*statuses_and_headers: tuple) -> Script:
    """Give these answers in turn, the last of them again and again, until the client closes."""

    def script(peer: Peer) -> None:
        rest = list(statuses_and_headers) or [(200,)]
        while peer.asked():
            peer.answer(*(rest.pop(0) if len(rest) > 1 else rest[0]))

    return script


def answers_once_then_hangs_up(peer: Peer) -> None:
    """As a server whose idle timeout fires just as the second request is on its way."""
    assert peer.asked()
    peer.answer()
    assert peer.asked()


def hangs_up(peer: Peer) -> None:
    """Read one request, and close without an answer."""
    assert peer.asked()


def never_answers(peer: Peer) -> None:
    assert peer.asked()
    assert peer.hears_the_end()


class Server:
    """Plays the first script on the first connection and so on; the last on all that follow.

    Attributes:
        accepted: how many connections came.
        requests: what arrived on all of them.
    """

    def __init__(
        self,
        *scripts: Script,
        tls: ssl.SSLContext | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        self.accepted = 0
        self.requests: list[Asked] = []
        self.socks: list[socket.socket] = []
        self._scripts = scripts or (answers(),)
        self._tls = tls
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/"

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.requests]

    @property
    def targets(self) -> list[str]:
        return [request.target for request in self.requests]

    def __enter__(self) -> Server:
        self.start(self._accept)
        return self

    def threads_done(self, connections: int) -> None:
        """Wait until so many of its connections, the first ones, have been played to their end."""
        for thread in self._threads[1 : connections + 1]:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

    def start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the end of the test ends it
            while True:
                sock, _ = self._listener.accept()
                script = self._scripts[min(self.accepted, len(self._scripts) - 1)]
                self.accepted += 1
                self.socks.append(sock)
                self.start(self._play, sock, script)

    def _play(self, sock: socket.socket, script: Script) -> None:
        sock.settimeout(PATIENCE_S)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            peer = Peer(self, sock)
            if self._tls:
                peer.start_tls(self._tls)
            try:
                script(peer)
            finally:
                peer.close()
        sock.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        # a script may still wait for a client that keeps its connection: it hears the end now
        for sock in (self._listener, *self.socks):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=PATIENCE_S)
            assert not thread.is_alive()


@dataclass(frozen=True)
class Authority:
    """One that everybody in the test trusts, or nobody."""

    bundle: str
    server: ssl.SSLContext


def authority(folder: Path, *names: str) -> Authority:
    """A new one, and the TLS settings of a server whom it vouches for."""
    ca = trustme.CA()
    bundle = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)
    return Authority(str(bundle), context)


def tunnel(context: ssl.SSLContext, script: Script) -> Script:
    """A proxy that grants CONNECT, and is the target itself from there on."""

    def proxied(peer: Peer) -> None:
        connect = peer.asked()
        assert connect
        assert connect.method == "CONNECT"
        peer.write(b"HTTP/1.1 200 -\r\n\r\n")
        peer.start_tls(context)
        script(peer)

    return proxied


def opened(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What urllib3 said of connections: "Starting" one, "Resetting" one."""
    return [
        record.getMessage().split()[0]
        for record in caplog.records
        if record.name == "urllib3.connectionpool"
        and record.getMessage().startswith(("Starting new", "Resetting dropped"))
    ]


@contextlib.contextmanager
def listening_later() -> Iterator[socket.socket]:
    """A socket whose port refuses until ``listen`` is called."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


ASKED_OF_IT = [
    name
    for stem in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in (stem, stem.upper())
] + ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"]


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Only these of the variables that requests looks at."""
    with mock.patch.dict(os.environ, variables):
        for name in ASKED_OF_IT:
            if name not in variables:
                os.environ.pop(name, None)
        yield
