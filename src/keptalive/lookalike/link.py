"""A connection's socket, seen through a link with a round-trip time.

Each direction delays by half of it: what the client sends is delivered half a round trip after it
was received, and what the server writes, its FIN and RST included, leaves half a round trip after
it was written; order is kept. TCP's own handshake cannot be delayed from here (connect() returns
at once on loopback), so its round trip is charged on the connection's first client flight.

Timers run late. When a delivery that was due at D runs at A > D, the answer's delay is counted
from D, not from A: lateness is paid once, on the way out, and not twice.

`DelayLine` is the pure part: it sees times as numbers.
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

# A timer may run this much before its time, by the rounding of clocks.
_EARLY_S = 1e-6
# How long a connection whose FIN has left waits for the client's: the kernel's tcp_fin_timeout.
_FIN_WAIT_S = 60.0
_SIOCOUTQNSD = 0x894B  # from linux/sockios.h
_LINGER_NOT_AT_ALL = struct.pack("ii", 1, 0)


class DelayLine(Generic[_T]):
    """Items that come out in order, each a delay after it went in."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._items: deque[tuple[float, _T]] = deque()
        self._last_due_s = float("-inf")

    def __len__(self) -> int:
        return len(self._items)

    def push(self, item: _T, *, now_s: float, extra_s: float = 0.0) -> float:
        """Put an item in; return when it comes out, never before the one ahead of it."""
        due_s = max(now_s + self._delay_s + extra_s, self._last_due_s)
        self._last_due_s = due_s
        self._items.append((due_s, item))
        return due_s

    def pop(self, *, now_s: float) -> tuple[float, _T] | None:
        """Take the first item out with the time it was due, or None if it is not yet."""
        if self._items and self._items[0][0] <= now_s + _EARLY_S:
            return self._items.popleft()
        return None

    def clear(self) -> None:
        """Forget what is under way."""
        self._items.clear()


def _unsent_bytes(sock: socket.socket) -> int:
    # What a client that is slow to read has left in our kernel. Not what is unacknowledged: on
    # loopback what was sent has arrived, but its acknowledgement may take its time.
    if sys.platform != "linux":
        return 0
    return int.from_bytes(fcntl.ioctl(sock.fileno(), _SIOCOUTQNSD, bytes(4)), sys.byteorder)


class Endpoint(Protocol):
    """What stands at the server's end of a link."""

    def received(self, data: bytes) -> None:
        """Take what the client sent."""

    def ended(self) -> None:
        """Hear that the client has sent FIN."""

    def lost(self) -> None:
        """Hear that the socket is gone."""


class Link(asyncio.Protocol):
    """The socket's owner: everything that goes out of it or ends it goes through here."""

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
        self._ended = False  # the server has ended the connection, in its own time
        self._fin_left = False
        self._peer_ended = False
        self._fin_wait: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._endpoint = make_endpoint(self)

    @property
    def busy(self) -> bool:
        """Whether anything is under way, in either direction."""
        return bool(self._inbound) or bool(self._outbound) or self._has_unsent()

    def _has_unsent(self) -> bool:
        transport = self._transport
        if transport is None:
            return False
        sock: socket.socket = transport.get_extra_info("socket")
        return transport.get_write_buffer_size() > 0 or _unsent_bytes(sock) > 0

    # From the server.

    def send(self, data: bytes, ending: Ending | None = None) -> None:
        """Send data, and end the connection in the same flight if an ending is given."""
        self._ended = self._ended or ending is not None
        if not self._rtt_s:
            self._leave(data, ending)
            return
        due_s = self._outbound.push((data, ending), now_s=self._loop.time() - self._late_s)
        self._loop.call_at(due_s, self._release)

    def end_now(self, data: bytes, ending: Ending) -> None:
        """Send and end without any delay, as if it had happened long ago."""
        self._ended = True
        self._leave(data, ending)

    def _release(self) -> None:
        while (flight := self._outbound.pop(now_s=self._loop.time())) is not None:
            self._leave(*flight[1])

    def _leave(self, data: bytes, ending: Ending | None) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if ending is None:
            transport.write(data)
        elif ending is Ending.RESET:
            self._reset(transport)
        elif not self._fin_left:
            self._finish(transport, data)

    def _finish(self, transport: asyncio.Transport, data: bytes) -> None:
        self._fin_left = True
        sock: socket.socket = transport.get_extra_info("socket")
        try:
            # Corked, the last segment waits for the FIN to ride on it: the client never sees
            # the whole response and not yet the end.
            if hasattr(socket, "TCP_CORK"):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            transport.write(data)
            transport.write_eof()
        except OSError:
            transport.abort()
            return
        if not self._rtt_s or self._peer_ended:
            transport.close()  # from here on the kernel answers with RST, as it does for anyone
        else:
            self._fin_wait = self._loop.call_later(_FIN_WAIT_S, transport.abort)

    @staticmethod
    def _reset(transport: asyncio.Transport) -> None:
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT_AT_ALL)
        transport.abort()

    # From the client, by way of asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket over."""
        if not isinstance(transport, asyncio.Transport):  # pragma: no cover
            raise TypeError("a link needs a stream")
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Deliver at once or after the delay."""
        if self._rtt_s:
            self._delay(data)
        else:
            self._endpoint.received(data)

    def eof_received(self) -> bool:
        """Deliver the client's FIN like data; True keeps asyncio from closing by itself."""
        if self._rtt_s:
            self._delay(None)
        else:
            self._endpoint.ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        """Forget everything that was under way."""
        self._inbound.clear()
        self._outbound.clear()
        if self._fin_wait is not None:
            self._fin_wait.cancel()
        self._transport = None
        self._endpoint.lost()

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read: it would only ask for more."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def _delay(self, data: bytes | None) -> None:
        due_s = self._inbound.push(data, now_s=self._loop.time(), extra_s=self._handshake_s)
        self._handshake_s = 0.0
        self._loop.call_at(due_s, self._arrive)

    def _arrive(self) -> None:
        now_s = self._loop.time()
        while (flight := self._inbound.pop(now_s=now_s)) is not None:
            due_s, data = flight
            self._late_s = now_s - due_s
            self._deliver(data)
        self._late_s = 0.0

    def _deliver(self, data: bytes | None) -> None:
        if data is None:
            self._peer_ended = True
            if self._fin_left and self._transport is not None:
                self._transport.close()
            elif not self._ended:
                self._endpoint.ended()
        elif self._ended:
            # It arrives at a socket that is closed: the kernel there would answer with RST.
            self.send(b"", Ending.RESET)
        else:
            self._endpoint.received(data)
