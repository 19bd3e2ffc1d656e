"""HTTP/1.1 on kept connections, a thread for each: what is beneath `keepalive_server`.

It knows no test and no expectation: it is given functions. Standard library only.
(PYTEST_DONT_REWRITE: it asserts nothing.)
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any

_BACKLOG = 128
_POLL_S = 0.05  # by which `close` may be late
_PATIENCE_S = 1.0  # for handlers that still run when the server is closed
_WITHOUT_BODY = (204, 304)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One request, read to its end.

    Attributes:
        target: the path with its query.
        body: without its framing.
    """

    method: str
    target: str
    headers: Message
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One response; Content-Length and Content-Type are added, unless a header says them.

    Attributes:
        content_type: of the body.
        reason: None for that of the status.
    """

    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200
    reason: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpThreads:
    """A server on a free port of 127.0.0.1.

    Args:
        on_connection: called for each connection that is accepted, before it has a response.
        respond: from a request to its response; it must not raise.
    """

    def __init__(
        self, *, on_connection: Callable[[], None], respond: Callable[[Arrived], Sent]
    ) -> None:
        self._server = _Server(on_connection, respond)
        self.port: int = self._server.server_address[1]
        # a daemon, as those of the connections: whatever happens, the tests come to their end
        self._serving = threading.Thread(
            target=self._server.serve_forever, args=[_POLL_S], daemon=True
        )

    def start(self) -> None:
        """Accept connections from now on."""
        self._serving.start()

    def drop_connections(self) -> None:
        """End every connection with a FIN; the client has it when this returns."""
        self._server.drop_connections()

    def close(self) -> None:
        """End it, whether or not it was started."""
        if self._serving.is_alive():  # else `shutdown` waits forever
            self._server.shutdown()
            self._serving.join()
        self._server.server_close()
        self._server.drop_connections()
        self._server.wait_for_threads()


class _Server(socketserver.ThreadingTCPServer):
    """Knows which of its connections are open, so that they can be ended from outside."""

    request_queue_size = _BACKLOG
    daemon_threads = True

    def __init__(
        self, on_connection: Callable[[], None], respond: Callable[[Arrived], Sent]
    ) -> None:
        self._on_connection = on_connection
        self.respond = respond
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(("127.0.0.1", 0), _Connection)

    def get_request(self) -> tuple[socket.socket, Any]:
        sock, address = self.socket.accept()
        with self._changed:
            self._open.add(sock)
        self._on_connection()
        return sock, address

    def shutdown_request(self, request: Any) -> None:
        # Before it is closed, so that its number can be no other socket's in `drop_connections`
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        with self._changed:
            for sock in self._open:
                with suppress(OSError):  # the client was faster
                    sock.shutdown(socket.SHUT_RDWR)

    def wait_for_threads(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._open, _PATIENCE_S)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the client has gone too early, or sends no HTTP."""


class _Connection(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"  # http.server's own, 1.0, would close after each response
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one write

    def _answer(self) -> None:
        arrived = Arrived(
            method=self.command, target=self.path, headers=self.headers, body=self._body()
        )
        self._send(self.server.respond(arrived))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    # All of it, whether or not anybody wants it: else the next request would begin in the middle
    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _chunk(self) -> bytes:
        chunk = self.rfile.read(int(self.rfile.readline().partition(b";")[0], 16))
        self.rfile.readline()
        return chunk

    def _send(self, sent: Sent) -> None:
        self.send_response(sent.status, sent.reason)
        has_body = sent.status not in _WITHOUT_BODY
        if has_body:
            named = {name.lower() for name in sent.headers}
            ours = {"Content-Length": str(len(sent.body)), "Content-Type": sent.content_type}
            for name, value in ours.items():
                if name.lower() not in named:
                    self.send_header(name, value)
        for name, value in sent.headers.items():
            self.send_header(name, value)  # http.server obeys a "Connection: close"
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(sent.body)

    def handle_expect_100(self) -> bool:
        """Send 100 Continue at once: the client waits for it."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
