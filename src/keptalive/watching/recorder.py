"""What one watch has recorded so far: connections, exchanges, and the counts of each route.

Memory grows with the routes that are used and the connections that are opened, never with the
requests on them unless a timeline is asked for; beyond the bounds only the counts go on, and the
record says how many are missing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from keptalive.records.connection import Connection, Exchange
from keptalive.records.counts import FailedAddress, HostCounts
from keptalive.records.process import CONNECTIONS_KEPT, EXCHANGES_KEPT, Circumstance
from keptalive.watching.attempts import ConnectionAttempt

ADDRESSES_KEPT = 8  # of one host
CREDENTIALS_KEPT = 50
CIRCUMSTANCES_KEPT = 1000
UNCONNECTED_KEPT = 1000
_CONTAINERS = (
    *("origins", "errors", "phases", "leaked_headers", "failed_addresses"),
    *("first_responses", "kept_responses", "retried_statuses"),
)

# a `Circumstance`'s kind, host, where, detail, other
Noted = tuple[str, str | None, str | None, str | None, str | None]


@dataclass(slots=True, eq=False)
class Route:
    """The counts of one route, and its requests in flight.

    Attributes:
        in_flight: the connections on which a request is in flight, each by a number that it has
            for this request only: another thread may take it before we note that it came back.
        sizes: how many there have been at once. A set, which threads can only add to: of a number
            one of them might overwrite what another one has just written.
        most: the largest of them, or a smaller one for a moment.
        process: whose in_flight it is: a fork's child has none.
        needed: openings so far that perfect reuse would have needed too.
        connected: sockets that have connected, whether or not a response came.
        repeated: tries that were not the first of their request.
        unseen: responses that came over something else than a socket of the system.
    """

    counts: HostCounts
    in_flight: dict[int, Any] = field(default_factory=dict)
    sizes: set[int] = field(default_factory=set)
    most: int = 0
    process: int = field(default_factory=os.getpid)
    needed: int = 0
    connected: int = 0
    repeated: int = 0
    unseen: int = 0

    def grows(self, newest: int) -> None:
        """More seem to be in flight than ever: are they all?"""
        is_childs = self.process != os.getpid()
        self.process = os.getpid()
        for number, one in list(self.in_flight.items()):
            is_over = one.number != number or not one.is_in_flight()
            if number != newest and (is_childs or is_over):
                self.in_flight.pop(number, None)
        self.had(len(self.in_flight))

    def had_with(self, others: Set[Any]) -> None:
        """Besides the requests in flight, these connections are just taken or given back."""
        in_flight = {one for number, one in list(self.in_flight.items()) if one.number == number}
        self.had(len(in_flight | others))

    def had(self, at_once: int) -> None:
        """So many requests were in flight at once."""
        self.sizes.add(at_once)
        self.most = self.most_at_once()

    def most_at_once(self) -> int:
        """The most requests in flight at once until now."""
        return max(self.sizes.copy(), default=0)

    def needs_another(self) -> bool:
        """Whether perfect reuse, too, would open one more than so far; then it counts this one."""
        is_needed = self.needed < self.most_at_once()
        self.needed += is_needed
        return is_needed

    def add_opening(self, seconds: Mapping[str, float]) -> None:
        """Add what opening one connection took, by phase."""
        counts = self.counts
        counts.seconds_opening = (counts.seconds_opening or 0.0) + sum(seconds.values())
        for phase, took in seconds.items():
            counts.phases[phase] = counts.phases.get(phase, 0.0) + took

    def add_failed(self, tried: Iterable[tuple[str, float, str]]) -> None:
        """Add the addresses that did not answer, what each took, and how it failed."""
        known = self.counts.failed_addresses
        for address, took, error in tried:
            if address in known or len(known) < ADDRESSES_KEPT:
                failed = known.setdefault(address, FailedAddress())
                failed.count, failed.seconds = failed.count + 1, failed.seconds + took
                failed.error = error

    def is_used(self) -> bool:
        """Whether anything was seen on it; a Unix socket has another name before it is opened."""
        counts = self.counts
        seen = (counts.opened, counts.reused, counts.connects, self.unseen, len(counts.errors))
        return any(seen) or bool(self.in_flight)

    def snapshot(self) -> HostCounts:
        """The counts as they are now."""
        counts = copy(self.counts)
        for name in _CONTAINERS:
            setattr(counts, name, copy(getattr(counts, name)))
        is_ours = self.process == os.getpid()
        counts.in_flight = (
            sum(one.is_sending() for one in list(self.in_flight.values())) if is_ours else 0
        )
        counts.most_at_once = self.most_at_once()
        counts.unanswered = sum(counts.errors.values())
        counts.opened_unanswered = max(0, self.connected - (counts.opened or 0))
        counts.requests = (counts.attempts or 0) + self.unseen - self.repeated
        return counts


class ExchangeInProgress:
    """An `Exchange` in the making; times are the observer's clock."""

    __slots__ = (
        "connection",
        "flow",
        "head",
        "method",
        "path",
        "released",
        "started",
        "status",
        "where",
    )

    def __init__(self, flow: int, started: float) -> None:
        self.connection = 0  # the attempt's id, once it is known which socket serves
        self.flow = flow
        self.started = started
        self.head: float | None = None
        self.released: float | None = None
        self.method = ""
        self.path = ""
        self.status: int | None = None
        self.where: str | None = None

    def record(self, began: float) -> Exchange:
        """As it is now, in seconds since the recorder began."""
        return Exchange(
            connection=self.connection,
            thread=self.flow,
            started_s=self.started - began,
            head_s=None if self.head is None else self.head - began,
            released_s=None if self.released is None else self.released - began,
            method=self.method,
            path=self.path,
            status=self.status,
            where=self.where,
        )


