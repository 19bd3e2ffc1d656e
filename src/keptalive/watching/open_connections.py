"""All connections that are open, as far as they are known, and what has become of them."""

from __future__ import annotations

import math
from collections.abc import Callable

from keptalive.watching.circumstances import is_the_parents
from keptalive.watching.own_classes import OwnClasses
from keptalive.watching.tracking import ConnectionState

SWEEP_AT = 256  # so many connections are remembered without a look at which are gone
RETRY_S = 1.0


class OpenConnections(OwnClasses):
    """Remembers connections from their opening until they are gone.

    Args:
        clock: seconds, for every time in the records.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.clock = clock
        self.open: set[ConnectionState] = set()
        self._sweep_at = SWEEP_AT
        self.cut_at = math.inf  # when a slice of some recorder's window ends

    def begins_in_child(self) -> None:
        super().begins_in_child()
        self.forked_at = self.clock()
        self.open.clear()

    def remember(self, connection: ConnectionState) -> None:
        """It is being opened. Those that are no more are forgotten when their share is large."""
        self.open.add(connection)
        if len(self.open) >= self._sweep_at:
            self.look_at_all()
            self._sweep_at = max(SWEEP_AT, 2 * len(self.open))

    def look_at_all(self) -> None:
        """See which connections have ended meanwhile, and forget those that are no more."""
        now = self.clock()
        for one in list(self.open):
            one.look(now)
            if one.is_gone() and not one.is_left_open():
                self.open.discard(one)
                self.may_be_unclosed(one)

    def still_open(self) -> list[str | None]:
        """Where the Sessions were made of the connections that are open now."""
        return [
            state.pool.owner.made_at.shown() if state.pool else None for state in self.open_ones()
        ]

    def open_ones(self) -> list[ConnectionState]:
        """Those that are open now, by this process."""
        known = list(self.open)
        return [one for one in known if one.is_left_open() and not is_the_parents(one)]

    def cuts(self, now: float) -> None:
        """The windows of recorders move on; before what happens now is counted."""
        self.cut_at = now + RETRY_S  # should a mistake of ours end it here
        ledgers = [one.ledger for one in self.recorders if one.ledger is not None]
        for ledger in ledgers:
            ledger.cut(now)
        self.cut_at = min((one.window.next_cut for one in ledgers), default=math.inf)
