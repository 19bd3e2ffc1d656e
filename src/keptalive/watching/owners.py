"""Who keeps pools, and which adapters a Session has had: remembered while somebody watches."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

from keptalive.watching.call_site import NOWHERE, Place

KEYS_KEPT = 10_000


class Unpickled:
    """What hangs on other people's objects goes with them into no pickle and no copy."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()


@dataclass(slots=True)
class Owner(Unpickled):
    """Who keeps pools: an adapter of requests, or a bare PoolManager.

    Attributes:
        is_tuned, max_idle_s, learns: as in `OpeningFacts`.
        closings: how often it has been closed.
        closed_at: when it was, the last time, by the observer's clock.
        made_at: where in the program its Session was made.
        is_bare: a PoolManager without a Session, or a single pool.
        adapter: that of a Session's whose place is known.
        needed: the routes and settings for which it has made pools, as hashes; bounded.
    """

    number: int
    is_tuned: bool = False
    max_idle_s: float | None = None
    learns: bool = False
    closings: int = 0
    closed_at: float | None = None
    made_at: Place = NOWHERE
    is_bare: bool = False
    adapter: weakref.ref[Any] | None = None
    needed: set[int] = field(default_factory=set)

    def needs(self, *key: object) -> None:
        """It makes a pool for this route and these settings."""
        if len(self.needed) < KEYS_KEPT:
            self.needed.add(hash(key))


@dataclass(slots=True)
class Adapters(Unpickled):
    """The adapters of one Session: of each route the number of the last one that had a pool."""

    of_routes: dict[tuple[str, str | None], int] = field(default_factory=dict)

    def replaces(self, owner: Owner, host: str, via: str | None) -> bool:
        """This one has a pool for this route from now on: did another one have it before?"""
        before = self.of_routes.get((host, via))
        self.of_routes[host, via] = owner.number
        return before not in (None, owner.number)
