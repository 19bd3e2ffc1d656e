"""Scripts that several tests need: servers that fail in a known way, and proxies."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from .peer import Peer, Request, Script
from .scripted import PATIENCE_S


def answers_once_then_hangs_up(peer: Peer) -> None:
    """Close when the second request is on its way, as an idle timeout at the wrong moment does."""
    assert peer.request()
    peer.respond()
    assert peer.request()


def hangs_up(peer: Peer) -> None:
    """Read one request, and close without a response."""
    assert peer.request()


def never_answers(peer: Peer) -> None:
    """Read one request, and let the client wait until it gives up."""
    assert peer.request()
    assert peer.client_closes()


def times_out(peer: Peer) -> None:
    """Say 408 to a client that has asked nothing, and close."""
    peer.respond(408, "Connection: close", body=b"")
    peer.close()


def sends_stray_bytes(peer: Peer) -> None:
    """Send what belongs to no response, and close."""
    peer.send(b"\r\n")
    peer.close()


def asks_for_a_certificate(peer: Peer) -> None:
    """Send a TLS message that no client waits for; the connection stays open."""
    assert isinstance(peer.sock, ssl.SSLSocket)
    peer.sock.verify_client_post_handshake()
    peer.sock.do_handshake()


def closes_idle(seconds: float) -> Script:
    """Answer everything, and close a connection that has been idle for this long.

    Before its first request it is not idle, nor within one: a client that is late meets no close.
    """

    def script(peer: Peer) -> None:
        while peer.request():
            peer.respond()
            if peer.is_idle_for(seconds):
                return

    return script


def over_a_long_link(timeout_s: float, round_trip_s: float) -> Script:
    """Close what was idle for so long; a request that leaves a round trip before that is lost."""

    def script(peer: Peer) -> None:
        while peer.request():
            time.sleep(round_trip_s)
            peer.respond()
            if peer.is_idle_for(timeout_s - round_trip_s):
                time.sleep(round_trip_s)  # the FIN is on its way, and so may be a request
                return

    return script


class Then:
    """A script that answers, and does something to each connection after its n-th response.

    By then the client has read the response, and it is done before the client sends another
    request: ask it by `get`.

    Args:
        act: what is done; the connection is over unless it is `asks_for_a_certificate`.
        after: how many responses, of the first connection and so on; the last one is repeated.
    """

    def __init__(self, act: Callable[[Peer], object], *, after: tuple[int, ...] = (1,)) -> None:
        self._act, self._after = act, list(after)
        self._read, self._done = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, peer: Peer) -> None:
        after = self._after.pop(0) if len(self._after) > 1 else self._after[0]
        responses = 0
        while peer.request():
            peer.respond()
            responses += 1
            assert self._read.acquire(timeout=PATIENCE_S)
            acts = responses == after
            if acts:
                self._act(peer)
            self._done.release()
            if acts and self._act is not asks_for_a_certificate:
                return

    def get(self, get: Callable[[str], object], url: str, *, times: int = 1) -> None:
        """Send requests; each returns when the server has done what it does after the response."""
        for _ in range(times):
            get(url)
            self._read.release()
            assert self._done.acquire(timeout=PATIENCE_S)


def tunnel(context: ssl.SSLContext, script: Script) -> Script:
    """A proxy that grants CONNECT, and is the target itself from there on."""

    def proxied(peer: Peer) -> None:
        connect = peer.request()
        assert connect
        assert connect.method == "CONNECT"
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.start_tls(context)
        script(peer)

    return proxied


def proxy(peer: Peer) -> None:
    """A proxy that forwards and opens tunnels, all of them to 127.0.0.1, whatever their host."""
    while request := peer.request():
        url = f"//{request.target}" if request.method == "CONNECT" else request.target
        with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as upstream:
            if request.method == "CONNECT":
                peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
                _relay(peer.sock, upstream)
                return
            _forward(request, peer, upstream)


def _relay(one: socket.socket, other: socket.socket) -> None:
    # One thread for both directions: a TLS socket is not for two at once
    while True:
        for ready in select.select([one, other], [], [])[0]:
            received = ready.recv(65536)
            if not received:
                return
            (other if ready is one else one).sendall(received)


def _forward(request: Request, peer: Peer, upstream: socket.socket) -> None:
    own = ("connection", "proxy-authorization")
    headers = [f"{name}: {value}" for name, value in request.headers.items() if name not in own]
    head = [f"{request.method} {urlsplit(request.target).path} HTTP/1.1", *headers]
    upstream.sendall("\r\n".join([*head, "Connection: close", "", ""]).encode())
    response = b""
    while received := upstream.recv(65536):
        response += received
    peer.send(response.replace(b"Connection: close\r\n", b""))


def together(number: int) -> Script:
    """Answer each round of requests only when so many are there."""
    barrier = threading.Barrier(number)

    def script(peer: Peer) -> None:
        while peer.request():
            barrier.wait(PATIENCE_S)
            peer.respond()

    return script
