"""What a pool shows of a connection that is opened: whose place it takes, and what they share."""

from __future__ import annotations

import weakref

from keptalive.records.connection import CloseReason, OpeningFacts
from keptalive.watching.attempts import ConnectionAttempt
from keptalive.watching.doing import KEPT, LOST
from keptalive.watching.foreign import own
from keptalive.watching.tracking import ConnectionState, Pool, socket_queue


def unreplaced(pool: Pool, unread: list[ConnectionState]) -> ConnectionAttempt | None:
    """A connection of this pool that has ended, and whose place nobody has taken."""
    if pool.ended:
        return pool.ended.pop()
    lost = next((one for one in unread if one.doing is LOST), None)
    if lost is None:
        return None
    pool.known.discard(lost)  # it accounts for one connection, this one
    return lost.attempt


def closed_at_exit(pool: Pool, newest: ConnectionState, now: float) -> ConnectionAttempt | None:
    """A connection that urllib3 closed because Python ends; exit handlers may run after that.

    urllib3 2 closes pools by `weakref.finalize`, which runs all that is left when Python ends.
    """
    if not getattr(weakref.finalize, "_shutdown", False):
        return None
    for one in list(pool.known):
        attempt = one.attempt
        if one is newest or one.doing is not KEPT or one.is_open():
            continue
        if attempt is not None and attempt.end is None:
            one.ends(CloseReason.POOL_CLOSED, now)
            pool.known.discard(one)
            return attempt
    return None


def was_discarded(attempt: ConnectionAttempt | None) -> bool:
    """Whether this connection had found no room in its pool."""
    end = attempt.end if attempt is not None else None
    return end is not None and end.how is CloseReason.DISCARDED


def facts_of(pool: Pool) -> OpeningFacts:
    """What all connections of this pool have in common just now."""
    return OpeningFacts(
        owner=pool.owner.number,
        pool_is_new=pool.is_new,
        closings=pool.owner.closings,
        new_adapter=pool.is_new_adapter,
        tls=pool.tls,
        proxy=pool.proxy,
        pools_kept=pool.kept,
        pools_needed=len(pool.owner.needed),
        pools_alike=pool.alike,
        pool_size=own(socket_queue(pool.of()), "maxsize") or None,
        is_bare=pool.owner.is_bare,
        **pool.owner.made_at.facts("session"),
    )
