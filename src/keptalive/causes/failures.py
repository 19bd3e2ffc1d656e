"""Requests that failed on kept connections: was the server closing it, or the path gone?

The keep-alive race: the server closes a connection that it has kept for long enough, and a request
is on its way to it. The client sees an end or a reset instead of a response; a new connection
never fails so. One such failure after a long idle time is enough, since a server that is in good
order has no other reason to end a connection without a word.

A path that forgets: what the client sends after a long idle time goes nowhere, and the request
waits for its timeout. A slow server looks the same, so that either the system must have seen that
nothing was acknowledged, or it must be the pattern of the route: all that was idle for so long
failed, and all that was idle for less, or new, was answered.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from keptalive.causes.patterns import (
    JITTER_S,
    SHORTEST_IDLE_S,
    Pattern,
    is_announced,
)
from keptalive.records.connection import CloseReason, Connection, ConnectionEnd

# What a client sees of a connection that the other end closes (errors of http.client, TLS, Python)
CLOSED_UNDER_IT = frozenset(
    {
        *("RemoteDisconnected", "ConnectionResetError", "BrokenPipeError"),
        *("ConnectionAbortedError", "SSLEOFError", "SSLZeroReturnError"),
    }
)
FIRST_ERROR = 400  # RFC 9110, section 15: from here on, statuses are errors
TIMEOUTS = frozenset({"TimeoutError", "ReadTimeoutError", "ConnectTimeoutError", "ETIMEDOUT"})
FEWEST_ALIKE = 2  # one alone may be the fault of a slow server, or of the request
# So many failures on kept connections outweigh one that cannot be explained like them
OUTWEIGH = 10


@dataclass(frozen=True, slots=True)
class Failure:
    """A connection that ended under a request, before the head of a response had come."""

    connection: Connection
    end: ConnectionEnd
    next_one: Connection | None = None

    @property
    def was_kept(self) -> bool:
        """Whether the connection had served before."""
        return self.connection.served > 0 or self.connection.attempted_s is None

    @property
    def is_closed_under_it(self) -> bool:
        """Whether it looks as if the server had closed it."""
        return self.end.beneath in CLOSED_UNDER_IT and self.end.acknowledged is not False

    @property
    def is_unanswered(self) -> bool:
        """Whether it looks as if nobody was there, or too slow."""
        return self.end.beneath in TIMEOUTS or self.end.acknowledged is False

    @property
    def was_idle(self) -> bool:
        """Whether it had been unused for long enough to show anything."""
        return self.idle_s >= SHORTEST_IDLE_S

    @property
    def idle_s(self) -> float:
        """How long it had been unused; 0 where that was not seen."""
        return self.end.idle_s or 0.0

    @property
    def was_answered_later(self) -> bool:
        """Whether the same request was answered on the next connection."""
        return bool(self.end.sent_again and self.next_one is not None and self.next_one.served)


def with_failures(pattern: Pattern, connections: Sequence[Connection]) -> Pattern:
    """The pattern of these connections of one route, with what their failures show together."""
    failures = failures_of(connections)
    fresh = [one for one in failures if not one.was_kept]
    stale, fresh_failed = _stale(pattern, failures)
    unseen = [one for one in failures if one.was_kept and one.end.acknowledged is False]
    outage = _outages(unseen, connections)
    proven = {one.connection.id for one in unseen if one.was_idle} - outage
    timeouts = [one for one in failures if one.was_kept and one.is_unanswered]
    suspected = {
        one.connection.id
        for one in timeouts
        if one.was_idle and one.idle_s > pattern.longest_survived_s + JITTER_S
    }
    contradict = sum(one.connection.id not in suspected | proven for one in timeouts)
    contradict += sum(one.is_unanswered for one in fresh)
    answered = sum(one.served > 0 for one in connections)
    found = len(suspected | proven)
    is_pattern = min(found, answered) >= FEWEST_ALIKE and contradict * OUTWEIGH <= found
    return replace(
        pattern,
        stale=frozenset(stale),
        dropped=frozenset(suspected | proven if is_pattern else proven),
        proven=frozenset(proven),
        fresh_failed=fresh_failed,
    )


def failures_of(connections: Sequence[Connection]) -> list[Failure]:
    """Those of these connections that ended under a request which had no response."""
    next_ones: dict[int, Connection] = {}
    for one in connections:  # of several, the last one has connected
        if one.replaces is not None:
            next_ones[one.replaces] = one
    return [
        Failure(one, one.end, next_ones.get(one.id))
        for one in connections
        if one.end is not None and one.end.how is CloseReason.FAILED and one.end.lost_s is not None
    ]


def _stale(pattern: Pattern, failures: Sequence[Failure]) -> tuple[set[int], int]:
    """Those that the server was closing, and how many new connections failed in the same way."""
    closed = [one for one in failures if one.is_closed_under_it]
    kept = [one for one in closed if one.was_kept]
    fresh_failed = len(closed) - len(kept)
    if fresh_failed * OUTWEIGH > len(kept):
        return set(), fresh_failed  # a server that closes anything
    stale = {one.connection.id for one in kept if _was_closing(one, pattern)}
    rest = [one for one in kept if one.connection.id not in stale]
    if len(rest) >= FEWEST_ALIKE and (_as_idle_as_any(rest, pattern) or _at_a_limit(rest, pattern)):
        stale |= {one.connection.id for one in rest}
    return stale, fresh_failed


def _was_closing(one: Failure, pattern: Pattern) -> bool:
    """Whether the server closed it for being idle, or at least not because of the request."""
    if is_announced(one.end) or one.was_answered_later:
        return True
    outlasts = one.idle_s > pattern.longest_survived_s + JITTER_S
    return one.was_idle and (outlasts or pattern.servers_differ)


def _as_idle_as_any(failures: Sequence[Failure], pattern: Pattern) -> bool:
    """Whether they were idle for as long as any that survived: the server's time lies there."""
    return all(
        one.was_idle and one.idle_s > pattern.longest_survived_s - JITTER_S for one in failures
    )


def _at_a_limit(failures: Sequence[Failure], pattern: Pattern) -> bool:
    """Whether all had served the same number of responses, and nothing more."""
    served = {one.connection.served for one in failures}
    return len(served) == 1 and max(served) >= pattern.most_served


def _outages(failures: Sequence[Failure], connections: Sequence[Connection]) -> set[int]:
    """Ids of those after which the next attempt of the process failed too: nothing was in reach."""
    if not failures:
        return set()
    attempts: dict[int, list[Connection]] = {}
    for one in connections:
        if one.attempted_s is not None:
            attempts.setdefault(one.process, []).append(one)
    for several in attempts.values():
        several.sort(key=_attempted_s)
    found = set()
    for failure in failures:
        one = failure.connection
        several = attempts.get(one.process, [])
        after = bisect_left(several, one.ended_s or 0.0, key=_attempted_s)
        following = several[after] if after < len(several) else None
        if following is not None and not following.served and following.end is not None:
            found.add(one.id)
    return found


def _attempted_s(one: Connection) -> float:
    return one.attempted_s or 0.0
