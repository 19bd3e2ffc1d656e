"""What is known of a server's idle timeout, and so which kept connections a request may use.

No socket and no clock: events come in, a decision goes out. All times are seconds of idle time as
the client sees it: since the last response. A server that closes a connection after T seconds sends
a FIN that arrives here after T. A request must leave here a round trip earlier than that, or it
arrives at a connection that is closed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from enum import Enum

from keptalive.tuned.events import (
    Announced,
    Ended,
    Event,
    Forgotten,
    Idle,
    Kept,
    Remembered,
    RoundTrip,
)

SAFE_AT_FIRST_S = 0.1  # no server is known to close sooner
SILENT_MOST_S = 55.0  # a path without a sign of life for longer may have forgotten the connection
PATH_REMEMBERS_S = 20.0  # no path is known to forget sooner
NOT_IDLE_S = 0.05  # a connection that ends sooner than this was not closed for being idle
CLOCK_TICK_S = 0.02  # the kernel's times are only as exact as this, two ticks of 100 Hz
VARIES_S = 2.0  # servers that count whole seconds, or look seldom, close later by up to this
STEADY_AFTER = 3  # this many closes at the same time: the server's time does not vary
FORGET_AFTER = 8  # this many connections that were kept longer outweigh one early close
FORGET_AGAIN_AFTER = 64  # the same for closes that came again: one of several servers is different

_TIMEOUT = re.compile(r'(?:^|[,;\s])timeout\s*=\s*"?(\d{1,9})(?![\d.])', re.IGNORECASE)


class Decision(Enum):
    """What a request does with the kept connection that it found."""

    REUSE = "known to be safe"
    TRY = "not known to be safe, but the request may be sent again on a fresh connection"
    FRESH = "replaced by a fresh connection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of one route, an origin or a proxy. Never changed: `after` returns another.

    Attributes:
        announced_s: the ``timeout`` of the last Keep-Alive header; None: there was none.
        kept_s: the server has kept a connection for at least this long; None: unknown.
        closed_s: it has closed a connection after at most this long, the shortest of all times;
            None: it was never seen closing one.
        round_trip_s: the round-trip time, 0 if unknown.
        kept_longer: the numbers of connections that it has kept for longer than ``closed_s`` since.
        early_s: the last ``closed_s``, even if it was outweighed since.
        closes: how often one came at about that time.
        agreeing: how many of these were dated, and came at the same time.
        is_varying: two of these came at different times.
        forgotten_s: the path has forgotten a connection after so long without a packet; None: it
            was never seen forgetting one, or remembers for longer since.
        silent_most_s: no request uses a connection that was without a packet for longer.
    """

    announced_s: float | None = None
    kept_s: float | None = None
    closed_s: float | None = None
    round_trip_s: float = 0.0
    kept_longer: frozenset[int] = frozenset()
    early_s: float | None = None
    closes: int = 0
    agreeing: int = 0
    is_varying: bool = False
    forgotten_s: float | None = None
    silent_most_s: float = SILENT_MOST_S

    def after(self, event: Event) -> Known:
        """What is known after this event."""
        match event:
            case Announced():
                return replace(self, announced_s=event.timeout_s)
            case RoundTrip():
                return replace(self, round_trip_s=event.seconds)
            case Forgotten():
                return self._after_forgotten(event.silent_s)
            case Remembered():
                return self._after_remembered(event.silent_s)
            case Kept():
                return self._after_kept(event.connection, event.idle_s)
            case Ended():
                return self._after_end(event)

    def _after_forgotten(self, silent_s: float) -> Known:
        if silent_s < PATH_REMEMBERS_S:
            return self  # the network was down
        forgotten_s = min(silent_s, math.inf if self.forgotten_s is None else self.forgotten_s)
        silent_most_s = min(silent_s / 2, self.silent_most_s)
        return replace(self, forgotten_s=forgotten_s, silent_most_s=silent_most_s)

    def _after_remembered(self, silent_s: float) -> Known:
        if silent_s <= self.silent_most_s:
            return self
        known = replace(self, silent_most_s=min(silent_s, SILENT_MOST_S))
        is_over = self.forgotten_s is not None and silent_s >= self.forgotten_s
        return replace(known, forgotten_s=None) if is_over else known

    def _after_kept(self, connection: int, idle_s: float) -> Known:
        known = self
        if idle_s > (self.kept_s or 0.0):
            known = replace(self, kept_s=idle_s)
        if not self._is_longer(idle_s) or connection in self.kept_longer:
            return known
        longer = self.kept_longer | {connection}
        if len(longer) < (FORGET_AFTER if self.closes <= 1 else FORGET_AGAIN_AFTER):
            return replace(known, kept_longer=longer)
        # The early close was not an idle timeout: a restart, a request limit, an outage
        return replace(known, closed_s=None, kept_longer=frozenset())

    def _after_end(self, end: Ended) -> Known:
        if end.most_s < NOT_IDLE_S:
            return self
        known = self._after_kept(end.connection, end.least_s)
        if known.closed_s is not None and known._is_longer(end.most_s):  # noqa: SLF001
            return known
        closed_s = min(end.most_s, math.inf if known.closed_s is None else known.closed_s)
        again = known._came_before(end.most_s)  # noqa: SLF001
        before = known if again else replace(known, closes=0, agreeing=0, is_varying=False)
        return replace(
            before._with_date(end),  # noqa: SLF001
            closed_s=closed_s,
            kept_longer=frozenset(),
            early_s=closed_s,
            closes=before.closes + 1,
        )

    def _with_date(self, end: Ended) -> Known:
        exact_s = self._race_s + end.most_s / 50
        if end.most_s - end.least_s > exact_s:
            return self  # it may have come at the same time or at another one
        if self.agreeing and self.early_s is not None:
            is_varying = self.is_varying or abs(end.most_s - self.early_s) > exact_s
        else:
            is_varying = False
        return replace(self, agreeing=self.agreeing + 1, is_varying=is_varying)

    def _came_before(self, closed_s: float) -> bool:
        early_s = self.early_s
        return early_s is not None and abs(closed_s - early_s) <= _varies_s(early_s)

    def _is_longer(self, idle_s: float) -> bool:
        closed_s = self.closed_s
        return closed_s is not None and idle_s > closed_s + _varies_s(closed_s)

    @property
    def is_steady(self) -> bool:
        """Whether the server is known to close after the same time each time."""
        return self.agreeing >= STEADY_AFTER and not self.is_varying

    def _margin_s(self, timeout_s: float) -> float:
        """How much sooner than the end of a connection that was seen a request must leave."""
        varies_s = min(1.0, timeout_s / 4) if self.is_steady else min(VARIES_S, timeout_s / 2)
        return max(varies_s, timeout_s / 10, self._race_s)

    @property
    def _race_s(self) -> float:
        return 2 * self.round_trip_s + 2 * CLOCK_TICK_S

    def safe_s(self, announced_s: float | None) -> float:
        """The idle time up to which no request can meet the end of a connection.

        Args:
            announced_s: what this connection's last Keep-Alive header said.
        """
        if announced_s is not None:
            safe_s = announced_s - max(1.0, announced_s / 10, self._race_s)
        else:
            kept_s = self.kept_s or 0.0
            safe_s = max(kept_s - self._margin_s(kept_s), SAFE_AT_FIRST_S)
        if self.closed_s is not None:
            safe_s = min(safe_s, self.closed_s - self._margin_s(self.closed_s))
        return max(safe_s, 0.0)

    def is_exact(self) -> bool:
        """Whether the server's timeout is known so well that another close would teach nothing."""
        closed_s = self.closed_s
        if closed_s is None or not (self.is_steady or closed_s >= 10 * VARIES_S):
            return False
        return (self.kept_s or 0.0) >= closed_s - self._margin_s(closed_s)

    def probes_aside(self) -> bool:
        """Whether TCP keepalive goes on for a connection that is set aside.

        It shows that the path is there; but when a server is known to close, the FIN can be dated
        exactly if nothing else comes.
        """
        return self.closed_s is None

    def is_closing(self, idle: Idle) -> bool:
        """Whether the server closes a connection at this time, as far as is known."""
        closed_s = self.closed_s
        if closed_s is None or (self.kept_s or 0.0) < closed_s - self._margin_s(closed_s):
            return False
        return idle.most_s >= closed_s - self._race_s and idle.least_s <= closed_s


