"""One connection of a probe: a socket that never blocks, and what it shows.

A request goes out whole: a signal waits until its last byte has been written.
"""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass, field

from keptalive.probe.events import Role
from keptalive.records.connection import CloseReason

_PIECE = 65_536
_MOST_STRAY = 1024 * 1024  # bytes that belong to no response, before the connection is given up


class ConnectionEndedError(Exception):
    """The other end has closed; the argument says by what: FIN, RST or TLS_CLOSE."""


@dataclass(eq=False, slots=True, kw_only=True)
class Line:
    """A connection.

    Attributes:
        number: of this connection, from 1.
        sock: through TLS, once that has started.
        over: the other end has ended it, or this one.
        tls_closed: it has said close_notify, and its FIN may follow.
        told: a TLS message came on it after a response.
        strayed: bytes came on it that belong to no response.
        stray_bytes: how many of them were read.
        answered_s: when its last response had come.
        ended_s: when the other end was seen to end it.
        sessions: of TLS, to be resumed on another connection: one at most.
    """

    number: int
    role: Role
    sock: socket.socket
    over: bool = False
    tls_closed: bool = False
    told: bool = False
    strayed: bool = False
    stray_bytes: int = 0
    answered_s: float = 0.0
    ended_s: float | None = None
    sessions: list[ssl.SSLSession] = field(default_factory=list)

    def close(self) -> None:
        """End it from this side, at once."""
        self.over = True
        self.sock.close()

    def receive(self) -> bytes | None:
        """What has come; None if nothing has.

        Raises:
            ConnectionEndedError: the other end has closed.
        """
        try:
            data = self.sock.recv(_PIECE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except ssl.SSLEOFError:
            raise ConnectionEndedError(CloseReason.FIN) from None
        except OSError as error:
            raise ConnectionEndedError(_of_error(error)) from None
        if not data:
            raise ConnectionEndedError(
                CloseReason.TLS_CLOSE if isinstance(self.sock, ssl.SSLSocket) else CloseReason.FIN
            )
        return data

    def send(self, data: bytes) -> int:
        """Send as much of this as goes at once; how many bytes those were.

        Raises:
            ConnectionEndedError: the other end has closed.
        """
        try:
            return self.sock.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except ssl.SSLEOFError:
            raise ConnectionEndedError(CloseReason.FIN) from None
        except OSError as error:
            raise ConnectionEndedError(_of_error(error)) from None

    def look(self) -> CloseReason | None:
        """What shows on it with no request in flight; None if nothing does, or nothing more.

        What shows is taken, so that the next call finds what came after it. TLS messages show once,
        and bytes that belong to no response too: of those, only so many are taken.
        """
        if self.over:
            return None
        try:
            # beneath TLS: through it, some Pythons report a RST as an end
            waiting = socket.socket.recv(self.sock, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except OSError as error:
            return self._ends(_of_error(error))
        if not waiting:
            return self._ends(CloseReason.FIN)
        if self.tls_closed:
            socket.socket.recv(self.sock, _PIECE)  # nothing may follow a close_notify
            return None
        try:
            data = self.receive()
        except ConnectionEndedError as ended:
            how: CloseReason = ended.args[0]
            if how is CloseReason.TLS_CLOSE:
                self.tls_closed = True
                return how
            return self._ends(how)
        if data is None:
            is_first, self.told = not self.told, True
            return CloseReason.TLS_MESSAGE if is_first else None
        return self._strays(data)

    def _strays(self, data: bytes) -> CloseReason | None:
        is_first, self.strayed = not self.strayed, True
        self.stray_bytes += len(data)
        if self.stray_bytes > _MOST_STRAY:
            self.close()
        return of_bytes(data) if is_first else None

    def _ends(self, how: CloseReason) -> CloseReason:
        self.over = True
        return how


def of_bytes(data: bytes) -> CloseReason:
    """What bytes are that nobody asked for."""
    is_408 = data.startswith(b"HTTP/1.") and data[8:12] == b" 408"
    return CloseReason.TIMEOUT_408 if is_408 else CloseReason.STRAY_BYTES


def _of_error(error: OSError) -> CloseReason:
    if error.errno == errno.ETIMEDOUT:
        return CloseReason.SILENT
    if isinstance(error, ConnectionError):
        return CloseReason.RST
    return CloseReason.FIN if isinstance(error, ssl.SSLError) else CloseReason.UNKNOWN
