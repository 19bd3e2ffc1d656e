"""Connections and requests of httpx's clients, as far as a log shows them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from keptalive.logs.httpcore.host import HttpcoreHost

KEPT = 1000  # connections and ends that are remembered, of a process


@dataclass(slots=True, eq=False)
class Held:
    """An open connection.

    Attributes:
        host: its route.
        served: responses.
        using: requests on it.
        idle_since_s: when the last of them ended.
        is_silent: httpcore does not log that it closes it (``TunnelHTTPConnection``).
        multiplexes: it is HTTP/2, which serves many requests at once.
        context: its TLS context.
    """

    host: HttpcoreHost
    served: int = 0
    using: int = 0
    idle_since_s: float | None = None
    is_silent: bool = False
    multiplexes: bool = False
    context: bytes = b""


@dataclass(slots=True, eq=False)
class Ended:
    """A connection that ended, until another one is opened in its place.

    Attributes:
        host: its route.
        cause: why, if its last response or error says so; else the client has closed it.
        idle_s: how long it had been unused then.
        at_s: when it was closed.
        others_left: the client had others, which it did not close.
        is_silent: no line says that it was closed, or when.
        context: its TLS context.
        clients: how many clients had been made by then.
    """

    host: HttpcoreHost
    cause: str = ""
    idle_s: float | None = None
    at_s: float | None = None
    others_left: bool = False
    is_silent: bool = False
    context: bytes = b""
    clients: int = 0


@dataclass(slots=True, eq=False)
class Flow:
    """One request, from its attempt to connect, or its first line, to its end.

    Attributes:
        state: the last step that it is known to have taken.
        host: its route; None as long as that is unknown.
        is_new: it has opened its connection.
        context: its TLS context.
        cause: why, once its route is certain.
        closes: those that the client has closed just before.
        phases: seconds of opening.
        idle_s: how long its kept connection had been unused.
        ends: what in its response's head ends the connection.
        is_sure: no other host than this one can be meant.
        is_requested, is_counted: it is in the counts of its host: as a request, as a response.
    """

    state: str
    host: HttpcoreHost | None = None
    held: Held | None = None
    is_new: bool = False
    begun_s: float | None = None
    step_s: float | None = None
    stream: int | None = None
    context: bytes = b""
    cause: str | None = None
    closes: tuple[Ended, ...] = ()
    phases: dict[str, float] = field(default_factory=dict)
    idle_s: float | None = None
    is_requested: bool = False
    error: str = ""
    ends: str = ""
    has_head: bool = False
    is_sure: bool = True
    is_counted: bool = False


@dataclass(slots=True)
class Use:
    """What this process does with one route.

    Attributes:
        active: its requests in flight.
        most: the most of them at once.
        most_sure: the same, of those that are certain to be of this route.
        unavoidable: connections that were opened as such.
        opened: connections on which a response came.
        ended: those that no other has replaced.
        unread: responses that were handed out as a stream and not read since.
    """

    active: set[Flow] = field(default_factory=set)
    most: int = 0
    most_sure: int = 0
    unavoidable: int = 0
    opened: int = 0
    multiplexes: bool = False
    ended: deque[Ended] = field(default_factory=lambda: deque(maxlen=KEPT))
    unread: set[Flow] = field(default_factory=set)

    @property
    def needed(self) -> int:
        """Connections that perfect reuse would have open at once."""
        return min(self.most, 1) if self.multiplexes else self.most
