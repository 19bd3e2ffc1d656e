"""A server's half of a conversation: one accepted connection, as a test's script sees it."""

from __future__ import annotations

import http.client
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers.scripted import Server

HANGS_S = 60.0  # after which a script that waits for its client fails, so that no test hangs


@dataclass(frozen=True)
class Request:
    """One request, as it arrived: its headers' names in lower case."""

    method: str
    target: str
    headers: dict[str, str] = field(repr=False)
    body: bytes
    client: str | None = None  # the common name in the certificate that the client presented


class Peer:
    """One accepted connection, as the server's script sees it.

    Attributes:
        sock: for what is not here; through TLS, once that has started.
    """

    def __init__(self, server: Server, sock: socket.socket) -> None:
        self.sock = sock
        self._server = server
        self._file = sock.makefile("rb")
        self._replacing = threading.Lock()
        self._sent_at = time.monotonic()

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Let the client verify this server, as at the beginning or within a tunnel.

        Raises:
            OSError: the client did not go along.
        """
        self.sock.getpeername()  # else ssl would leave a socket open where the client has gone
        self._file.close()
        with self._replacing:
            self.sock = context.wrap_socket(
                self.sock, server_side=True, do_handshake_on_connect=False
            )
        self._file = self.sock.makefile("rb")
        try:
            self.sock.do_handshake()
        except OSError:
            # Read to the end beneath TLS: a RST could overtake the alert that says why
            with suppress(OSError):
                while socket.socket.recv(self.sock, 65536):
                    pass
            raise
        self._server.names.append(getattr(self.sock, "name_asked_for", None))

    def request(self) -> Request | None:
        """Read one request to its end; None if the client has closed instead."""
        lines = []
        while (line := self._file.readline()) != b"\r\n":
            if not line:
                return None
            lines.append(line.decode().rstrip("\r\n"))
        method, target, _ = lines[0].split(" ")
        headers = {name.lower(): value for name, value in (x.split(": ", 1) for x in lines[1:])}
        if headers.get("transfer-encoding") == "chunked":
            body = b"".join(iter(self._chunk, b""))
        else:
            body = self._file.read(int(headers.get("content-length", 0)))
        request = Request(method, target, headers, body, self._common_name())
        self._server.requests.append(request)
        return request

    def _chunk(self) -> bytes:
        chunk = self._file.read(int(self._file.readline(), 16))
        self._file.readline()
        return chunk

    def _common_name(self) -> str | None:
        shown = self.sock.getpeercert() if isinstance(self.sock, ssl.SSLSocket) else None
        subject = dict(pair for part in (shown or {}).get("subject", ()) for pair in part)
        return subject.get("commonName")

    def respond(self, status: int = 200, *headers: str, body: bytes = b"ok") -> None:
        """Send a whole response, from which the client can tell its end."""
        status_line = f"HTTP/1.1 {status} {http.client.responses.get(status, '')}"
        lines = [status_line, f"Content-Length: {len(body)}", *headers]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def send(self, data: bytes) -> None:
        """Send these bytes, whatever they are."""
        self._sent_at = time.monotonic()
        self.sock.sendall(data)

    def client_closes(self) -> bool:
        """Wait for the client's next byte: True if it closes the connection instead."""
        return self._file.read(1) == b""

    def is_idle_for(self, seconds: float) -> bool:
        """Wait for the client's next byte: True if it does not come for so long since we sent one.

        From then on nothing more can be read.
        """
        left_s = self._sent_at + seconds - time.monotonic()
        self.sock.settimeout(max(left_s, 0.001))
        try:
            self._file.peek(1)
        except TimeoutError:
            return True
        self.sock.settimeout(HANGS_S)
        return False

    def close(self) -> None:
        """End the connection with a FIN, over TLS without a close_notify."""
        self._file.close()
        self.sock.close()

    def say_goodbye(self) -> None:
        """End it with a close_notify, where there is TLS, and a FIN."""
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.settimeout(0)
            with suppress(ssl.SSLWantReadError):
                self.sock.unwrap()  # sends the close_notify; the client's is not waited for
        self.close()

    def reset(self) -> None:
        """End it with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def shut_down(self) -> None:
        """Wake the script, which may wait for its client, from another thread."""
        with self._replacing, suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # beneath TLS


Script = Callable[[Peer], object]


def answers(*responses: tuple, closes: bool = False, obeys: bool = True) -> Script:
    """A server that keeps connections: it answers everything until the client closes.

    Args:
        responses: what `respond` is given, in turn, on each connection; the last one is repeated.
        closes: say ``Connection: close`` in every response, and do it.
        obeys: do so in the response to a request that says it.
    """

    def script(peer: Peer) -> None:
        remaining = list(responses) or [(200,)]
        while request := peer.request():
            status, *headers = remaining.pop(0) if len(remaining) > 1 else remaining[0]
            last = closes or (obeys and request.headers.get("connection") == "close")
            peer.respond(status, *headers, *(["Connection: close"] if last else []))
            if last:
                return

    return script
