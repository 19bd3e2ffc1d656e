"""The judge of a route that goes on for weeks: each connection once, when first seen. No I/O.

It applies the rules of `rules` in the order of the openings, with what the connections until now
show together. Its memory is bounded: it forgets owners of pools that have opened nothing for long,
and a connection whose owner it has forgotten may get the cause ``unknown``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from keptalive.causes.facts import Opening
from keptalive.causes.patterns import Pattern
from keptalive.causes.rules import Seen, cause_of, pool_of, predecessor_of
from keptalive.records.connection import CloseReason, Connection

OWNERS_KEPT = 200  # adapters and PoolManagers, those that opened a connection last
UNREAD_KEPT = 100  # ends of connections of one pool


class RouteJudge:
    """Judges the connections of one route and process, in the order of their attempts."""

    def __init__(self) -> None:
        self._replaced: set[int] = set()
        self._seen = Seen(Pattern(), self._replaced)
        self._owners: dict[int, None] = {}  # the last used one comes last

    def judge(
        self, connection: Connection, find: Callable[[int], Connection | None], pattern: Pattern
    ) -> str:
        """The cause of this connection, which has connected.

        Args:
            connection: if it waits for its first response, it is taken to get one.
            find: gives an earlier connection, or failed attempt, by its id, if it is known still.
            pattern: what all connections that are known still show together.
        """
        seen, facts = self._seen, connection.facts
        seen.pattern = pattern
        if connection.replaces is not None:
            self._replaced.add(connection.replaces)
        seen.begin_pool(facts)
        differs = seen.differs.get(pool_of(facts), ())
        opening = Opening(connection, predecessor_of(connection, find), differs)
        cause = cause_of(opening, seen)
        if connection.end is None and not connection.served:
            opening = opening._replace(connection=replace(connection, served=1))
        seen.add(opening, cause)
        self._remember(facts.owner)
        return cause

    def ends(self, connection: Connection) -> None:
        """The end of a connection was seen after it had been judged."""
        end, left = connection.end, self._seen.left_unread.get(pool_of(connection.facts))
        if end is None or left is None or end.how is not CloseReason.NEVER_READ:
            return
        if connection.id not in self._replaced:
            left.append(connection.ended_s or 0.0)
            del left[:-UNREAD_KEPT]

    def forget(self, connection: int) -> None:
        """This connection will not be found any more."""
        self._replaced.discard(connection)
        self._seen.places_left.discard(connection)

    def _remember(self, owner: int) -> None:
        self._owners.pop(owner, None)
        self._owners[owner] = None
        if len(self._owners) <= OWNERS_KEPT:
            return
        oldest, seen = next(iter(self._owners)), self._seen
        del self._owners[oldest]
        settings = seen.pools.pop(oldest, {})
        for one in settings:
            pool = oldest, one
            seen.began.pop(pool, None)
            seen.differs.pop(pool, None)
            seen.left_unread.pop(pool, None)
            seen.new_pools.discard(pool)
