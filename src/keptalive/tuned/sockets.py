"""Looks at the socket of an idle connection: nothing is read from it, and nothing is sent."""

from __future__ import annotations

import socket
import struct
import sys
from contextlib import suppress
from typing import Any

from urllib3.util.wait import wait_for_read

from keptalive.tuned.events import Sight

# Linux, struct tcp_info (linux/tcp.h): the state, seven bytes more, then 32-bit numbers
_TCP_INFO = getattr(socket, "TCP_INFO", 11) if sys.platform == "linux" else None
_NUMBERS = struct.Struct("=8B16I")
_CLOSE_WAIT = 8  # the other side has sent its FIN
_UNACKED, _LAST_DATA, _LAST_ACK, _RTT_US = 8 + 4, 8 + 11, 8 + 12, 8 + 15
_KEEPIDLE = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))


def look(sock: Any) -> Sight | None:
    """What this socket shows now; None if it cannot be looked at.

    Args:
        sock: a socket, or what stands for one: only its ``fileno`` and ``getsockopt`` are used.
    """
    try:
        readable = bool(wait_for_read(sock, timeout=0.0))
    except (OSError, ValueError):  # closed meanwhile
        return None
    probes_s = _option(sock, socket.IPPROTO_TCP, _KEEPIDLE)
    if not _option(sock, socket.SOL_SOCKET, socket.SO_KEEPALIVE):
        probes_s = None
    info = _tcp_info(sock)
    if info is None:
        return Sight(readable=readable, probes_s=probes_s)
    return Sight(
        readable=readable,
        got_fin=info[0] == _CLOSE_WAIT,
        silent_s=info[_LAST_ACK] / 1000,
        data_s=info[_LAST_DATA] / 1000,
        round_trip_s=info[_RTT_US] / 1e6,
        probes_s=probes_s,
        unacknowledged=info[_UNACKED] > 0,
    )


def duplicate(sock: Any, *, probes: bool) -> socket.socket | None:
    """Another plain socket for the same connection; None if the system has none left.

    Args:
        sock: as for `look`.
        probes: False: TCP keepalive ends for this connection.
    """
    try:
        another = socket.fromfd(sock.fileno(), sock.family, socket.SOCK_STREAM)
    except (OSError, AttributeError, ValueError):
        return None
    if not probes:
        with suppress(OSError):
            another.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
    return another


def _tcp_info(sock: Any) -> tuple[int, ...] | None:
    if _TCP_INFO is None:
        return None
    try:
        found = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _NUMBERS.size)
    except (OSError, AttributeError):  # a unix socket; a TLS connection inside another one
        return None
    return _NUMBERS.unpack(found) if len(found) == _NUMBERS.size else None


def _option(sock: Any, level: int, name: int | None) -> int | None:
    try:
        return None if name is None else sock.getsockopt(level, name)
    except (OSError, AttributeError):
        return None
