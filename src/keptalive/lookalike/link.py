"""Simulates a link with a round-trip time, in front of a connection's socket.

Each direction adds half of the round-trip time. Bytes of the client are delivered half a round trip
after they were received. Bytes of the server, and its FIN and RST, leave half a round trip after
they were written. The order is kept. TCP's own handshake cannot be delayed here, because connect()
returns at once on loopback: the simulator adds that delay to the first bytes of the client instead.

Timers run late. If a delivery was due at D and runs at A > D, the delay of the response counts from
D, not from A: so only the timer on the way out adds lateness, and not both.

`DelayLine` is the part without I/O: it gets times as numbers.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from keptalive.lookalike.behaviour import Ending

if sys.platform == "linux":
    import fcntl

_T = TypeVar("_T")

# Clocks are rounded: a timer may run this much before its time
_EARLY_S = 1e-6
# How long to wait for the client's FIN after ours: the kernel's tcp_fin_timeout
_FIN_WAIT_S = 60.0
_SIOCOUTQNSD = 0x894B  # from linux/sockios.h
_LINGER_ZERO = struct.pack("ii", 1, 0)


class DelayLine(Generic[_T]):
    """A queue whose items come out in order, each after a delay, in seconds."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._items: deque[tuple[float, _T]] = deque()
        self._last_due_s = float("-inf")

    def __len__(self) -> int:
        return len(self._items)

    def push(self, item: _T, *, now_s: float, extra_s: float = 0.0) -> float:
        """Add an item; return when it comes out, which is never before an earlier item."""
        due_s = max(now_s + self._delay_s + extra_s, self._last_due_s)
        self._last_due_s = due_s
        self._items.append((due_s, item))
        return due_s

    def pop(self, *, now_s: float) -> tuple[float, _T] | None:
        """Remove the first item and return it with the time it was due; None if it is not due."""
        if self._items and self._items[0][0] <= now_s + _EARLY_S:
            return self._items.popleft()
        return None

    def clear(self) -> None:
        """Remove all items."""
        self._items.clear()


def _unsent_bytes(sock: socket.socket) -> int:
    # Bytes in our kernel that a client is too slow to read. Unacknowledged bytes do not count: on
    # loopback they have arrived, but the acknowledgement may come later
    if sys.platform != "linux":
        return 0
    return int.from_bytes(fcntl.ioctl(sock.fileno(), _SIOCOUTQNSD, bytes(4)), sys.byteorder)


class Endpoint(Protocol):
    """The server's end of a link."""

    def received(self, data: bytes) -> None:
        """The client sent these bytes."""

    def ended(self) -> None:
        """The client sent FIN."""

    def lost(self) -> None:
        """The socket is closed."""


class Link(asyncio.Protocol):
    """Owns the socket: only this class writes to it or closes it."""

    def __init__(
        self,
        make_endpoint: Callable[[Link], Endpoint],
        *,
        rtt_s: float,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._rtt_s = rtt_s
        self._loop = loop
        self._inbound: DelayLine[bytes | None] = DelayLine(rtt_s / 2)  # None: the client's FIN
        self._outbound: DelayLine[tuple[bytes, Ending | None]] = DelayLine(rtt_s / 2)
        self._handshake_s = rtt_s
        self._late_s = 0.0
        self._ended = False  # by the server, before the delay
        self._fin_sent = False
        self._peer_ended = False
        self._fin_wait: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._endpoint = make_endpoint(self)

    @property
    def busy(self) -> bool:
        """Whether bytes are on their way, in either direction."""
        return bool(self._inbound) or bool(self._outbound) or self._has_unsent()

    def _has_unsent(self) -> bool:
        transport = self._transport
        if transport is None:
            return False
        sock: socket.socket = transport.get_extra_info("socket")
        return transport.get_write_buffer_size() > 0 or _unsent_bytes(sock) > 0

    # Called by the server

    def send(self, data: bytes, ending: Ending | None = None) -> None:
        """Send data after the delay, and end the connection with it if an ending is given."""
        self._ended = self._ended or ending is not None
        if not self._rtt_s:
            self._write(data, ending)
            return
        due_s = self._outbound.push((data, ending), now_s=self._loop.time() - self._late_s)
        self._loop.call_at(due_s, self._write_due)

    def end_now(self, data: bytes, ending: Ending) -> None:
        """Send and end without a delay, as if it had happened earlier."""
        self._ended = True
        self._write(data, ending)

    def _write_due(self) -> None:
        while (item := self._outbound.pop(now_s=self._loop.time())) is not None:
            self._write(*item[1])

    def _write(self, data: bytes, ending: Ending | None) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if ending is None:
            transport.write(data)
        elif ending is Ending.RESET:
            self._reset(transport)
        elif not self._fin_sent:
            self._write_and_close(transport, data)

    def _write_and_close(self, transport: asyncio.Transport, data: bytes) -> None:
        self._fin_sent = True
        sock: socket.socket = transport.get_extra_info("socket")
        try:
            # TCP_CORK puts the FIN on the last segment: a client that has the whole response has
            # the end too
            if hasattr(socket, "TCP_CORK"):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            transport.write(data)
            transport.write_eof()
        except OSError:
            transport.abort()
            return
        if not self._rtt_s or self._peer_ended:
            transport.close()  # from now on the kernel sends RST to anything that comes
        else:
            self._fin_wait = self._loop.call_later(_FIN_WAIT_S, transport.abort)

    @staticmethod
    def _reset(transport: asyncio.Transport) -> None:
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        transport.abort()

    # Called by asyncio for what the client does

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the socket."""
        if not isinstance(transport, asyncio.Transport):  # pragma: no cover
            raise TypeError("a link needs a stream")
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Deliver the bytes after the delay."""
        if self._rtt_s:
            self._delay(data)
        else:
            self._endpoint.received(data)

    def eof_received(self) -> bool:
        """Deliver the client's FIN like bytes; True prevents asyncio from closing the socket."""
        if self._rtt_s:
            self._delay(None)
        else:
            self._endpoint.ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        """Drop all that was on its way."""
        self._inbound.clear()
        self._outbound.clear()
        if self._fin_wait is not None:
            self._fin_wait.cancel()
        self._transport = None
        self._endpoint.lost()

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read responses."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Start reading again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def _delay(self, data: bytes | None) -> None:
        due_s = self._inbound.push(data, now_s=self._loop.time(), extra_s=self._handshake_s)
        self._handshake_s = 0.0
        self._loop.call_at(due_s, self._arrive)

    def _arrive(self) -> None:
        now_s = self._loop.time()
        while (item := self._inbound.pop(now_s=now_s)) is not None:
            due_s, data = item
            self._late_s = now_s - due_s
            self._deliver(data)
        self._late_s = 0.0

    def _deliver(self, data: bytes | None) -> None:
        if data is None:
            self._peer_ended = True
            if self._fin_sent and self._transport is not None:
                self._transport.close()
            elif not self._ended:
                self._endpoint.ended()
        elif self._ended:
            # Bytes for a closed socket: a kernel sends RST
            self.send(b"", Ending.RESET)
        else:
            self._endpoint.received(data)
