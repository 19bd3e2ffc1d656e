"""Why each connection was opened: connections of one route and process in, causes out.

Connections are judged in the order in which they were attempted, each by the first rule that
applies. Nothing is guessed: where the records do not say, the cause is `unknown`.

A *place* is one of the connections that perfect reuse would have opened too. There are never more
of them than requests were in flight at once until then, and an opening is unavoidable only where
a place is free. Only a connection on which a response came uses one up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from keptalive.causes.catalogue import CAUSE_OF_END
from keptalive.causes.facts import Opening
from keptalive.causes.patterns import ORDERLY, Pattern
from keptalive.records.connection import CloseReason, Connection, OpeningFacts
from keptalive.records.report import UNAVOIDABLE

Settings = tuple[tuple[str, ...], str | None]  # of TLS, and of the proxy: they keep pools apart


@dataclass(frozen=True, slots=True)
class Judged:
    """An opening and its cause; None where nothing was ever connected."""

    opening: Opening
    cause: str | None


@dataclass(slots=True)
class Seen:
    """What the openings before have shown, of one route in one process.

    Attributes:
        pattern: what all of them show together.
        replaced: those that another one names as its predecessor.
        answered: a response has come on one of them.
        places_taken: by connections that perfect reuse would have opened too.
        places_left: connections that had a place and were never answered: who replaces one gets its
            place.
        pools: for each owner, the settings of its pools, and how often it had been closed by then.
        began: why a pool began empty, by its owner and settings.
        differs: by which TLS settings a pool differs from the one of its owner most like it.
        new_pools: those that began within this record.
        first_owner: whose pool had the first response of all.
        left_unread: of each pool, when connections ended that never came back, their last response
            unread, and that are not replaced yet.
    """

    pattern: Pattern
    replaced: Set[int] = frozenset()
    answered: bool = False
    places_taken: int = 0
    places_left: set[int] = field(default_factory=set)
    pools: dict[int, dict[Settings, int]] = field(default_factory=dict)
    began: dict[tuple[int, Settings], str] = field(default_factory=dict)
    differs: dict[tuple[int, Settings], tuple[str, ...]] = field(default_factory=dict)
    new_pools: set[tuple[int, Settings]] = field(default_factory=set)
    first_owner: int | None = None
    left_unread: dict[tuple[int, Settings], list[float]] = field(default_factory=dict)

    def has_a_free_place(self, facts: OpeningFacts) -> bool:
        """Whether perfect reuse would have opened another connection by now."""
        return self.places_taken < facts.most_at_once

    def begin_pool(self, facts: OpeningFacts) -> None:
        """Remember why this opening's pool is new, if it is; nothing is left unread in it."""
        if not facts.pool_is_new:
            return
        self.new_pools.add(pool_of(facts))
        self.left_unread.pop(pool_of(facts), None)
        others = [tls for tls, _ in self.pools.get(facts.owner, {})]
        if others:
            differing = (_differing(facts.tls, tls) for tls in others)
            self.differs[pool_of(facts)] = min(differing, key=lambda names: (len(names), names))
        if self.answered:
            self.began[pool_of(facts)] = _new_pool_cause(facts, self.pools.get(facts.owner, {}))

    def add(self, opening: Opening, cause: str) -> None:
        """Remember this opening for those after it."""
        connection, predecessor = opening.connection, opening.predecessor
        facts = connection.facts
        self.pools.setdefault(facts.owner, {})[_settings(facts)] = facts.closings
        takes = cause in (*UNAVOIDABLE, "redirect") or self._inherits(predecessor)
        if takes and connection.served and self.has_a_free_place(facts):
            self.places_taken += 1
        elif takes and connection.connected_s is not None and not connection.served:
            self.places_left.add(connection.id)
        if connection.served and not self.answered:
            self.answered, self.first_owner = True, facts.owner
        self._count_unread(opening, cause)

    def _inherits(self, predecessor: Connection | None) -> bool:
        """Whether this opening takes the place of its predecessor, or is the first of all."""
        if predecessor is None:
            return not self.answered
        return predecessor.id in self.places_left or predecessor.attempted_s is None

    def _count_unread(self, opening: Opening, cause: str) -> None:
        connection, predecessor = opening.connection, opening.predecessor
        left, end = self.left_unread.setdefault(pool_of(connection.facts), []), connection.end
        if cause == "unread-body" and predecessor is None and left:
            left.remove(min(left))
        if (
            end is not None
            and end.how is CloseReason.NEVER_READ
            and connection.id not in self.replaced
        ):
            left.append(connection.ended_s or 0.0)


Rule = Callable[[Opening, Seen], str | None]


def judge(connections: Sequence[Connection], pattern: Pattern) -> list[Judged]:
    """The cause of each connection to one route in one process, in the order of the attempts.

    Those that were open before the record began are no openings of this record's.
    """
    by_id = {connection.id: connection for connection in connections}
    replaced = frozenset(one.replaces for one in connections if one.replaces is not None)
    seen = Seen(pattern, replaced)
    judged = []
    attempted = [one for one in connections if one.attempted_s is not None]
    for connection in sorted(attempted, key=lambda one: (one.attempted_s, one.id)):
        seen.begin_pool(connection.facts)
        differs = seen.differs.get(pool_of(connection.facts), ())
        opening = Opening(connection, predecessor_of(connection, by_id.get), differs)
        cause = connection.cause or cause_of(opening, seen)
        seen.add(opening, cause)
        judged.append(Judged(opening, cause if is_connected(connection) else None))
    return judged


