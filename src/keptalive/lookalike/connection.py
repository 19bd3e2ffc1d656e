"""One connection: TLS, HTTP and the scenario between a link and the API.

It asks `behaviour` what to do and does it. Whatever a client sends is data: garbage instead of
TLS ends the connection, malformed HTTP is answered with 400, and neither is an exception.
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
_VERSIONS = ("1.1", "1.0")  # the parser would take 0.9 and 2.0 as well
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Host(Protocol):
    """What a connection needs of the listener that accepted it."""

    scenario: Scenario
    idle_end: IdleEnd | None
    api: Api
    served: int

    def idle_clock_s(self) -> float:
        """Tell the time by which idleness is measured; it can be moved forward."""

    def forget(self, connection: Connection) -> None:
        """Let a connection go whose socket is gone."""


class Connection:
    """The server's side of one connection: the link's endpoint and the parser's callbacks."""

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

    # From the link.

    def received(self, data: bytes) -> None:
        """Take ciphertext, and send whatever is owed for it in one write."""
        if self._over:
            return
        if plaintext := self._channel.receive(data):
            self._parse(plaintext)
        if self._channel.over:
            self._end(Ending.CLOSE_NOTIFY)
        elif owed := self._channel.take():
            self._link.send(owed)

    def ended(self) -> None:
        """Close as well when the client has."""
        self._end(Ending.FIN)

    def lost(self) -> None:
        """Leave nothing behind."""
        self._over = True
        self._stop_idle_timer()
        self._host.forget(self)

    # From the parser.

    def on_message_begin(self) -> None:
        """Begin a request: from its first byte on the connection is not idle."""
        self._idle_since_s = None
        self._target = b""
        self._headers = {}
        self._in_head = True

    def on_url(self, part: bytes) -> None:
        """Collect the target, which may come in pieces."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Encourage a client that waits before it sends its body."""
        self._head_bytes = 0
        self._in_head = False
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and not self._over:
            self._channel.write(_CONTINUE)

    def on_message_complete(self) -> None:
        """Answer."""
        self._in_head = True
        if self._over:
            return
        if self._parser.get_http_version() in _VERSIONS:
            self._answer()
        else:
            self._refuse(400)

    # What is done.

    def _parse(self, plaintext: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(plaintext)
        try:
            self._parser.feed_data(plaintext)
        except httptools.HttpParserUpgrade as upgrade:
            # Its request has been answered as if it had asked for nothing; so is what follows.
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

    def _answer(self) -> None:
        host = self._host
        host.served += 1
        self._requests += 1
        treatment = on_request(host.scenario, of_connection=self._requests, of_listener=host.served)
        client_closes = not self._parser.should_keep_alive()
        if treatment.answers:
            self._channel.write(self._respond(treatment, client_closes=client_closes))
        if treatment.stray:
            self._channel.write(treatment.stray)  # a record of its own, in the same flight
        if treatment.ending is not None:
            self._end(treatment.ending)
        elif client_closes:
            self._end(Ending.CLOSE_NOTIFY)
        else:
            self._begin_idleness()

    def _respond(self, treatment: Treatment, *, client_closes: bool) -> bytes:
        request = Request(
            method=self._parser.get_method(), target=self._target, headers=self._headers
        )
        response = self._host.api.answer(request, now_s=time.time())
        # HTTP/1.0 closes without a word: the absence of keep-alive says it.
        speaks = treatment.http_version != b"HTTP/1.0"
        payload = response.render(
            http_version=treatment.http_version,
            announces_close=speaks and (treatment.announces_close or client_closes),
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

    # Idleness. The timer is not touched by requests, which would cost each of them something:
    # when it rings, it looks how much is left, and is set again for that.

    def _begin_idleness(self) -> None:
        idle_end = self._host.idle_end
        if idle_end is None:
            return
        self._idle_since_s = self._host.idle_clock_s()
        if self._idle_timer is None:
            self._start_idle_timer(idle_end.after_s)

    def skipped(self) -> None:
        """See whether the idle clock's jump ends this connection, bypassing the link's delay.

        What is under way in the link makes a connection busy: it would arrive long before.
        """
        if self._over or self._idle_since_s is None or self._link.busy:
            return
        self._stop_idle_timer()
        self._check_idleness(at_once=True)

    def _start_idle_timer(self, after_s: float) -> None:
        self._idle_timer = self._loop.call_later(after_s, self._on_idle_timer)

    def _on_idle_timer(self) -> None:
        self._idle_timer = None
        if not self._over and self._idle_since_s is not None:
            self._check_idleness(at_once=False)

    def _check_idleness(self, *, at_once: bool) -> None:
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