class Recorder:
    """Gathers what the `Observer` sees, for one watch.

    Args:
        timeline: whether each request is recorded.

    Attributes:
        on_opening: is called after each connection that was opened, once it has answered.
    """

    def __init__(self, *, timeline: bool = False) -> None:
        self.on_opening: Callable[[], None] | None = None
        self.attempts: list[ConnectionAttempt] = []
        self.attempts_missing = 0
        self.before: set[int] = set()  # ids of attempts that were open before this watch
        self.unconnected: list[ConnectionAttempt] = []
        self.exchanges: list[ExchangeInProgress] | None = [] if timeline else None
        self.exchanges_missing = 0
        self.routes: dict[tuple[str, Any], Route] = {}  # a subclass may tell more apart
        self.leaked: Counter[tuple[str, str]] = Counter()  # (host, "origin header")
        self.warnings: Counter[str] = Counter()
        self.circumstances: Counter[Noted] = Counter()
        self.credentials: set[str] = set()  # that were sent; never shown

    def route(self, host: str, via: str | None = None) -> Route:
        """The route to this host, by this proxy if there is a tunnel."""
        route = self.routes.get((host, via))
        if route is None:
            counts = HostCounts(host=host, via=via, discarded=0)
            route = self.routes.setdefault((host, via), Route(counts))
        return route

    def add(self, attempt: ConnectionAttempt) -> None:
        """Keep this connection, if there is room; one that was never connected takes little."""
        if attempt.connected_at is None and attempt.attempted is not None:
            if len(self.unconnected) < UNCONNECTED_KEPT:
                self.unconnected.append(attempt)
        elif len(self.attempts) < CONNECTIONS_KEPT:
            self.attempts.append(attempt)
        else:
            self.attempts_missing += 1

    def add_if_before(self, attempt: ConnectionAttempt) -> None:
        """Keep this connection if it was open before this watch, and is not the parent's."""
        if self in attempt.recorders or attempt.shared or attempt.id in self.before:
            return
        self.before.add(attempt.id)
        self.add(attempt)

    def add_exchange(self, exchange: ExchangeInProgress) -> None:
        """Keep this exchange, if there is a timeline and room in it."""
        if self.exchanges is None:
            return
        if len(self.exchanges) < EXCHANGES_KEPT:
            self.exchanges.append(exchange)
        else:
            self.exchanges_missing += 1

    def hide(self, credentials: Iterable[str]) -> None:
        """Remember these, so that a report hides them; not ever more of a program that rotates."""
        if len(self.credentials) < CREDENTIALS_KEPT:
            self.credentials.update(credentials)

    def warn(self, sentence: str) -> None:
        """Count this sentence among the record's warnings."""
        self.warnings[sentence] += 1

    def note(
        self,
        kind: str,
        *,
        host: str | None = None,
        where: str | None = None,
        detail: str | None = None,
        other: str | None = None,
    ) -> None:
        """Count a `Circumstance`, if there is room for another one."""
        noted = kind, host, where, detail, other
        if noted in self.circumstances or len(self.circumstances) < CIRCUMSTANCES_KEPT:
            self.circumstances[noted] += 1

    def noted(self) -> tuple[Circumstance, ...]:
        """All circumstances that were noted so far."""
        return tuple(
            Circumstance(kind=kind, host=host, where=where, detail=detail, other=other, count=count)
            for (kind, host, where, detail, other), count in dict(self.circumstances).items()
        )

    def snapshot(self, began: float) -> tuple[tuple[Connection, ...], tuple[HostCounts, ...]]:
        """All connections and counts as they are now, in seconds since ``began``.

        Where threads go on meanwhile, the counts are those of the connections, so that they add up.
        """
        before = self.counts()
        attempts = sorted([*self.attempts, *self.unconnected], key=lambda attempt: attempt.id)
        connections = tuple([attempt.record(self, began) for attempt in attempts])
        counts = self.counts()
        if not self.attempts_missing:
            for one in counts:
                # A thread may have noted a connection, and not counted it yet
                if counts != before or one.in_flight:
                    _fit(one, connections)
        return connections, counts

    def counts(self) -> tuple[HostCounts, ...]:
        """The counts of each route, as they are now."""
        routes = {key: one.snapshot() for key, one in dict(self.routes).items() if one.is_used()}
        for (host, what), count in dict(self.leaked).items():
            to = next((one for (name, _), one in routes.items() if name == host), None)
            if to is None:
                to = routes[host, None] = HostCounts(host=host)
            to.leaked_headers[what] = count
        return tuple(routes.values())


def _fit(counts: HostCounts, connections: Iterable[Connection]) -> None:
    """Let these counts, which are a little later, be those of these connections."""
    mine = [
        one
        for one in connections
        if (one.host, one.via) == (counts.host, counts.via)
        and one.attempted_s is not None
        and one.connected_s is not None
    ]
    answered = [one for one in mine if one.served]
    counts.opened, counts.opened_unanswered = len(answered), len(mine) - len(answered)
    counts.reopened = sum(one.facts.reconnect for one in answered)
