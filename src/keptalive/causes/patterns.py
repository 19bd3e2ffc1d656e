"""What all connections of a route show together, over all processes: idle times and limits.

A server's idle timeout and its request limit are not seen but inferred. Idle: a connection died
unused after a longer time than any that one survived, or than the server announces. If it died
sooner than *another* one survived, several servers answer under this name, and each has its own
time. A limit: connections ended after the same number of responses, and not for being idle.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from keptalive.records.connection import CloseReason, Connection, ConnectionEnd
from keptalive.records.counts import HostCounts

# An idle time below this shows nothing: a server that closes after each response looks the same
SHORTEST_IDLE_S = 0.5
SHORTEST_SURVIVED_S = 0.1  # surviving less shows nothing about the server
JITTER_S = 0.1  # two waits of the same length differ by less
ORDERLY = (CloseReason.FIN, CloseReason.TLS_CLOSE)  # the server closed it
CLOSED_BY_SERVER = (*ORDERLY, CloseReason.RST, CloseReason.TIMEOUT_408)
_TIMEOUT = re.compile(r"timeout\s*=\s*(\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """What all connections of one route show together.

    Attributes:
        survived_s: idle times after which a connection still served: the longest of each
            connection and process, ascending.
        request_limit: after how many responses the server closes; None where none shows.
        servers_differ: a connection died idle sooner than another one survived.
        most_at_once: the most requests in flight at once in one process.
        closed_after_s: the shortest idle time after which the server had closed one; None where
            that was never seen.
        most_served: the most responses on one connection.
        stale, dropped, proven: ids of connections that ended under a request because the server
            was closing them, or because the path had forgotten them, and those of the latter for
            which the system has proof: see `failures`.
        fresh_failed: new connections that failed as stale ones do.
    """

    survived_s: tuple[float, ...] = ()
    request_limit: int | None = None
    servers_differ: bool = False
    most_at_once: int = 0
    closed_after_s: float | None = None
    most_served: int = 0
    stale: frozenset[int] = frozenset()
    dropped: frozenset[int] = frozenset()
    proven: frozenset[int] = frozenset()
    fresh_failed: int = 0

    @property
    def longest_survived_s(self) -> float:
        """The longest idle time after which a connection still served."""
        return self.survived_s[-1] if self.survived_s else 0.0

    def survived_below_s(self, limit_s: float) -> float:
        """The longest idle time below this one after which a connection still served, or 0."""
        below = bisect_left(self.survived_s, limit_s)
        return self.survived_s[below - 1] if below else 0.0

    def cause_of_close(self, connection: Connection, end: ConnectionEnd) -> str:
        """Why the server closed this connection in good order: the name of a cause."""
        if connection.served == self.request_limit:
            return "request-limit"
        too_long = _outlasts(end, self.longest_survived_s)
        return "idle-timeout" if too_long or self._differs_for(end) else "server-closed"

    def cause_of_failure(self, connection: Connection) -> str:
        """Why a request failed on this connection: the name of a cause."""
        if connection.id in self.stale:
            return "stale-connection"
        return "silent-drop" if connection.id in self.dropped else "failed-request"

    def _differs_for(self, end: ConnectionEnd) -> bool:
        return self.servers_differ and (end.idle_s or 0.0) >= SHORTEST_IDLE_S


def pattern_of(connections: Sequence[Connection], counts: Iterable[HostCounts]) -> Pattern:
    """What the connections of one route show, and the counts that each process has of it."""
    counts = list(counts)
    survived = [connection.longest_idle_s for connection in connections]
    survived += [count.longest_survived_s for count in counts]
    survived_s = tuple(sorted({idle_s for idle_s in survived if idle_s > 0}))
    closed = [(one, one.end) for one in connections if one.end and one.end.how in ORDERLY]
    served = [one.served for one in connections] + [count.most_served for count in counts]
    limit = _request_limit(closed, max(served, default=0))
    longest_s = survived_s[-1] if survived_s else 0.0
    return Pattern(
        survived_s=survived_s,
        request_limit=limit,
        servers_differ=any(
            one.served != limit and SHORTEST_IDLE_S <= (end.idle_s or 0.0) < longest_s - JITTER_S
            for one, end in closed
            if not _survived_as_long(one, end)
        ),
        most_at_once=max((count.most_at_once or 0 for count in counts), default=0),
        closed_after_s=min(filter(None, map(_closed_idle_s, connections)), default=None),
        most_served=max(served, default=0),
    )


def _closed_idle_s(connection: Connection) -> float | None:
    """How long this one had been idle when the server closed it; less than that shows nothing."""
    end = connection.end
    if end is None or end.how not in CLOSED_BY_SERVER or (end.idle_s or 0.0) < SHORTEST_IDLE_S:
        return None
    return end.idle_s


def announced_timeout_s(ends: Iterable[ConnectionEnd]) -> float | None:
    """What ``Keep-Alive: timeout=`` announced, the least of them; None where nothing did."""
    found = (_TIMEOUT.search(end.keep_alive or "") for end in ends)
    return min((float(match[1]) for match in found if match), default=None)


def safe_max_idle_s(died_s: float, survived_s: float, announced_s: float | None) -> float | None:
    """A ``max_idle`` below the time at which connections die, and above what they survive.

    None if it is only known that the time is ``died_s`` at most.
    """
    limit_s = died_s if announced_s is None else min(died_s, announced_s)
    wished_s = 0.9 * (announced_s or 0.0)
    if limit_s <= 0 or max(survived_s, wished_s) < SHORTEST_SURVIVED_S:
        return None
    return _between(survived_s if survived_s < limit_s else 0.0, limit_s, wished_s)


def _between(survived_s: float, limit_s: float, wished_s: float) -> float:
    """A little above what survived, so that waits of that length keep their connection."""
    wanted = max(survived_s + min(0.05 * survived_s, (limit_s - survived_s) / 4), wished_s)
    if not survived_s < wanted < limit_s:
        wanted = (survived_s + limit_s) / 2
    for digits in (2, 3, 4):
        unit = 10.0 ** (math.floor(math.log10(wanted)) + 1 - digits)
        rounded = float(f"{round(wanted / unit) * unit:.{digits}g}")
        if survived_s < rounded < limit_s:
            return rounded
    return wanted


def _request_limit(
    closed: Sequence[tuple[Connection, ConnectionEnd]], most_served: int
) -> int | None:
    """The number of responses after which the server closes, if it recurs and nothing exceeds it.

    Only ends that cannot be due to their idle time show it.
    """
    served = [
        one.served
        for one, end in closed
        if end.idle_s is not None
        and one.attempted_s is not None  # else it had served before
        and not is_announced(end)
        and (end.idle_s < SHORTEST_IDLE_S or _survived_as_long(one, end))
    ]
    limit, times = max(Counter(served).items(), default=(0, 0))
    constant = times >= 2 and times == len(served) and limit >= most_served
    return limit if constant else None


def _survived_as_long(connection: Connection, end: ConnectionEnd) -> bool:
    """Whether this very connection had been idle for as long before, and still served."""
    return (end.idle_s or 0.0) <= connection.longest_idle_s + JITTER_S


def _outlasts(end: ConnectionEnd, longest_survived_s: float) -> bool:
    idle_s = end.idle_s or 0.0
    if is_announced(end):
        return True
    return idle_s >= SHORTEST_IDLE_S and idle_s > longest_survived_s + JITTER_S


def is_announced(end: ConnectionEnd) -> bool:
    """Whether it had been idle for as long as the server keeps connections, by its own word."""
    announced_s = announced_timeout_s([end])
    return announced_s is not None and (end.idle_s or 0.0) >= announced_s - JITTER_S
