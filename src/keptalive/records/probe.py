"""What `keptalive probe` found out about a server: what it prints, and what its JSON has.

Times are seconds; what was not found out, or cannot be, is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SCHEMA = 1

Certainty = Literal["certain", "likely", "unsure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The shortest and the longest of what was measured."""

    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """The headers of a response that say what the server does with the connection."""

    keep_alive: str | None = None
    connection: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningCost:
    """What a new connection takes, by phase: the median of those that the probe opened.

    Attributes:
        dns: of looking up the address, which was done once.
        connect: of TCP, and of the proxy's tunnel where there is one.
        tls: of the handshake, without a resumed session; None without TLS.
        ca_bundle: of reading the CA bundle, which requests does for each connection; None without
            TLS, or where nothing is verified.
    """

    dns: float
    connect: float
    tls: float | None = None
    ca_bundle: float | None = None

    @property
    def seconds(self) -> float:
        """Of all phases together."""
        return self.dns + self.connect + (self.tls or 0.0) + (self.ca_bundle or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFinding:
    """One thing that was found out: a name, what was seen, and how sure it is."""

    finding: str
    evidence: str
    certainty: Certainty = "certain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to do about this server.

    Attributes:
        code: the line of code to use.
        max_idle_s: connections idle for longer should not be used by a client that does not learn;
            None: not known, or of no use.
        why: a sentence.
    """

    code: str
    max_idle_s: float | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What a program that has a report would gain from the advice.

    Attributes:
        program: its name; empty if the report has none.
        opened: connections that it opened to this server.
        by_cause: those of them that this server's policy explains, by their cause.
        errors: requests of it that failed or were sent again as the server closed the connection.
        seconds: what it would save; None if that is not known.
        said: all this, in sentences.
    """

    program: str
    opened: int
    by_cause: Mapping[str, int]
    errors: int
    seconds: float | None
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """Everything that was found out about one server.

    Attributes:
        url: that was asked for, without login and query values.
        address: of the server, or of the proxy, that answered; host and port.
        via: the proxy, without its login; None without one.
        seconds: how long the probe took.
        requests: that it sent in all.
        connections: that it opened in all.
        status: of the last response to the first request, redirects followed.
        http_version: as ``HTTP/1.1``.
        keeps_connections: a second request can be sent on a connection.
        announced: in the first response.
        idle_timeout_s: after which idle time the server closed; None if it was not seen to.
        idle_watched_s: for how long an idle connection was watched, at most.
        request_limit: how many responses come on one connection; None if no limit was met.
        requests_tried: the most requests that were sent on one connection.
        closes_with: how the server ends a connection.
        close_announced: whether it says ``Connection: close`` first; None if it was not seen to
            close.
        resumes_tls: a TLS session can be used again; None without TLS.
        opening_s: what a new connection costs here.
        ended: why the probe ended.
    """

    schema: int = SCHEMA
    url: str
    address: str
    via: str | None = None
    seconds: float
    requests: int
    connections: int
    status: int
    http_version: str
    keeps_connections: bool
    announced: Announced
    idle_timeout_s: Span | None
    idle_watched_s: float
    request_limit: int | None
    requests_tried: int
    closes_with: str
    close_announced: bool | None
    resumes_tls: bool | None
    opening_s: OpeningCost
    findings: tuple[ProbeFinding, ...] = ()
    advice: Advice
    gain: Gain | None = None
    ended: Literal["done", "budget", "interrupted", "refused"] = field(default="done")
