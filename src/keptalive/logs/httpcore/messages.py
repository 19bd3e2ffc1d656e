"""The debug messages of httpcore and httpx: where in a block they may be, and what they say.

httpcore (0.17 and later) and httpcore2 log the beginning and the end of each step
(``httpcore._trace.Trace``): ``connect_tcp.started host='h' port=443 ...``. The loggers are
``httpcore.connection``, ``.http11``, ``.http2``, ``.proxy`` and ``.socks``; in 0.17.0 all is
``httpcore``'s, and these names begin the message instead. httpx and httpx2 log one line for each
response (``Client._send_single_request``). No line names its connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from keptalive.logs.messages import DEFAULT_PORTS


class Place(NamedTuple):
    """Where a request goes, or a connection."""

    host: str
    port: int
    scheme: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One message.

    Attributes:
        name: the step ("connect_tcp"); "response" is httpx's line, "load_ssl_context" says that a
            client is made.
        phase: "started", "complete" or "failed".
        place: where it connects to, or whom TLS is for (then the port is 0), or httpx's URL.
        path: of a unix socket.
        method, stream: of the request; the stream of HTTP/2.
        status: of a response.
        closes: what in a response's head ends its connection: "close-announced", "http-1.0".
        error: the name of the exception.
        context: the address of the TLS context, which each client of httpx has one of.
    """

    name: str
    phase: str = ""
    place: Place | None = None
    path: str = ""
    method: str = ""
    stream: int | None = None
    status: int = 0
    closes: str = ""
    error: str = ""
    context: bytes = b""


CLIENT_MADE = Step(name="load_ssl_context")  # httpx 0.27 and earlier, for each client
# In every request's lines, and so long that it is searched for fast; what a log may have instead
NEEDLE = b"receive_response_headers.started request=<Request [b'"
NEEDLES = (NEEDLE, b"connect_tcp.started host=", b"HTTP Request: ", b"connect_unix_socket.")
# What a block may have beside these: the end of what began in the block before
LATER_NEEDLES = (
    b"load_ssl_context",
    b"response_closed.",
    b"close.started",
    b"_tcp.",
    b"_tls.",
    b"_headers.",
    b"_body.",
)

_STEPS = re.compile(
    rb"(?<![\w.])(?:(?:connection|http11|http2|proxy|socks)\.)?"
    rb"(connect_tcp|connect_unix_socket|setup_socks5_connection|start_tls|retry|close"
    rb"|send_connection_init|send_request_headers|receive_response_headers"
    rb"|receive_response_body|response_closed|send_request_body(?=\.f))"
    rb"\.(started|complete|failed)(?![\w.])([^\n]*)"
    rb"|HTTP Request: ([A-Z]+) (https?)://([^\s/\"?#\\]+)[^\s\"]* "
    rb'\\?"HTTP/[\d.]{1,3} (\d{3})\b[^\n]*'
    rb"|load_ssl_context (?=verify=)"
)
_CONTEXT = re.compile(rb"ssl_context=<ssl\.SSLContext object at (0x[0-9a-fA-F]{1,16})>")
_ADDRESS = re.compile(rb"host='([^'\s]{1,255})' port=(\d{1,5})")
_PATH = re.compile(rb"path='([^'\n]{1,255})'")
_NAME = re.compile(rb"server_hostname='([^'\s]{1,255})'")
_METHOD = re.compile(rb"request=<Request \[b'(\w{1,20})'\]>")
_STREAM = re.compile(rb"stream_id=(\d{1,10})")
_ERROR = re.compile(rb"exception=(\w{1,80})\(")
_STATUS = re.compile(rb"return_value=\((?:b'(HTTP/[\d.]{1,3})', )?(\d{3}), ")
_HEADER = re.compile(rb"\(b['\"]([\w-]{1,40})['\"], b['\"]([^'\"]{0,200})['\"]\)")
_CLOSABLE = frozenset({b"connection", b"content-length", b"transfer-encoding"})
_BODILESS = (204, 304)


def steps_in(block: bytes) -> Iterator[tuple[int, Step]]:
    """Where each message begins, and what it says, in order."""
    for found in _STEPS.finditer(block):
        name = found[1]
        if name is None and found[4] is None:
            yield found.start(), CLIENT_MADE
        elif name is None:
            place = _url_place(found[5], found[6])
            if place is not None:
                method, status = found[4].decode(), int(found[7])
                yield (
                    found.start(),
                    Step(name="response", place=place, method=method, status=status),
                )
        elif (step := _step(name.decode(), found[2].decode(), found[3])) is not None:
            yield found.start(), step


def _step(name: str, phase: str, rest: bytes) -> Step | None:
    """The message; None if it lacks what it would have if it were httpcore's."""
    if phase == "failed":
        error = _ERROR.search(rest)
        return Step(name=name, phase=phase, error=error[1].decode()) if error else None
    if name == "receive_response_headers" and phase == "complete":
        return _head(rest)
    if phase == "complete":
        return Step(name=name, phase=phase)
    match name:
        case "connect_tcp" | "setup_socks5_connection":
            place = _ADDRESS.search(rest)
            return place and Step(
                name=name, phase=phase, place=Place(_text(place[1]), int(place[2]))
            )
        case "connect_unix_socket":
            path = _PATH.search(rest)
            return path and Step(name=name, phase=phase, path=_text(path[1]))
        case "start_tls":
            host, context = _NAME.search(rest), _CONTEXT.search(rest)
            return Step(
                name=name,
                phase=phase,
                place=host and Place(_text(host[1]), 0),
                context=context[1] if context else b"",
            )
        case "send_request_headers":
            method = _METHOD.search(rest)
            if method is None:
                return None
            return Step(name=name, phase=phase, method=method[1].decode(), stream=_stream(rest))
        case _:
            return Step(name=name, phase=phase, stream=_stream(rest))


def _stream(rest: bytes) -> int | None:
    stream = _STREAM.search(rest)
    return int(stream[1]) if stream else None


def _head(rest: bytes) -> Step | None:
    found = _STATUS.search(rest)
    if found is None:
        return None
    status = int(found[2])
    name = "receive_response_headers"
    if found[1] is None:  # HTTP/2
        return Step(name=name, phase="complete", status=status)
    return Step(name=name, phase="complete", status=status, closes=_closes(found[1], status, rest))


def _closes(version: bytes, status: int, rest: bytes) -> str:
    """What in the head of a response ends its connection (RFC 9112 section 9.3); "" if nothing."""
    headers = {
        key.lower(): value.lower()
        for key, value in _HEADER.findall(rest)
        if key.lower() in _CLOSABLE
    }
    options = headers.get(b"connection", b"")
    if b"close" in options:
        return "close-announced"
    if version == b"HTTP/1.0" and b"keep-alive" not in options:
        return "http-1.0"
    has_length = len(headers) > (b"connection" in headers) or status in _BODILESS
    return "" if has_length or not rest.rstrip().endswith(b"])") else "http-1.0"


def _url_place(scheme: bytes, authority: bytes) -> Place | None:
    name = scheme.decode()
    host, _, port = authority.rpartition(b"@")[2].partition(b":")
    if authority.rpartition(b"@")[2].startswith(b"["):
        host, _, port = authority.rpartition(b"@")[2][1:].partition(b"]")
        port = port.lstrip(b":")
    if port and not (port.isdigit() and len(port) <= 5):
        return None
    return Place(_text(host), int(port) if port else DEFAULT_PORTS[name], name)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
