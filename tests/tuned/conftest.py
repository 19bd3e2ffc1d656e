"""TLS servers and proxies that write down what they saw, and two Sessions asked the same."""

from __future__ import annotations

import os
import select
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import trustme
import urllib3
from urllib3.exceptions import HTTPWarning

from keptalive import tuned_session

PATIENCE_S = 5.0

# Before, whatever settings a connection was opened with, any request could meet it (CVE-2024-35195)
REQUESTS_IS_STRICT = tuple(map(int, requests.__version__.split(".")[:2])) >= (2, 32)
# Its connections keep their TLS context when they reconnect, and load each bundle on top
URLLIB3_1 = urllib3.__version__.startswith("1.")


@pytest.fixture(autouse=True)
def _nothing_trusted_by_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    # What requests loads, in 50 ms, into each context that is not to verify anything
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    monkeypatch.setenv("SSL_CERT_DIR", os.devnull)


# Certificates


@dataclass(frozen=True)
class PKI:
    """Two authorities, the bundle of each, and two clients that the first one vouches for."""

    ca: trustme.CA
    other_ca: trustme.CA
    ours: str
    other: str
    alice: str
    bob: str

    def client(self, name: str) -> trustme.LeafCert:
        return self.ca.issue_cert(f"{name}@example.org", common_name=name)


Write = Callable[..., str]


def written(path: Path, *parts: trustme.Blob) -> str:
    """Put a file there by renaming, as those who rotate certificates do."""
    new = path.with_suffix(".new")
    new.write_bytes(b"".join(part.bytes() for part in parts))
    new.replace(path)
    return str(path)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return lambda name, *parts: written(tmp_path / name, *parts)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> PKI:
    folder = tmp_path_factory.mktemp("pki")
    ca, other_ca = trustme.CA(), trustme.CA()
    clients = {
        name: written(
            folder / f"{name}.pem",
            ca.issue_cert(f"{name}@example.org", common_name=name).private_key_and_cert_chain_pem,
        )
        for name in ("alice", "bob")
    }
    return PKI(
        ca=ca,
        other_ca=other_ca,
        ours=written(folder / "ours.pem", ca.cert_pem),
        other=written(folder / "other.pem", other_ca.cert_pem),
        **clients,
    )


# Servers


