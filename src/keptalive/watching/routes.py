"""The counts of one route while somebody watches, and its requests in flight."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Mapping, Set
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from keptalive.records.counts import FailedAddress, HostCounts

ORIGINS_KEPT = 100  # that one proxy was asked for
ADDRESSES_KEPT = 8  # of one host
POOLS_KEPT = 16  # that count on one route, without a look at which are no more
_CONTAINERS = (
    *("origins", "errors", "phases", "leaked_headers", "failed_addresses"),
    *("first_responses", "kept_responses", "retried_statuses"),
)


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
        pools: those of urllib3's that count here, and perhaps some that are no more.
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
    pools: list[weakref.ref[Any]] = field(default_factory=list)

    def serves(self, pool: weakref.ref[Any]) -> None:
        """This pool counts here from now on."""
        if len(self.pools) >= POOLS_KEPT:
            self.pools[:] = [one for one in self.pools if one() is not None]
        self.pools.append(pool)

    def is_over(self) -> bool:
        """Whether no pool is left that might count here."""
        return not self.in_flight and all(one() is None for one in list(self.pools))

    def asks_for(self, origin: str) -> None:
        """A forward proxy is asked for this one."""
        origins = self.counts.origins
        if origin not in origins and len(origins) < ORIGINS_KEPT:
            origins.append(origin)

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
