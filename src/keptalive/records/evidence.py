"""What is known of connections that were opened: the records between the wire and the causes.

Frozen records, standard library only. Who sees what happens (`watching`) fills them in, who judges
it (`analysis.causes`) reads them; what cannot be known is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class How(str, Enum):
    """How a kept connection was found when it was wanted again."""

    FIN = "FIN"
    TLS_CLOSE = "a TLS close"  # close_notify, with a FIN behind it or not
    RESET = "RST"
    TIMEOUT_408 = "an unsolicited 408"
    STRAY_BYTES = "stray bytes"
    TLS_MESSAGE = "a TLS message"
    CLOSED_HERE = "closed on this side"
    REPLACED = "replaced in time"  # by a tuned Session's max_idle
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the connection ended that would have served the request.

    Attributes:
        idle_s: how long it had been unused; None where that was not seen.
        served: responses on it.
        announced: its last response said ``Connection: close``.
        requested: its last request said so.
        unframed: its last response was HTTP/1.0 without keep-alive, or had no framing.
        unread: it was closed before the body of its last response had been read.
        error: what ended it, the name of an exception's type.
        keep_alive: the header of that name in its last response, as in ``timeout=5, max=100``.
        place: where in the program its last response was asked for, if as a stream.
    """

    how: How
    idle_s: float | None = None
    served: int = 0
    announced: bool = False
    requested: bool = False
    unframed: bool = False
    unread: bool = False
    error: str | None = None
    keep_alive: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One attempt to open a connection, and all that bears upon why.

    Attributes:
        host: ``scheme://host:port`` of the target, whatever proxy is in between.
        owner: who keeps the pools: an adapter of requests, or a bare PoolManager.
        pool_is_new: the owner had to make a pool for this.
        closings: how often the owner had been closed by then.
        tls, proxy: what keeps pools of one host apart; names no secret.
        ended: the predecessor's end, if the place of a kept connection was free.
        busy: other connections of this pool that were serving a request.
        unread: those whose response was handed out and not yet read to its end, on this thread.
        again: urllib3 reconnects a dropped connection ("Resetting").
        retry: the request had failed and is sent again.
        redirected: the request follows a redirect.
        answered: a response came. None while none has.
        seconds: what opening it took, failed or not.
        discarded: the pool was full when it came back.
        place: where in the program the Session was made, as ``sync.py:12``.
        asked_at: where the request was made.
        pool_size: how many connections its pool keeps, if it had no room for this one.
        together: how many the pool had then, this one and busy ones included.
        left_at: where one of the responses was asked for that nobody has read.
    """

    host: str
    owner: int
    thread: int
    pool_is_new: bool = False
    closings: int = 0
    tls: str = ""
    proxy: str | None = None
    ended: Ended | None = None
    busy: int = 0
    unread: int = 0
    again: bool = False
    retry: bool = False
    redirected: bool = False
    answered: bool = False
    seconds: float = 0.0
    discarded: bool = False
    place: str | None = None
    asked_at: str | None = None
    pool_size: int | None = None
    together: int = 0
    left_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What one host was asked, in numbers.

    Attributes:
        longest_survived_s: the longest idle time after which a connection still served.
        most_served: the most responses on one connection.
        most_at_once: the most requests that were on their way at once, whoever's.
        errors: how tries ended that had no answer: names of exceptions, and how often.
        retried: tries after the first, which the program did not hear of.
        exposed: requests with credentials that anybody on the way can read.
        unverified: connections over TLS whose other end was not verified.
        sent_on: secrets that a redirect took along from another host: how often, by header and
            that host.
        in_vain: addresses that did not answer before another one did: how often, the seconds in
            all, and how.
    """

    requests: int = 0
    attempts: int = 0
    reused: int = 0
    longest_survived_s: float = 0.0
    most_served: int = 0
    most_at_once: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    retried: int = 0
    exposed: int = 0
    unverified: int = 0
    sent_on: Mapping[tuple[str, str], int] = field(default_factory=dict)
    in_vain: Mapping[str, tuple[int, float, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why so many connections were opened to a host, what they cost, and what to change."""

    cause: str
    count: int
    seconds: float
    evidence: str
    cure: str

    def as_json(self) -> dict[str, Any]:
        """As a report has it."""
        return {name: getattr(self, name) for name in self.__slots__}
