"""A connection while it lives: from the attempt to open it until its end is seen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from keptalive.records.connection import (
    CloseReason,
    Connection,
    ConnectionEnd,
    OpeningFacts,
)
from keptalive.watching.owners import Unpickled

NOBODY: tuple[object, ...] = ()


@dataclass(slots=True, eq=False, kw_only=True)
class ConnectionAttempt(Unpickled):
    """A `Connection` in the making; times are the observer's clock, which may begin anywhere.

    Attributes:
        attempted: None if it was open before anybody watched.
        recorders: those that listened when it was attempted; for all others it was there before.
        settled: the ledgers that have counted it, each with the cause that it has found.
        most_at_once: what `OpeningFacts.most_at_once` is for each of these.
        connected_at, answered: whether its opening came to something.
        shared: another process opened it, and this one, its fork, sends requests on it too.
        predecessor: whose place it takes, until it has connected: if it never does, the next one
            takes that place.
        given_up: nothing was acknowledged that was sent last, until the system gave up.
    """

    id: int
    process: int
    thread: int
    host: str
    via: str | None
    attempted: float | None
    connected_at: float | None = None
    answered: bool = False
    ended_at: float | None = None
    local_port: int | None = None
    phases: dict[str, float] = field(default_factory=dict)
    served: int = 0
    longest_idle_s: float = 0.0
    end: ConnectionEnd | None = None
    replaces: int | None = None
    shared: bool = False
    predecessor: ConnectionAttempt | None = None
    given_up: bool = False
    facts: OpeningFacts = field(default_factory=OpeningFacts)
    recorders: tuple[object, ...] = NOBODY
    most_at_once: tuple[int, ...] = ()
    settled: tuple[tuple[object, str], ...] = ()

    def ends(self, end: ConnectionEnd, now: float | None) -> None:
        """Its end has been seen; what was seen first is true."""
        if self.end is None:
            self.end, self.ended_at = end, now

    def cause_by(self, ledger: object) -> str | None:
        """The cause under which this ledger has counted it; None if it has not."""
        return next((cause for one, cause in self.settled if one is ledger), None)

    def adds(self, **seen: Any) -> None:
        """More has been seen of how it failed, or of why its Session replaced it."""
        if self.end is not None and self.end.how in (CloseReason.FAILED, CloseReason.REPLACED):
            self.end = replace(self.end, **seen)

    def forgets_guess(self) -> None:
        """Who knows why this side closed it says so next; until now it was only seen closed."""
        if self.end is not None and self.end.how is CloseReason.CLOSED_BY_CLIENT:
            self.end = self.ended_at = None

    def record(self, recorder: object, began: float) -> Connection:
        """As it is now, in seconds since this recorder began."""
        facts, attempted = self.facts, None
        if recorder in self.recorders:
            place = self.recorders.index(recorder)
            facts = replace(facts, most_at_once=self.most_at_once[place])
            attempted = self.attempted
        return Connection(
            id=self.id,
            process=self.process,
            thread=self.thread,
            host=self.host,
            via=self.via,
            local_port=self.local_port,
            attempted_s=_since(began, attempted),
            connected_s=_since(began, self.connected_at),
            ended_s=_since(began, self.ended_at),
            phases=dict(self.phases),
            served=self.served,
            longest_idle_s=self.longest_idle_s,
            end=self.end,
            replaces=self.replaces,
            shared=self.shared,
            facts=facts,
        )


def _since(began: float, at: float | None) -> float | None:
    return None if at is None else at - began