@dataclass(frozen=True)
class Seen:
    """One request, as the server or the proxy saw it."""

    method: str
    target: str
    headers: dict[str, str]
    client: str | None  # the common name in the certificate it presented

    @classmethod
    def read(cls, sock: socket.socket) -> Seen | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            received = sock.recv(65536)
            if not received:
                return None
            head += received
        first, *lines = head.decode().removesuffix("\r\n\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return cls(method, target, headers, _common_name(sock))


class Listener:
    """Talks to each connection on a thread of its own, through TLS where it has a certificate.

    It asks every client for a certificate, so that none is presented unnoticed.
    """

    def __init__(
        self, cert: trustme.LeafCert | None, clients: trustme.CA, *, demands: bool = False
    ) -> None:
        self.accepted = 0
        self.names: list[str | None] = []  # that were asked for, by SNI
        self.seen: list[Seen] = []
        self._context = self._asking(cert, clients, demands) if cert else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._socks: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _asking(self, cert: trustme.LeafCert, clients: trustme.CA, demands: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cert.configure_cert(context)
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED if demands else ssl.CERT_OPTIONAL
        context.sni_callback = lambda _sock, name, _context: self.names.append(name)
        return context

    @property
    def url(self) -> str:
        return self.at("localhost")

    def at(self, host: str) -> str:
        return f"{'https' if self._context else 'http'}://{host}:{self.port}/"

    def clients(self) -> list[str | None]:
        return [seen.client for seen in self.seen]

    def close(self) -> None:
        for sock in (self._listener, *self._socks):
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # beneath TLS
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=PATIENCE_S)
            assert not thread.is_alive()

    def _accept(self) -> None:
        with suppress(OSError):  # close() ends it
            while True:
                sock, _ = self._listener.accept()
                self.accepted += 1
                # The answer need not wait until the client acknowledges TLS' session tickets
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._context:
                    sock = self._context.wrap_socket(
                        sock, server_side=True, do_handshake_on_connect=False
                    )
                self._socks.append(sock)
                thread = threading.Thread(target=self._serve, args=[sock])
                self._threads.append(thread)
                thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            if isinstance(sock, ssl.SSLSocket):
                try:
                    sock.do_handshake()
                except OSError:
                    # Heard out beneath TLS: a reset could overtake the alert that says why
                    while socket.socket.recv(sock, 65536):
                        pass
                    return
            self._talk(sock)

    def _talk(self, sock: socket.socket) -> None:
        raise NotImplementedError


class Server(Listener):
    """Answers every request, and keeps the connection unless told or asked to close it."""

    def __init__(self, *args: Any, closes: bool = False, **options: Any) -> None:
        self._closes = closes
        super().__init__(*args, **options)

    def _talk(self, sock: socket.socket) -> None:
        while seen := Seen.read(sock):
            self.seen.append(seen)
            closes = self._closes or seen.headers.get("connection") == "close"
            last = "Connection: close\r\n" if closes else ""
            sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{last}\r\nok".encode())
            if closes:
                return


class Proxy(Listener):
    """Forwards requests and opens tunnels, all of them to this machine, whatever their host."""

    def _talk(self, sock: socket.socket) -> None:
        while seen := Seen.read(sock):
            self.seen.append(seen)
            port = urlsplit(f"//{seen.target}" if seen.method == "CONNECT" else seen.target).port
            with socket.create_connection(("127.0.0.1", port or 0)) as upstream:
                if seen.method == "CONNECT":
                    sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    self._relay(sock, upstream)
                    return
                self._forward(seen, sock, upstream)

    def _relay(self, sock: socket.socket, upstream: socket.socket) -> None:
        # One thread for both ways: a TLS socket is not for two at once
        while True:
            for ready in select.select([sock, upstream], [], [])[0]:
                received = ready.recv(65536)
                if not received:
                    return
                (upstream if ready is sock else sock).sendall(received)

    def _forward(self, seen: Seen, sock: socket.socket, upstream: socket.socket) -> None:
        own = ("connection", "proxy-authorization")
        headers = [f"{name}: {value}" for name, value in seen.headers.items() if name not in own]
        head = [f"{seen.method} {urlsplit(seen.target).path} HTTP/1.1", *headers]
        upstream.sendall("\r\n".join([*head, "Connection: close", "", ""]).encode())
        answer = b""
        while received := upstream.recv(65536):
            answer += received
        sock.sendall(answer.replace(b"Connection: close\r\n", b""))


@pytest.fixture
def served(pki: PKI) -> Iterator[Callable[..., Server]]:
    """Start a server: for localhost with a certificate of ours, unless it is given another."""
    with ExitStack() as stack:

        def serve(cert: trustme.LeafCert | None = None, **options: bool) -> Server:
            server = Server(cert or pki.ca.issue_cert("localhost"), pki.ca, **options)
            stack.callback(server.close)
            return server

        yield serve


@pytest.fixture
def plain_server(pki: PKI) -> Iterator[Server]:
    server = Server(None, pki.ca)
    yield server
    server.close()


@pytest.fixture
def proxied(pki: PKI) -> Iterator[Callable[..., Proxy]]:
    """Start a proxy: reached through TLS where it has a certificate."""
    with ExitStack() as stack:

        def start(cert: trustme.LeafCert | None = None) -> Proxy:
            proxy = Proxy(cert, pki.ca)
            stack.callback(proxy.close)
            return proxy

        yield start


# Clients

# A request's status, with the warnings of urllib3 that came with it, or the error's type
Outcome = int | tuple[Any, ...] | type[Exception]
Step = dict[str, Any] | Callable[[], object]  # one request's settings, or what happens then
Asked = Callable[..., list[Outcome]]


def asked(session: requests.Session, url: str, *steps: Step, **attributes: Any) -> list[Outcome]:
    """What becomes of these requests, one after the other, on this Session with these attributes.

    ``url`` among a request's settings sends it elsewhere.
    """
    outcomes = []
    with session:
        for name, value in attributes.items():
            setattr(session, name, value)
        for step in steps:
            if callable(step):
                step()
            else:
                outcomes.append(outcome(session, {"url": url, "timeout": PATIENCE_S, **step}))
    return outcomes


def outcome(session: requests.Session, settings: dict[str, Any]) -> Outcome:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("error")
        warnings.simplefilter("always", HTTPWarning)
        if URLLIB3_1:  # drops the socket of a proxy with another name unclosed
            warnings.simplefilter("ignore", ResourceWarning)
        try:
            status = session.get(**settings).status_code
        except OSError as error:  # every error of requests is one
            return type(error)
    return (status, *(warning.category for warning in told)) if told else status


@pytest.fixture
def tuned() -> Asked:
    """Ask these things of the tuned Session."""
    return lambda *steps, **attributes: asked(tuned_session(), *steps, **attributes)


@pytest.fixture
def agreed(tuned: Asked) -> Asked:
    """Ask the same of a plain Session and of the tuned one, of which the same must become."""

    def ask_both(*steps: Any, **attributes: Any) -> list[Outcome]:
        expected = asked(requests.Session(), *steps, **attributes)
        assert expected == tuned(*steps, **attributes)
        return expected

    return ask_both


@pytest.fixture
def strictly(tuned: Asked, agreed: Asked) -> Asked:
    """The same, where other settings could meet a kept connection: of requests if it is strict."""
    return agreed if REQUESTS_IS_STRICT else tuned


@pytest.fixture
def afresh(tuned: Asked, agreed: Asked) -> Asked:
    """The same, where files change: of requests if it reads them into a context of their own."""
    return tuned if URLLIB3_1 else agreed


@pytest.fixture
def both(strictly: Asked, agreed: Asked) -> int:
    """How many Sessions `strictly` asks."""
    return 2 if strictly is agreed else 1


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Each loading of CA bundles into a TLS context from here on."""
    loaded: list[tuple[Any, ...]] = []
    load = ssl.SSLContext.load_verify_locations

    def counted(context: ssl.SSLContext, *args: Any, **named: Any) -> None:
        loaded.append((*args, named))
        load(context, *args, **named)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counted)
    return loaded


def _common_name(sock: socket.socket) -> str | None:
    shown = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
    subject = dict(pair for part in (shown or {}).get("subject", ()) for pair in part)
    return subject.get("commonName")
