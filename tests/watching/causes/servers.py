"""How a server treats a connection after its responses."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.tuned.servers import (
    PATIENCE_S,
    Peer,
)

from .clients import (
    OK,
    Get,
)


class Then:
    """A script that answers, and then does the same to each connection after its n-th response.

    That is when the client has read it; and it is done before the client asks again.
    """

    def __init__(self, does: Callable[[Peer], None], *, after: tuple[int, ...] = (1,)) -> None:
        self._does, self._after = does, list(after)
        self._read, self._done = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, peer: Peer) -> None:
        after = self._after.pop(0) if len(self._after) > 1 else self._after[0]
        asked = 0
        while peer.asked():
            asked += 1
            peer.write(OK)
            assert self._read.acquire(timeout=PATIENCE_S)
            ended = asked == after
            if ended:
                self._does(peer)
            self._done.release()
            if ended and self._does is not late_message:
                return

    def asked(self, get: Get, url: str, *, times: int) -> None:
        for _ in range(times):
            get(url)
            self._read.release()
            assert self._done.acquire(timeout=PATIENCE_S)


def closes(peer: Peer) -> None:
    peer.close()


def says_goodbye(peer: Peer) -> None:
    if isinstance(peer._sock, ssl.SSLSocket):
        peer._sock.settimeout(0)
        with suppress(ssl.SSLWantReadError):
            peer._sock.unwrap()  # its close_notify is sent; the client's is not waited for
    peer.close()


def resets(peer: Peer) -> None:
    peer._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def times_out(peer: Peer) -> None:
    peer.write(b"HTTP/1.1 408 Request Time-out\r\nConnection: close\r\n\r\n")
    peer.close()


def strays(peer: Peer) -> None:
    peer.write(b"\r\n")
    peer.close()


def late_message(peer: Peer) -> None:
    peer._sock.verify_client_post_handshake()
    peer._sock.do_handshake()
