"""Why a kept connection was closed: what its socket shows, before urllib3 closes it.

Only a connection that its pool is about to close is looked at, so that what the look consumes (an
error, a TLS record) is missed by nobody.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
from typing import Any

from keptalive.records.connection import CloseReason
from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.watching.foreign import GREENLETS

_PEEK = getattr(socket, "MSG_PEEK", 0) | getattr(socket, "MSG_DONTWAIT", 0)


def close_reason(sock: Any) -> CloseReason:
    """What has become of this connection; its socket is None where this side closed it."""
    if sock is None:
        return CloseReason.CLOSED_BY_CLIENT
    if not isinstance(sock, socket.socket):  # TLS within TLS
        return CloseReason.UNKNOWN
    if not _is_readable(sock):
        return CloseReason.UNKNOWN  # it is alive; a look would wait for as long as its timeout says
    try:
        # The base class's recv: below TLS, and without its refusal of flags
        waiting = socket.socket.recv(sock, 64, _PEEK)
    except OSError as error:
        if not is_ours(error, GREENLETS):
            raise  # the program's own, as a TimeoutError that a signal handler raises
        if error.errno == errno.ETIMEDOUT:  # nobody acknowledged TCP's keepalive probes
            return CloseReason.SILENT
        return CloseReason.RST if isinstance(error, ConnectionError) else CloseReason.UNKNOWN
    if not waiting:
        return CloseReason.FIN
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


def _within_tls(sock: ssl.SSLSocket) -> CloseReason:
    try:
        sock.settimeout(0)
        waiting = sock.recv(64)
    except OSError as error:
        if not is_ours(error, ("ssl", *GREENLETS)):
            raise
        if isinstance(error, ssl.SSLWantReadError):
            return CloseReason.TLS_MESSAGE  # a ticket or a key update: the connection was alive
        # else an end, without close_notify perhaps
        return CloseReason.RST if isinstance(error, ConnectionError) else CloseReason.FIN
    return _of_bytes(waiting) if waiting else CloseReason.TLS_CLOSE


def _of_bytes(waiting: bytes) -> CloseReason:
    status_line = waiting.startswith(b"HTTP/1.") and waiting[8:12] == b" 408"
    return CloseReason.TIMEOUT_408 if status_line else CloseReason.STRAY_BYTES
