"""Opens a connection of a probe: TCP, the proxy's tunnel, TLS, each timed."""

from __future__ import annotations

import errno
import os
import socket
import ssl

from keptalive.probe.events import Opened, Role
from keptalive.probe.line import ConnectionEndedError, Line
from keptalive.probe.response import NotHttpError, Response, TooLongError
from keptalive.probe.route import Address, Route
from keptalive.probe.watcher import Watcher
from keptalive.redaction import shown

_LONGEST_REFUSAL = 65_536  # bytes of a proxy's answer that grants no tunnel
# What to do about a certificate, by OpenSSL's number for what is wrong (openssl/x509_vfy.h)
_OF_CERTIFICATES = {
    9: "check this machine's clock, and when the certificate begins",
    10: "renew the certificate on the server",
    62: "use a host name that is in the certificate",
    64: "use a host name that is in the certificate",
}
_CHECK_PROXY = "check the proxy that the environment names"
_PENDING = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)


class NotOpenedError(Exception):
    """It could not be opened; the arguments are why, and what to do next."""


def open_line(
    watcher: Watcher,
    route: Route,
    address: Address,
    *,
    number: int,
    role: Role,
    until_s: float,
    session: ssl.SSLSession | None = None,
) -> Line:
    """A new connection, ready for its first request; its event has been noted.

    Raises:
        NotOpenedError: it could not be opened, or was not by then.
    """
    family, place = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began_s = watcher.now()
        _connect(watcher, route, sock, place, until_s)
        if route.connect is not None:
            _tunnel(watcher, route, sock, until_s)
        connected_s = watcher.now()
        phases = {"connect": connected_s - began_s}
        if route.context is not None:
            sock = _wrapped(route, route.context, sock, session)
            _handshake(watcher, route, sock, until_s)
            phases["tls"] = watcher.now() - connected_s
    except BaseException:
        sock.close()
        raise
    reused = isinstance(sock, ssl.SSLSocket) and bool(sock.session_reused)
    watcher.note(
        Opened(
            connection=number,
            at_s=watcher.now(),
            role=role,
            address=name_of(place),
            phases=phases,
            resumed=None if session is None else reused,
        )
    )
    return Line(number=number, role=role, sock=sock)


def name_of(place: tuple[object, ...]) -> str:
    """Host and port of an address."""
    host = f"[{place[0]}]" if ":" in str(place[0]) else place[0]
    return f"{host}:{place[1]}"


def _connect(
    watcher: Watcher,
    route: Route,
    sock: socket.socket,
    place: tuple[object, ...],
    until_s: float,
) -> None:
    code = sock.connect_ex(place)
    if code in _PENDING:
        if code and not watcher.wait(sock, writable=True, until_s=until_s):
            raise _unreachable(route, place, "did not answer", "the network")
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise _unreachable(route, place, f"cannot be reached: {os.strerror(code)}", "the port")


def _unreachable(
    route: Route, place: tuple[object, ...], why: str, check_also: str
) -> NotOpenedError:
    if route.via is not None:
        return NotOpenedError(f"the proxy {route.via} {why}", _CHECK_PROXY)
    return NotOpenedError(f"{name_of(place)} {why}", f"check the host and {check_also}")


def _tunnel(watcher: Watcher, route: Route, sock: socket.socket, until_s: float) -> None:
    line = Line(number=0, role=Role.SPARE, sock=sock)
    response = Response(limit=_LONGEST_REFUSAL)
    try:
        send_all(watcher, line, route.connect or b"", until_s)
        while not response.head_complete:
            if not watcher.wait(sock, until_s=until_s):
                raise NotOpenedError(f"the proxy {route.via} did not answer", _CHECK_PROXY)
            response.feed(line.receive() or b"")
    except ConnectionEndedError:
        raise NotOpenedError(f"the proxy {route.via} closed the connection", _CHECK_PROXY) from None
    except (NotHttpError, TooLongError):
        raise NotOpenedError(f"the proxy {route.via} does not speak HTTP", _CHECK_PROXY) from None
    if not 200 <= response.status < 300:
        raise NotOpenedError(
            f"the proxy {route.via} answered {response.status} to CONNECT", _CHECK_PROXY
        )


def send_all(watcher: Watcher, line: Line, data: bytes, until_s: float) -> None:
    """Send all of it.

    Raises:
        ConnectionEndedError: the other end has closed.
        NotOpenedError: it takes nothing.
    """
    while data := data[line.send(data) :]:
        # A signal waits: half a request would make the server wait for the rest
        if not watcher.wait(line.sock, writable=True, until_s=until_s, interruptible=False):
            raise NotOpenedError("the other end takes no data", "check the host and the network")


# -- TLS -----------------------------------------------------------------------------------------


def _wrapped(
    route: Route, context: ssl.SSLContext, sock: socket.socket, session: ssl.SSLSession | None
) -> ssl.SSLSocket:
    return context.wrap_socket(
        sock,
        server_hostname=route.server_name,
        do_handshake_on_connect=False,
        suppress_ragged_eofs=False,
        session=session,
    )


def _handshake(watcher: Watcher, route: Route, sock: socket.socket, until_s: float) -> None:
    assert isinstance(sock, ssl.SSLSocket)  # noqa: S101 - `_wrapped` made it
    name = shown(route.server_name)
    while True:
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            writable = False
        except ssl.SSLWantWriteError:
            writable = True
        except ssl.SSLCertVerificationError as error:
            raise NotOpenedError(
                f"the certificate of {name} is not accepted: {shown(error.verify_message)}",
                _OF_CERTIFICATES.get(
                    error.verify_code, "REQUESTS_CA_BUNDLE=FILE with the authority that signed it"
                ),
            ) from None
        except ssl.SSLEOFError:
            raise NotOpenedError(
                f"{name} closed the connection in the TLS handshake", "check that it speaks TLS"
            ) from None
        except ssl.SSLError as error:
            raise _not_tls(name, error) from None
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise NotOpenedError(
                f"{name} ended the TLS handshake: {shown(why)}", "check that it speaks TLS"
            ) from None
        else:
            return
        if not watcher.wait(sock, writable=writable, until_s=until_s):
            raise NotOpenedError(
                f"{name} did not answer in the TLS handshake", "check that it speaks TLS"
            )


def _not_tls(name: str, error: ssl.SSLError) -> NotOpenedError:
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return NotOpenedError(f"{name} does not speak TLS on this port", "try http:// instead")
    why = (error.reason or str(error)).lower().replace("_", " ")
    return NotOpenedError(f"TLS with {name} failed: {shown(why)}", "check the server's TLS")
