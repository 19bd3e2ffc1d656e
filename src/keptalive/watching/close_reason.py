"""How a kept connection was found: what a look at its socket says, before urllib3 closes it.

Only a connection that its pool is about to close is looked at, so that what the look consumes (an
error, a TLS record) is missed by nobody.
"""

from __future__ import annotations

import select
import socket
import ssl
from typing import Any

from keptalive.records.evidence import How
from keptalive.run.inject._keptalive_faults import is_ours

_LOOK = getattr(socket, "MSG_PEEK", 0) | getattr(socket, "MSG_DONTWAIT", 0)


def how_found(sock: Any) -> How:
    """What has become of this connection; its socket is None where this side closed it."""
    if sock is None:
        return How.CLOSED_HERE
    if not isinstance(sock, socket.socket):  # TLS within TLS
        return How.UNKNOWN
    if not _is_readable(sock):
        return How.UNKNOWN  # it is alive; a look would wait for as long as its timeout says
    try:
        # The base class's recv: below TLS, and without its refusal of flags
        waiting = socket.socket.recv(sock, 64, _LOOK)
    except OSError as error:
        if not is_ours(error):
            raise  # the program's own, as a TimeoutError that a signal handler raises
        return How.RESET if isinstance(error, ConnectionError) else How.UNKNOWN
    if not waiting:
        return How.FIN
    if isinstance(sock, ssl.SSLSocket):
        return _within_tls(sock)
    return _of_bytes(waiting)


def _is_readable(sock: socket.socket) -> bool:
    """Whether a read would return at once: with bytes, an end or an error."""
    descriptor = sock.fileno()
    if descriptor < 0:
        return False
    if not hasattr(select, "poll"):
        return bool(select.select([descriptor], [], [], 0)[0])
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))


def _within_tls(sock: ssl.SSLSocket) -> How:
    try:
        sock.settimeout(0)
        waiting = sock.recv(64)
    except OSError as error:
        if not is_ours(error, ("ssl",)):
            raise
        if isinstance(error, ssl.SSLWantReadError):
            return How.TLS_MESSAGE  # a ticket or a key update: the connection was alive
        # else an end, without close_notify perhaps
        return How.RESET if isinstance(error, ConnectionError) else How.FIN
    return _of_bytes(waiting) if waiting else How.TLS_CLOSE


def _of_bytes(waiting: bytes) -> How:
    status_line = waiting.startswith(b"HTTP/1.") and waiting[8:12] == b" 408"
    return How.TIMEOUT_408 if status_line else How.STRAY_BYTES
