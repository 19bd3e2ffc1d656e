"""What one watch has recorded so far: connections, exchanges, and the counts of each route.

Memory grows with the routes that are used and the connections that are opened, never with the
requests on them unless a timeline is asked for; beyond the bounds only the counts go on, and the
record says how many are missing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from keptalive.records.connection import Connection
from keptalive.records.counts import HostCounts
from keptalive.records.process import CONNECTIONS_KEPT, EXCHANGES_KEPT, Circumstance
from keptalive.watching.attempts import ConnectionAttempt
from keptalive.watching.exchanges import ExchangeInProgress
from keptalive.watching.routes import Route
from keptalive.watching.windows import Noted

if TYPE_CHECKING:
    from keptalive.watching.ledger import Ledger
    from keptalive.watching.tracking import Pool

CREDENTIALS_KEPT = 50
CIRCUMSTANCES_KEPT = 1000
UNCONNECTED_KEPT = 1000
SENTENCES_KEPT = 1000  # of warnings, and of leaks


class Recorder:
    """Gathers what the `Observer` sees, for one watch.

    Args:
        timeline: whether each request is recorded.

    Attributes:
        on_opening: is called after each connection that was opened, once it has answered.
        process: in which its watch began.
        ledger: counts connections by cause, and lets old ones be forgotten; None where all that
            there is room for stay until the end.
    """

    def __init__(self, *, timeline: bool = False) -> None:
        self.on_opening: Callable[[], None] | None = None
        self.process = os.getpid()
        self.ledger: Ledger | None = None
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

    def route_of(self, pool: Pool) -> Route:
        """The route to which this pool leads; the ledger may have removed it while it was found."""
        while True:
            route = self.route(pool.host, pool.via)
            if self.ledger is None:
                return route
            route.serves(pool.of)
            if self.routes.get((pool.host, pool.via)) is route:
                return route

    def add(self, attempt: ConnectionAttempt) -> None:
        """Keep this connection, if there is room; one that was never connected takes little."""
        if attempt.connected_at is None and attempt.attempted is not None:
            if self.ledger is not None and len(self.unconnected) >= UNCONNECTED_KEPT:
                del self.unconnected[: UNCONNECTED_KEPT // 10]
            if len(self.unconnected) < UNCONNECTED_KEPT:
                self.unconnected.append(attempt)
        elif self.ledger is not None:
            self.attempts.append(attempt)
            self.ledger.grows()
        elif len(self.attempts) < CONNECTIONS_KEPT:
            self.attempts.append(attempt)
        else:
            self.attempts_missing += 1

    def add_if_before(self, attempt: ConnectionAttempt) -> None:
        """Keep this connection if it was open before this watch, and is not the parent's."""
        if self.ledger is not None and self.ledger.has_dropped(attempt):
            self.attempts.append(attempt)  # another one replaces it now
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
        """Count this sentence among the record's warnings, if there is room for another one."""
        if sentence in self.warnings or len(self.warnings) < SENTENCES_KEPT:
            self.warnings[sentence] += 1

    def leaks(self, host: str, what: str) -> None:
        """Count a secret that a redirect took along to this host, likewise."""
        if (host, what) in self.leaked or len(self.leaked) < SENTENCES_KEPT:
            self.leaked[host, what] += 1

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
        """All circumstances that were noted so far, or in the window of the ledger."""
        before = {} if self.ledger is None else self.ledger.window.slices[0].circumstances
        return tuple(
            Circumstance(
                kind=noted[0],
                host=noted[1],
                where=noted[2],
                detail=noted[3],
                other=noted[4],
                count=count - before.get(noted, 0),
            )
            for noted, count in dict(self.circumstances).items()
            if count > before.get(noted, 0)
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
