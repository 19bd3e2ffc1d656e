"""What urllib3's pool log says, and the marks that `bench` sets: events in their order.

Frozen records; standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass

LOGGER = "urllib3.connectionpool"  # the logger whose lines these are


@dataclass(frozen=True, slots=True, kw_only=True)
class Starting:
    """urllib3 logged "Starting new HTTP(S) connection": it is about to connect for the first time.

    Logged before DNS and connect, so it is an attempt, not yet a connection
    (urllib3 ``HTTPConnectionPool._new_conn``).
    """

    thread: int
    scheme: str
    host: str
    port: int
    ordinal: int | None = None  # the pool's num_connections, this one included


@dataclass(frozen=True, slots=True, kw_only=True)
class Resetting:
    """urllib3 logged "Resetting dropped connection": it is about to reconnect.

    No "Starting" line follows, and ``num_connections`` does not move
    (urllib3 ``HTTPConnectionPool._get_conn``).
    """

    thread: int
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """urllib3 logged "Retrying (...) after connection broken": the try failed, another follows.

    Attributes:
        error: the name of the exception's type, the innermost one; "" where it is not told.
        scheme, host, port: whom the error names, which most do not.
        path: what is requested again, without its query.
        left: how many retries are left after this one.
    """

    thread: int
    error: str = ""
    scheme: str = ""
    host: str | None = None
    port: int | None = None
    path: str = ""
    left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryingStatus:
    """urllib3 logged "Retry: ...": the answer's status calls for another try, which follows."""

    thread: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """urllib3 logged the request line: the head of a response has been read."""

    thread: int
    scheme: str
    host: str
    port: int
    status: int
    has_port: bool = True  # the line has one; "http://localhost:None" has none, and 80 stands here


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBegan:
    """The program asked for something: one call of requests' API begins on this thread."""

    thread: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """That call returned, or raised: then ``failed`` is true."""

    thread: int
    failed: bool
    error: str = ""  # the name of the exception's type, if ``failed``


PoolEvent = Starting | Resetting | Retrying | RetryingStatus | Answered
Event = PoolEvent | CallBegan | CallEnded
