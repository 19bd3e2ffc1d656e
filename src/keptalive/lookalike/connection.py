"""The server's side of one connection: TLS, HTTP and the scenario, between `link` and `api`.

It does what `behaviour` decides. Nothing that a client sends raises an exception: bytes that are
not TLS end the connection, and the response to malformed HTTP is 400.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import httptools

from keptalive.lookalike.api import Api, Request, Response
from keptalive.lookalike.behaviour import Ending, IdleEnd, Scenario, Treatment, on_request
from keptalive.lookalike.link import Link
from keptalive.lookalike.tls import Channel

_MAX_HEAD_BYTES = 65_536
_VERSIONS = ("1.1", "1.0")  # the parser accepts 0.9 and 2.0 too
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Host(Protocol):
    """The part of a listener that its connections use."""

    scenario: Scenario
    idle_end: IdleEnd | None
    api: Api
    served: int

    def idle_clock_s(self) -> float:
        """The clock that measures idle time, in seconds; a test can advance it."""

    def remove(self, connection: Connection) -> None:
        """Remove a connection whose socket is closed."""


class Connection:
    """The endpoint of a link, and the callbacks of the HTTP parser."""

    def __init__(
        self, link: Link, *, host: Host, channel: Channel, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._link = link
        self._host = host
        self._channel = channel
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._in_head = True
        self._requests = 0
        self._over = False
        self._idle_since_s: float | None = None  # None: busy, or before its first response
        self._idle_timer: asyncio.TimerHandle | None = None

    # Called by the link

    def received(self, data: bytes) -> None:
        """Decrypt and parse these bytes, and send what results in one write."""
        if self._over:
            return
        if plaintext := self._channel.receive(data):
            self._parse(plaintext)
        if self._channel.ended:
            self._end(Ending.CLOSE_NOTIFY)
        elif ciphertext := self._channel.take():
            self._link.send(ciphertext)

    def ended(self) -> None:
        """Close, because the client has closed."""
        self._end(Ending.FIN)

    def lost(self) -> None:
        """Stop the timer and leave the listener: the socket is closed."""
        self._over = True
        self._stop_idle_timer()
        self._host.remove(self)

    # Called by the parser

    def on_message_begin(self) -> None:
        """Begin a request: from its first byte on, the connection is not idle."""
        self._idle_since_s = None
        self._target = b""
        self._headers = {}
        self._in_head = True

    def on_url(self, part: bytes) -> None:
        """Add a piece of the target."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Send 100 Continue to a client that waits for it before it sends the body."""
        self._head_bytes = 0
        self._in_head = False
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and not self._over:
            self._channel.write(_CONTINUE)

    def on_message_complete(self) -> None:
        """Send the response."""
        self._in_head = True
        if self._over:
            return
        if self._parser.get_http_version() in _VERSIONS:
            self._respond()
        else:
            self._refuse(400)

    # Actions

    def _parse(self, plaintext: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(plaintext)
        try:
            self._parser.feed_data(plaintext)
        except httptools.HttpParserUpgrade as upgrade:
            # The response ignored the upgrade. What follows is parsed as HTTP again
            if rest := plaintext[upgrade.args[0] :]:
                self._parse(rest)
        except httptools.HttpParserError:
            self._refuse(400)
        if self._head_bytes > _MAX_HEAD_BYTES:
            self._refuse(431)

    def _refuse(self, status: int) -> None:
        if self._over:
            return
        response = Response(status=status, head=b"content-length: 0\r\n", body=b"")
        self._channel.write(response.render(http_version=b"HTTP/1.1", announces_close=True))
        self._end(Ending.CLOSE_NOTIFY)

    def _respond(self) -> None:
        host = self._host
        host.served += 1
        self._requests += 1
        treatment = on_request(host.scenario, of_connection=self._requests, of_listener=host.served)
        client_closes = not self._parser.should_keep_alive()
        if treatment.responds:
            self._channel.write(self._response(treatment, client_closes=client_closes))
        if treatment.stray:
            self._channel.write(treatment.stray)  # its own TLS record, in the same packet
        if treatment.ending is not None:
            self._end(treatment.ending)
        elif client_closes:
            self._end(Ending.CLOSE_NOTIFY)
        else:
            self._begin_idle_time()

    def _response(self, treatment: Treatment, *, client_closes: bool) -> bytes:
        request = Request(
            method=self._parser.get_method(), target=self._target, headers=self._headers
        )
        response = self._host.api.respond(request, now_s=time.time())
        # HTTP/1.0 needs no Connection: close
        can_announce = treatment.http_version != b"HTTP/1.0"
        payload = response.render(
            http_version=treatment.http_version,
            announces_close=can_announce and (treatment.announces_close or client_closes),
        )
        missing_bytes = (len(response.body) + 1) // 2 if treatment.truncates else 0
        return payload[: len(payload) - missing_bytes]

    def _end(self, ending: Ending, *, at_once: bool = False) -> None:
        if self._over:
            return
        self._over = True
        self._stop_idle_timer()
        if ending is Ending.CLOSE_NOTIFY:
            self._channel.close_notify()
        send = self._link.end_now if at_once else self._link.send
        send(self._channel.take(), ending)

    # Idle time. Requests do not touch the timer, since that would cost time in each of them. When
    # it fires, it is set again for the time that remains.

    def _begin_idle_time(self) -> None:
        idle_end = self._host.idle_end
        if idle_end is None:
            return
        self._idle_since_s = self._host.idle_clock_s()
        if self._idle_timer is None:
            self._start_idle_timer(idle_end.after_s)

    def on_clock_advanced(self) -> None:
        """End this connection at once if it is now idle for too long, without the link's delay.

        Bytes on their way in the link make a connection busy: they would arrive long before.
        """
        if self._over or self._idle_since_s is None or self._link.busy:
            return
        self._stop_idle_timer()
        self._check_idle_time(at_once=True)

    def _start_idle_timer(self, after_s: float) -> None:
        self._idle_timer = self._loop.call_later(after_s, self._on_idle_timer)

    def _on_idle_timer(self) -> None:
        self._idle_timer = None
        if not self._over and self._idle_since_s is not None:
            self._check_idle_time(at_once=False)

    def _check_idle_time(self, *, at_once: bool) -> None:
        idle_end = self._host.idle_end
        if idle_end is None or self._idle_since_s is None:
            return
        left_s = self._idle_since_s + idle_end.after_s - self._host.idle_clock_s()
        if left_s > 0:
            self._start_idle_timer(left_s)
            return
        if idle_end.farewell:
            self._channel.write(idle_end.farewell)
        self._end(idle_end.ending, at_once=at_once)

    def _stop_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
