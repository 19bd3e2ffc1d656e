"""Events of a probe, put together for each connection: what it did, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from keptalive.probe.events import Answered, Ended, Event, Failed, Failure, Opened, Role, Seen
from keptalive.records.connection import CloseReason

ENDS = (
    CloseReason.FIN,
    CloseReason.RST,
    CloseReason.TLS_CLOSE,
    CloseReason.TIMEOUT_408,
    CloseReason.SILENT,
)
_TLS_CLOSE_AND_FIN = "TLS close and FIN"
NOTHING_SEEN = "nothing seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time between a response and the next request on the same connection."""

    idle_s: float
    survived: bool
    failure: Failure | None
    sent_s: float


@dataclass(slots=True)
class History:
    """One connection, from its opening to its end."""

    opened: Opened
    exchanges: list[Answered | Failed] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    @property
    def role(self) -> Role:
        """What it was opened for."""
        return self.opened.role

    @property
    def answers(self) -> list[Answered]:
        """The responses that came on it."""
        return [one for one in self.exchanges if isinstance(one, Answered)]

    @property
    def failed(self) -> Failed | None:
        """The request that got no whole response."""
        return next((one for one in self.exchanges if isinstance(one, Failed)), None)

    @property
    def announced(self) -> bool:
        """The last response said that the server closes, or by HTTP's rules meant it."""
        return bool(self.answers) and not self.answers[-1].keeps

    @property
    def end(self) -> Seen | None:
        """What first showed that the server ends it, with no request in flight."""
        return next((one for one in self.seen if one.what in ENDS), None)

    @property
    def ends_with(self) -> str | None:
        """How it ended, in the words of the report; None if that was not seen."""
        ways = [one.what for one in self.seen if one.what in ENDS]
        if CloseReason.TIMEOUT_408 in ways:
            return CloseReason.TIMEOUT_408.value
        if not ways:
            return None
        if ways[0] is CloseReason.TLS_CLOSE and CloseReason.FIN in ways:
            return _TLS_CLOSE_AND_FIN
        return ways[0].value

    @property
    def idle_at_end_s(self) -> float | None:
        """How long it had been idle when the server closed it, unannounced."""
        if self.end is None or self.announced or not self.answers or self.failed is not None:
            return None
        return self.end.at_s - self.answers[-1].at_s

    @property
    def gaps(self) -> list[Gap]:
        """The idle times on it after which another request was sent."""
        return [
            Gap(
                idle_s=later.sent_s - before.at_s,
                survived=isinstance(later, Answered),
                failure=later.failure if isinstance(later, Failed) else None,
                sent_s=later.sent_s,
            )
            for before, later in zip(self.exchanges, self.exchanges[1:], strict=False)
        ]

    def shows(self, what: CloseReason) -> bool:
        """Whether this showed on it."""
        return any(one.what is what for one in self.seen)


def histories(events: Iterable[Event]) -> list[History]:
    """One for each connection, in the order in which they were opened."""
    found: dict[int, History] = {}
    for event in events:
        if isinstance(event, Opened):
            found[event.connection] = History(event)
        elif isinstance(event, Answered | Failed):
            found[event.connection].exchanges.append(event)
        elif isinstance(event, Seen):
            found[event.connection].seen.append(event)
    return list(found.values())


def ended_at(events: Sequence[Event]) -> Ended:
    """The end of the probe; without one, the last event is it."""
    last = events[-1]
    return last if isinstance(last, Ended) else Ended(at_s=getattr(last, "at_s", 0.0))
