"""A server that gives back the credential it is sent, wherever a server can put text."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

from tests.servers.peer import Peer
from tests.servers.scripted import Server

HEADERS = (
    *("Keep-Alive", "Connection", "Link", "Location", "Retry-After", "Server", "Content-Type"),
    *("X-RateLimit-Remaining", "X-RateLimit-Limit", "X-RateLimit-Reset", "X-GitHub-Request-Id"),
    *("WWW-Authenticate", "Set-Cookie", "ETag"),
)
BREAKING = ("Content-Encoding", "Content-Length", "Transfer-Encoding")  # by which nothing is read


def forms_of(token: str) -> dict[str, str]:
    """The token as a server may send it back."""
    basic = base64.b64encode(f"keptalive:{token}".encode()).decode()
    return {
        "plain": token,
        "quoted": quote(token, safe=""),
        "quoted twice": quote(quote(token, safe=""), safe=""),
        "basic": basic,
        "basic, quoted": quote(basic, safe=""),
        "base64": base64.b64encode(token.encode()).decode(),
        "base64 for URLs": base64.urlsafe_b64encode(token.encode()).decode().rstrip("="),
        "as JSON": json.dumps(token)[1:-1],
        "in capitals": token.upper(),
    }


Answer = Callable[[str], bytes]


def head(status: int, reason: str = "Reason", *headers: str, body: str = "") -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}", *headers]
    if not any(line.lower().startswith("content-length") for line in headers):
        lines.append(f"Content-Length: {len(body.encode())}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("utf-8", "replace")


def places() -> dict[str, Answer]:
    """What the server answers, by the place in which it puts what it is given."""
    found: dict[str, Answer] = {
        "status line": lambda echo: f"HTTP/1.1 {echo} no\r\n\r\n".encode(),
        "no HTTP": lambda echo: f"{echo}\r\n\r\n".encode(),
        "version": lambda echo: f"HTTP/{echo} 200 OK\r\n\r\n".encode(),
        "header without a colon": lambda echo: f"HTTP/1.1 200 OK\r\n{echo}\r\n\r\n".encode(),
        "chunk size": lambda echo: (
            f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{echo}\r\n".encode()
        ),
    }
    for status in (200, 401, 403, 404, 429, 500, 503):
        found[f"{status} reason"] = lambda echo, s=status: head(s, echo)
        found[f"{status} message"] = lambda echo, s=status: head(
            s, body=json.dumps({"message": f"bad {echo}"})
        )
        found[f"{status} long message"] = lambda echo, s=status: head(
            s, body=json.dumps({"message": "x" * 190 + echo})
        )
        found[f"{status} body"] = lambda echo, s=status: head(s, body=echo)
    for status in (200, 403, 429, 302):
        found[f"{status} headers"] = lambda echo, s=status: head(
            s, "Reason", *(f"{name}: {echo}" for name in HEADERS)
        )
        for name in BREAKING:
            found[f"{status} {name}"] = lambda echo, s=status, n=name: head(
                s, "Reason", f"{n}: {echo}"
            )
    for shape in ("https://{}/", "https://h/{}", "https://h/?x={}", "/{}", "//{}", "http://[{}"):
        found[f"302 {shape}"] = lambda echo, s=shape: head(302, "R", f"Location: {s.format(echo)}")
    return found


@contextmanager
def echoing(answer: Answer, echo: str) -> Iterator[str]:
    """The URL of a server that gives this answer and closes the connection."""

    def script(peer: Peer) -> None:
        if peer.request():
            peer.send(answer(echo))

    with Server(script) as server:
        yield server.url.rstrip("/")
