"""A connection that a watch has judged while it goes on, and what it has recorded of a window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keptalive.records.connection import Connection
from keptalive.records.counts import HostCounts
from keptalive.records.process import SettledCause
from keptalive.watching.attempts import ConnectionAttempt
from keptalive.watching.windows import Route

if TYPE_CHECKING:
    from keptalive.watching.recorder import Recorder


@dataclass(slots=True, eq=False)
class Entry:
    """A connection that has been judged.

    Attributes:
        cause: None if it was open before the watch.
        is_counted: its first response has come, or never will.
        has_ended: its end has been seen.
    """

    attempt: ConnectionAttempt
    cause: str | None
    is_counted: bool = False
    has_ended: bool = False

    def record(self, recorder: Recorder, began: float, route: Route) -> Connection:
        """As it is now; if it is not counted yet, it has no response, whatever came meanwhile."""
        connection = self.attempt.record(recorder, began)
        is_pending = self.cause is not None and not self.is_counted
        return replace(
            connection,
            host=route[0],
            via=route[1],
            cause=self.cause,
            settled=self.is_counted,
            served=0 if is_pending else connection.served,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What happened in a window, as `process.ProcessRecord` has it.

    Attributes:
        connections: those that stay, older ones too.
        missing: how many are among the counts, and not among those that stay.
        began: when the window did, by the observer's clock.
    """

    connections: tuple[Connection, ...]
    hosts: tuple[HostCounts, ...]
    settled: tuple[SettledCause, ...]
    missing: int
    began: float
