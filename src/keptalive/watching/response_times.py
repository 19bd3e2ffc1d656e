"""How long the first responses of each connection took, and in how many packets they went.

They show what keep-alive itself can cost: where a message goes in two packets, Nagle's algorithm
holds back the second until the first is acknowledged, and on a kept connection Linux delays the
acknowledgement by some 40 ms (``TCP_DELACK_MIN``), on a new one it does not (quickack mode).

Only the first responses of a connection are timed, so that the others cost nothing.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from keptalive.records.counts import ResponseTime
from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.watching.foreign import own

if TYPE_CHECKING:
    from keptalive.watching.tracking import ConnectionState

KEPT_TIMED = 8  # responses of one connection, after its first
TIMES_KEPT = 64  # of one route: of new connections, and of kept ones
MAY_BE_LATE_S = 0.02  # in less time nothing waits for a delayed acknowledgement

_TCP_INFO = getattr(socket, "TCP_INFO", None)  # Linux
_IPPROTO_TCP = socket.IPPROTO_TCP
_LENGTH = 160
# linux/tcp.h, struct tcp_info: bytes_received, segs_out, segs_in; data_segs_in, data_segs_out
_FIELDS = struct.Struct("=128xQII8xII")


class Packets(NamedTuple):
    """What a socket has sent and received so far; acknowledgements are packets without data."""

    acks_sent: int
    acks_received: int
    sent: int
    received: int
    received_bytes: int


def packets(sock: Any) -> Packets | None:
    """None where the system does not tell, or the socket is none of TCP's."""
    if _TCP_INFO is None or not isinstance(sock, socket.socket):
        return None
    try:
        info = socket.socket.getsockopt(sock, _IPPROTO_TCP, _TCP_INFO, _LENGTH)
    except OSError as error:
        if not is_ours(error):
            raise
        return None
    if len(info) < _LENGTH:
        return None  # Linux before 4.6
    size, out, into, data_into, data_out = _FIELDS.unpack_from(info)
    return Packets(out - data_out, into - data_into, data_out, data_into, size)


def delays_small_packets(sock: Any) -> bool:
    """Whether Nagle's algorithm is on for this socket."""
    if not isinstance(sock, socket.socket):
        return False
    try:
        return socket.socket.getsockopt(sock, _IPPROTO_TCP, socket.TCP_NODELAY) == 0
    except OSError as error:
        if not is_ours(error):
            raise
        return False


class Timing:
    """Times the first responses of one connection: a request, its head, its end, and again.

    Attributes:
        left: how many more are timed.
    """

    __slots__ = ("_at_head", "_before", "_head_at", "_whole", "left")

    def __init__(self) -> None:
        self.left = KEPT_TIMED + 1
        self._before: Packets | None = None
        self._at_head: Packets | None = None
        self._head_at: float | None = None
        self._whole = False

    def begins(self, sock: Any) -> None:
        """A request is about to be sent; on a new connection there is no socket yet."""
        self._before, self._head_at = packets(sock), None

    def has_head(self, sock: Any, response: Any, now: float, sent_at: float) -> None:
        """The head of its response has been read, or all of it."""
        is_late = self._before is not None and now - sent_at >= MAY_BE_LATE_S
        self._at_head, self._head_at = packets(sock) if is_late else None, now
        self._whole = own(response, "_body") is not None

    def ends(self, sock: Any, now: float, began: float, *, streamed: bool) -> ResponseTime | None:
        """The connection comes back: what this response took. None if no head was seen.

        Args:
            sock: its socket; None if it is closed.
            now: the time, as of `has_head`.
            began: when the request could be sent: its connection was taken, and open.
            streamed: the program read the body when it liked.
        """
        head_at, before, at_head = self._head_at, self._before, self._at_head
        self.left -= 1
        self._head_at = None
        if head_at is None:
            return None
        took = ResponseTime(
            head_s=head_at - began,
            rest_s=None if streamed or self._whole else now - head_at,
            whole=self._whole,
        )
        if before is not None and at_head is not None:
            took = replace(
                took,
                nagle=delays_small_packets(sock),
                acks_sent=at_head.acks_sent - before.acks_sent,
                acks_received=at_head.acks_received - before.acks_received,
                sent_packets=at_head.sent - before.sent,
                received_packets=at_head.received - before.received,
            )
        is_late = before is not None and now - head_at >= MAY_BE_LATE_S
        after = packets(sock) if is_late else None
        if before is not None and after is not None:
            took = replace(took, received_bytes=after.received_bytes - before.received_bytes)
        return took


def takes_time(state: ConnectionState, sock: Any, now: float) -> None:
    """A connection comes back whose responses are timed: keep what this one took, if there is room.

    Args:
        state: the connection.
        sock: its socket; None if it is closed.
        now: the time, by the observer's clock.
    """
    timing, attempt, pool = state.timing, state.attempt, state.pool
    if timing is None or attempt is None or pool is None:
        return
    began = max(state.sent_at, attempt.connected_at or 0.0)
    took = timing.ends(sock, now, began, streamed=state.streamed)
    if not timing.left:
        state.timing = None
    if took is None:
        return
    is_kept = attempt.attempted is None or attempt.served > 1
    for route in pool.routes[1]:
        counts = route.counts
        times = counts.kept_responses if is_kept else counts.first_responses
        if len(times) < TIMES_KEPT:
            times.append(took)
