"""What each route has counted since a watch began; of many routes, the oldest ones as one."""

from __future__ import annotations

from collections.abc import Set
from copy import copy
from typing import TYPE_CHECKING

from keptalive.records.counts import HostCounts
from keptalive.watching.attempts import ConnectionAttempt
from keptalive.watching.windows import (
    OTHER,
    Key,
    Route,
    Tallies,
    Tally,
    Window,
    add_to,
    move,
    together,
)

if TYPE_CHECKING:
    from keptalive.watching.recorder import Recorder
    from keptalive.watching.tracking import Pool


class RouteCounts:
    """The counts of a recorder, with its openings as they were counted by cause.

    Args:
        recorder: it counts requests.
        window: it counts openings in its slices.

    Attributes:
        totals: all openings that are counted, since the watch began.
    """

    def __init__(self, recorder: Recorder, window: Window) -> None:
        self._recorder = recorder
        self._window = window
        self.totals: Tallies = {}
        self._folded: HostCounts | None = None

    def add(self, key: Key, openings: Tally) -> None:
        """Count these."""
        add_to(self.totals, key, openings)
        self._window.count(key, openings)

    def name(self, one: ConnectionAttempt | Pool) -> Route:
        """The route under which this connection, or those of this pool, are counted."""
        route = one.host, one.via
        return route if route in self._recorder.routes or self._folded is None else OTHER

    def counts(self) -> dict[Route, HostCounts]:
        """Each route's; the openings are those that were counted by cause, so that they add up."""
        counts = {(one.host, one.via): one for one in self._recorder.counts()}
        if self._folded is not None:
            counts[OTHER] = copy(self._folded)
        opened: dict[Route, Tally] = {}
        for (host, via, _), tally in list(self.totals.items()):  # another thread may add to them
            opened.setdefault((host, via), Tally()).add(tally)
        for route, one in counts.items():
            tally = opened.get(route, Tally())
            one.requests = (one.requests or 0) + tally.opened - (one.opened or 0)
            one.opened, one.reopened = tally.opened, tally.reopened
            one.opened_unanswered = tally.unanswered
        return counts

    def fold(self, used: Set[Route], *, at_most: int) -> set[Route]:
        """Count the oldest routes together, until so many are left.

        Args:
            used: these are not counted so.
            at_most: how many.

        Returns:
            those that are: their pools are no more, so that nothing can change in them.
        """
        routes, folded = self._recorder.routes, set[Route]()
        over = [(route, one) for route, one in list(routes.items()) if one.is_over()]
        counts = self.counts()  # only now: nothing changes in those that are over
        several = [] if self._folded is None else [self._folded]
        for route, one in over:
            if len(routes) <= at_most:
                break
            if route in used:
                continue
            del routes[route]
            # a pool of this moment stays with it, unless it has found it gone
            if not one.is_over() and routes.setdefault(route, one) is one:
                continue
            folded.add(route)
            several += filter(None, [counts.get(route)])
            self._window.fold(route)
            move(self.totals, route)
        if folded:
            self._folded = together(several)
        return folded