def _varies_s(timeout_s: float) -> float:
    """Ends that are no further apart are taken for the same server's idle timeout."""
    return max(min(VARIES_S, timeout_s), timeout_s / 10)


def decide(
    known: Known, idle: Idle, *, silent_s: float, announced_s: float | None, repeatable: bool
) -> Decision:
    """What a request does with a connection that is open after this idle time.

    Args:
        known: of its route.
        idle: for how long it was idle.
        silent_s: seconds since the last sign of life from the other side.
        announced_s: what this connection's last Keep-Alive header said; None: nothing.
        repeatable: whether the request may be sent twice, and would be.
    """
    if is_refused(announced_s) or silent_s > known.silent_most_s:
        return Decision.FRESH
    if idle.most_s <= known.safe_s(announced_s):
        return Decision.REUSE
    if not repeatable or known.is_closing(idle):
        return Decision.FRESH
    return Decision.TRY


def is_refused(announced_s: float | None) -> bool:
    """Whether ``timeout=`` this says that a connection should not be used again."""
    return announced_s is not None and announced_s <= 1


def announced_timeout_s(keep_alive: str) -> float | None:
    """The ``timeout`` of a Keep-Alive header (RFC 2068, 19.7.1.1); None without a valid one."""
    found = _TIMEOUT.search(keep_alive)
    return float(found[1]) if found else None
