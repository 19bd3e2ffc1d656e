"""Servers that let a connection fail under a request, and what a watch says of it."""

from __future__ import annotations

import ctypes
import fcntl
import itertools
import socket
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from tests.servers.peer import Peer, Script
from tests.servers.scripted import PATIENCE_S
from urllib3.exceptions import HTTPError

from keptalive.records.report import Finding
from keptalive.watching.api import Watch

FAILURES = ("stale-connection", "silent-drop", "failed-request")
SO_ATTACH_FILTER = 26  # asm-generic/socket.h


class Skipping:
    """A monotonic clock that a test can set forward: what idles takes no time."""

    def __init__(self) -> None:
        self.skipped = 0.0
        self._still: float | None = None

    def stand_still(self) -> None:
        """From now on no time passes but what is skipped, whatever the machine does."""
        self._still = time.monotonic()

    def __call__(self) -> float:
        return (time.monotonic() if self._still is None else self._still) + self.skipped


def keeps_until(clock: Callable[[], float], idle_s: float, act: Callable[[Peer], object]) -> Script:
    """A server that answers, unless a request comes after so many seconds without one."""

    def script(peer: Peer) -> None:
        last = None
        while peer.request():
            if last is not None and clock() - last > idle_s:
                act(peer)
                return
            last = clock()
            peer.respond()

    return script


def says_nothing(peer: Peer) -> None:
    """Keep the request, and answer nothing."""
    if hasattr(socket, "TCP_QUICKACK"):  # else the client may give up before it is acknowledged
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    assert peer.client_closes()


def hangs_up(peer: Peer) -> None:
    """End with a FIN."""
    peer.close()


def goes_deaf(peer: Peer) -> None:
    """From now on nothing that the client sends arrives, nor is it acknowledged.

    A filter on the socket drops every packet before TCP sees it, as a path does that has forgotten
    the connection (socket(7); a classic BPF program of one instruction: "return 0").
    """
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    program = struct.pack("HP", 1, ctypes.addressof(drop_all))
    peer.sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def _unacknowledged(sock: socket.socket) -> int:
    """How many bytes that were sent are not acknowledged yet (tcp(7), SIOCOUTQ)."""
    number = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    return struct.unpack("i", number)[0]


class Forgotten:
    """A script: after its first response, the path forgets the connection when `forget` says so."""

    def __init__(self) -> None:
        self._read, self._deaf = threading.Event(), threading.Event()

    def __call__(self, peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        assert self._read.wait(PATIENCE_S)
        while _unacknowledged(peer.sock):  # else it would be sent again, and be heard
            self._deaf.wait(0.001)
        goes_deaf(peer)
        self._deaf.set()
        peer.client_closes()  # which is not heard of: the end of the test ends it

    def forget(self) -> None:
        """The client has read the response: nothing that it sends arrives from now on."""
        self._read.set()
        assert self._deaf.wait(PATIENCE_S)


def in_turn(*acts: Callable[[Peer], object]) -> Script:
    """Each request, over all connections, is handled by the next of these; the last is repeated.

    Where a client does not wait for its answer, it numbers its requests: the number is the path.
    """
    count = itertools.count()

    def script(peer: Peer) -> None:
        while request := peer.request():
            number = next(count) if request.target == "/" else int(request.target[1:])
            act = acts[min(number, len(acts) - 1)]
            act(peer)
            if act in (hangs_up, says_nothing) or act == Peer.reset:
                return

    return script


@contextmanager
def failing(counts: list[str]) -> Iterator[None]:
    """A program that goes on where a request fails; the name of each error is added."""
    try:
        yield
    except (requests.RequestException, HTTPError, OSError) as error:
        counts.append(type(error).__name__)


def cause_of(watched: Watch, name: str) -> dict[str, Any]:
    """This cause, of the only host; every opening has one, without a warning."""
    report = watched.report()
    [host] = report["hosts"]
    assert sum(cause["count"] for cause in host["causes"]) == host["opened"]
    assert report["warnings"] == []
    [found] = [cause for cause in host["causes"] if cause["cause"] == name]
    return found


def findings(watched: Watch) -> dict[str, Finding]:
    """The findings by name."""
    return {one.finding: one for one in watched.result().findings}