def cause_of(opening: Opening, seen: Seen) -> str:
    """The cause of one opening: that of the first rule that applies."""
    return next((cause for rule in RULES if (cause := rule(opening, seen))), "unknown")


def is_connected(connection: Connection) -> bool:
    """Whether it was ever connected: the attempt may have failed."""
    was_open = connection.attempted_s is None
    return was_open or connection.connected_s is not None or connection.served > 0


def pool_of(facts: OpeningFacts) -> tuple[int, Settings]:
    """Which of its process's pools, among those of one route."""
    return facts.owner, _settings(facts)


def _settings(facts: OpeningFacts) -> Settings:
    return facts.tls, facts.proxy


def _differing(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the settings that are not the same in both."""
    return tuple(sorted({setting.partition("=")[0] for setting in {*one} ^ {*other}}))


def predecessor_of(
    connection: Connection, find: Callable[[int], Connection | None]
) -> Connection | None:
    """The connection that this one replaces; attempts that failed to connect are passed over."""
    before = find(connection.replaces) if connection.replaces is not None else None
    while before is not None and not is_connected(before):
        before = find(before.replaces) if before.replaces is not None else None
    return before


def _new_pool_cause(facts: OpeningFacts, pools: Mapping[Settings, int]) -> str:
    """Why an owner has to make a pool, from those that it made before, and when."""
    closings = pools.get(_settings(facts))
    if closings is not None:
        return "session-closed" if facts.closings > closings else "pool-evicted"
    if any(proxy != facts.proxy for _, proxy in pools):
        return "proxy-differs"
    if pools:
        return "tls-settings-differ"
    return "new-adapter" if facts.new_adapter else "new-session"


# -- the rules


def _by_end(opening: Opening, seen: Seen) -> str | None:
    before, end = opening.predecessor, opening.end
    if before is None or end is None:
        return None
    if not seen.answered and not before.served and before.attempted_s is not None:
        return None  # until the first response there was nothing to keep
    if end.how in ORDERLY:
        return seen.pattern.cause_of_close(before, end)
    if end.how is CloseReason.FAILED:
        return seen.pattern.cause_of_failure(before)
    if end.how is CloseReason.POOL_CLOSED and _was_closed_since(opening, before):
        return "session-closed"
    return CAUSE_OF_END.get(end.how)


def _was_closed_since(opening: Opening, before: Connection) -> bool:
    now, then = opening.connection.facts, before.facts
    if now.at_exit:
        return True
    return now.owner == then.owner and now.closings > then.closings


def _redirect(opening: Opening, seen: Seen) -> str | None:
    facts = opening.connection.facts
    is_new = facts.pool_is_new and facts.redirected and not seen.answered
    return "redirect" if is_new else None


def _pool_is_older(opening: Opening, seen: Seen) -> str | None:
    """Its pool was there before the record began, and what it kept is not known."""
    facts = opening.connection.facts
    is_older = not facts.pool_is_new and _settings(facts) not in seen.pools.get(facts.owner, {})
    if seen.answered or not is_older:
        return None
    told = (rule(opening, seen) for rule in (_unread, _pool_too_small, _retry))
    return next((cause for cause in told if cause), "unknown")


def _first_use(_opening: Opening, seen: Seen) -> str | None:
    return None if seen.answered else "first-use"


def _concurrency(opening: Opening, seen: Seen) -> str | None:
    return "concurrency" if seen.has_a_free_place(opening.connection.facts) else None


def _new_pool(opening: Opening, seen: Seen) -> str | None:
    facts = opening.connection.facts
    return seen.began.get(pool_of(facts)) if facts.pool_is_new else None


def _unread(opening: Opening, _seen: Seen) -> str | None:
    return "unread-body" if opening.connection.facts.unread else None


def _pool_too_small(opening: Opening, _seen: Seen) -> str | None:
    return "pool-too-small" if opening.connection.facts.pool_discarded else None


def _left_unread(opening: Opening, seen: Seen) -> str | None:
    """Another flow of control holds a response of this pool, or has dropped one, unread."""
    one = opening.connection
    until_then = [
        ended_s
        for ended_s in seen.left_unread.get(pool_of(one.facts), ())
        if ended_s <= (one.attempted_s or 0.0)
    ]
    return "unread-body" if until_then and opening.predecessor is None else None


def _pool_began_empty(opening: Opening, seen: Seen) -> str | None:
    """Its pool has no connection since it began empty: why did it?"""
    end, facts = opening.end, opening.connection.facts
    if opening.predecessor is not None and not (end and end.how is CloseReason.POOL_CLOSED):
        return None
    # before the first response of all, no pool was one too many
    is_another = pool_of(facts) in seen.new_pools and seen.first_owner not in (None, facts.owner)
    return seen.began.get(pool_of(facts), "new-session" if is_another else None)


def _retry(opening: Opening, _seen: Seen) -> str | None:
    return "retry" if opening.connection.facts.retry else None


def _split_over_pools(opening: Opening, seen: Seen) -> str | None:
    """The first pool of all lacks a connection that a later pool keeps for itself."""
    if opening.predecessor is not None or not seen.began:
        return None
    return next(reversed(seen.began.values()))


# How the predecessor ended comes first, then what is unavoidable, then why its pool had none
RULES: Iterable[Rule] = (
    _by_end,
    _redirect,
    _pool_is_older,
    _first_use,
    _concurrency,
    _new_pool,
    _unread,
    _pool_too_small,
    _left_unread,
    _pool_began_empty,
    _retry,
    _split_over_pools,
)
