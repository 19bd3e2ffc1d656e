"""Lines as logs have them, in every form, and how a test reads them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterable
from typing import NamedTuple

from keptalive import logs
from keptalive.logs import Discarding, Reading, Seen
from keptalive.records.pool_events import Answered, Resetting, Retrying, RetryingStatus, Starting

ASKED = 'https://h.example:443 "GET /a?token=s3cret HTTP/1.1" 200 12'
STARTED = "Starting new HTTPS connection (1): h.example:443"
START = Starting(thread=1, scheme="https", host="h.example", port=443, ordinal=1)
ANSWER = Answered(thread=1, scheme="https", host="h.example", port=443, status=200)


def reading(text: str | bytes, **options) -> Reading:
    raw = text.encode() if isinstance(text, str) else text
    return logs.read(io.BytesIO(raw), **options)


class Line(NamedTuple):
    """One of urllib3's lines, as a test looks at it."""

    event: object
    at_s: float | None
    source: str
    process: int | None


def lines(read: Iterable[list[Seen]]) -> list[Line]:
    return [
        Line(event, at_s, origin.source, origin.process)
        for block in read
        for event, at_s, origin in block
    ]


def seen(text: str | bytes) -> list[Line]:
    return lines(reading(text))


def events(text: str | bytes) -> list[object]:
    return [one.event for one in seen(text)]


def one(text: str | bytes) -> Line:
    (only,) = seen(text)
    return only


def starting(host: str, port: int, *, scheme: str = "https", ordinal: int = 1) -> Starting:
    return Starting(thread=1, scheme=scheme, host=host, port=port, ordinal=ordinal)


def answered(host: str, port: int, status: int = 200, *, scheme: str = "https") -> Answered:
    return Answered(thread=1, scheme=scheme, host=host, port=port, status=status)


NO_PORT = Answered(thread=1, scheme="http", host="h", port=80, status=204, has_port=False)
MESSAGES = [
    ("Starting new HTTP connection (12): h:8080", starting("h", 8080, scheme="http", ordinal=12)),
    ("Starting new HTTPS connection (1): ::1:37929", starting("::1", 37929)),
    ("Starting new HTTPS connection (1): [::1]:37929", starting("::1", 37929)),
    ("Starting new HTTPS connection (1): ::1", starting("::1", 443)),
    ("Starting new HTTP connection (3): h", starting("h", 80, scheme="http", ordinal=3)),
    ("Resetting dropped connection: h.example", Resetting(thread=1, host="h.example")),
    ("Resetting dropped connection: ::1", Resetting(thread=1, host="::1")),
    ("Connection pool is full, discarding connection: h", Discarding(thread=1, host="h")),
    ("HttpConnectionPool is full, discarding connection: h", Discarding(thread=1, host="h")),
    (
        "Connection pool is full, discarding connection: h.x. Connection pool size: 10",
        Discarding(thread=1, host="h.x", pool_size=10),
    ),
    (
        (
            "Retrying (Retry(total=2, connect=None, read=None)) after "
            "connection broken by "
            "'ProtocolError('Connection aborted.', Gone('R'))': /a"
        ),
        Retrying(thread=1, error="Gone", path="/a", left=2),
    ),
    (
        (
            "Retrying (Retry(total=2)) after connection broken by "
            '"ReadTimeoutError("HTTPConnectionPool(host=\'h\', port=80): Read timed out.")": /a'
        )
        .replace('by "', "by '")
        .replace('": /a', "': /a"),
        Retrying(
            thread=1,
            error="ReadTimeoutError",
            scheme="http",
            host="h",
            port=80,
            path="/a",
            left=2,
        ),
    ),
    ("Retry: /a?b=c", RetryingStatus(thread=1)),
    (ASKED, ANSWER),
    ('http://h:80 "POST /a b HTTP/1.0" 503 None', answered("h", 80, 503, scheme="http")),
    ('http://h:None "GET / HTTP/1.1" 204 0', NO_PORT),
    ('https://h:443 "GET / HTTP/11" 200 0', answered("h", 443)),
    ('https://h:443 "GET / HTTP/2" 200 None', answered("h", 443)),
    ('https://::1:8443 "GET / HTTP/1.1" 200 1', answered("::1", 8443)),
    ('https://[::1]:8443 "GET / HTTP/1.1" 200 1', answered("::1", 8443)),
    ('http://h:80 "GET http://x:1/?q=http://y:2 HTTP/1.1" 200 1', answered("h", 80, scheme="http")),
]
NOTHING = [
    ("Connection pool is full, temporary increase, keeping connection: h. Connection pool size: 1"),
    "Redirecting /a -> /b",
    "Failed to parse headers (url=https://h:443/a): [MissingHeaderBodySeparatorDefect()]",
    "Attempting Happy-Eyeball h:443",
]
FORMATS = [
    "%(message)s",
    "%(levelname)s:%(name)s:%(message)s",
    "%(asctime)s %(levelname)-8s [%(threadName)s] %(name)s: %(message)s",
    "%(asctime)s | %(name)s:%(funcName)s:%(lineno)d - %(message)s",
    "%(process)d %(thread)d %(message)s",
    "%(message)s (%(threadName)s, %(filename)s:%(lineno)d)",
    "\x1b[36m%(levelname)s\x1b[0m %(name)s \x1b[1m%(message)s\x1b[0m",
    '{"message": %(json)s, "logger": "%(name)s", "ts": %(created)f}',
    '{"log": {"logger": "%(name)s"}, "msg": %(json)s}',
    'time=%(created)f level=debug msg="%(message)s" thread=%(threadName)s',
]


def formatted(fmt: str, message: str, name: str = "urllib3.connectionpool") -> str:
    record = logging.LogRecord(name, logging.DEBUG, "/x/connectionpool.py", 7, message, (), None)
    record.json = json.dumps(message)
    return logging.Formatter(fmt).format(record)
