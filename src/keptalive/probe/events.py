"""What a probe sees, one frozen record for each thing; times are seconds since the probe began.

The sockets make them (`line`, `watcher`, `prober`), `judge` reads them. A list of them in the
order of their times is all that a verdict is made from.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from keptalive.records.connection import CloseReason


class Role(enum.Enum):
    """What a connection is opened for."""

    IDLE = "idle"  # one request, then it is watched until it is closed
    SERIES = "series"  # one request after the other, until it is closed
    RUNG = "rung"  # unused for a long time, then another request: does the path remember it?
    CONTROL = "control"  # beside the rungs, in use all the time
    SPARE = "spare"  # for what else is to be asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The CA bundle has been read, and the address looked up."""

    dns_s: float
    ca_bundle_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A connection is ready for its first request.

    Attributes:
        address: host and port of the other end.
        phases: seconds: connect, tls.
        resumed: the server took the TLS session of an earlier connection; None if none was offered.
    """

    connection: int
    at_s: float
    role: Role
    address: str
    phases: Mapping[str, float] = field(default_factory=dict)
    resumed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A whole response has come.

    Attributes:
        at_s: when its last byte came.
        sent_s: when its request was sent.
        head_s: when its head had come.
        keep_alive, connection: the headers of these names.
        location: where it redirects to.
        retry_after: the header of that name.
        keeps: by the rules of HTTP, another request may follow on this connection.
        framed: its end could be told without the end of the connection.
    """

    connection: int
    at_s: float
    sent_s: float
    head_s: float
    version: str = "HTTP/1.1"
    status: int = 200
    keep_alive: str | None = None
    connection_header: str | None = None
    location: str | None = None
    retry_after: str | None = None
    keeps: bool = True
    framed: bool = True


class Failure(enum.Enum):
    """Why a request got no whole response."""

    CLOSED = "the connection was closed without a response"
    RESET = "the connection was reset"
    TRUNCATED = "the response ended before its end"
    SILENT = "no response came"
    TOO_LONG = "the response did not end"
    NOT_HTTP = "what came was not HTTP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A request got no whole response; the connection is over.

    Attributes:
        sent_s: when it was sent.
        said: of what came, the beginning.
    """

    connection: int
    at_s: float
    sent_s: float
    failure: Failure
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Something showed on a connection with no request in flight.

    Attributes:
        what: FIN, RST, TLS_CLOSE, TIMEOUT_408, STRAY_BYTES or TLS_MESSAGE.
    """

    connection: int
    at_s: float
    what: CloseReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A connection could not be opened, after others had been."""

    at_s: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The probe has ended; connections that were still watched were so until now.

    Attributes:
        why: "done", "budget", "interrupted", or "refused" where the server wanted fewer requests.
    """

    at_s: float
    why: str = "done"


Event = Loaded | Opened | Answered | Failed | Seen | Refused | Ended
