"""What a debug log alone can tell: counts of each host, and sets of causes where several remain.

The counting rule is that of `analysis.ledger`, for each host, on lanes: a "Starting" or "Resetting"
line is an attempt, and an opened connection once a request line of its host follows on its lane.
A call that failed without another try has no line of its own: where it had to open a connection
first, that is counted as a request without an answer; where it had a kept one, no log tells of it.

Memory is bounded: only the lanes of late are remembered, and a great many hosts count as one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from keptalive.causes.log_sets import (
    BUSY,
    DROPPED,
    FIRST,
    FIRST_HERE,
    FIRSTS,
    NEW,
    NEW_POOL,
    NEW_POOL_OR_RUN,
    RETRY,
    SETS,
)
from keptalive.causes.reporting import SCHEMA
from keptalive.logs.host import Host, row
from keptalive.records.pool_events import Answered, PoolEvent, Resetting, Retrying, Starting

HOSTS_KEPT = 10_000
_LANES_KEPT = 4096  # of late; twice as many at most
_PROCESSES_KEPT = 64  # of a host
_AT_ONCE_KEPT = 64  # openings at once on a lane whose threads are not told apart
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OF_NEW_POOLS = (*FIRSTS, NEW_POOL, NEW_POOL_OR_RUN)
CANNOT = "A log cannot tell which of several causes it was: keptalive run PROGRAM finds it."


@dataclass(slots=True, kw_only=True)
class _Opening:
    """A connection that a lane has begun to open."""

    bare: str
    host: Host | None  # a "Resetting" line does not name the port
    kind: str
    ordinal: int = 0
    at_s: float | None = None


@dataclass(slots=True)
class _Lane:
    """What one thread is at, or several that the log does not tell apart."""

    openings: list[_Opening] = field(default_factory=list)
    retries: int = 0  # tries that failed since the last answer
    again: bool = False  # the next answer is to a request that has been counted
    redirected: bool = False
    failed: _Opening | None = None  # the last opening of which nothing came
    last: Host | None = None


class LogLedger:
    """Reads the events of a log, in its order; `report` says what they amount to."""

    def __init__(self) -> None:
        self._hosts: dict[tuple[str, str, int], Host] = {}
        self._bare: dict[str, Host] = {}  # the last host of this name, of whatever port
        self._beyond = Host("", "")
        self._lanes: dict[int, _Lane] = {}
        self._older: dict[int, _Lane] = {}
        self._mixed = 0

    def record(
        self,
        event: PoolEvent,
        at_s: float | None = None,
        *,
        process: int | None = None,
        told: bool = True,
    ) -> None:
        """Take one event into account.

        Args:
            event: its thread is a lane of the log.
            at_s: its line's time, if it has one.
            process: that of its line, if it says so.
            told: its lane is known to be one thread's.
        """
        lane = self._lanes.get(event.thread) or self._lane(event.thread)
        if isinstance(event, Answered):
            self._answered(lane, event, at_s, process, told)
        elif isinstance(event, Starting):
            self._starting(lane, event, process, told)
        elif isinstance(event, Resetting):
            if told:
                self._give_up(lane)
            kind = RETRY if lane.retries else DROPPED
            self._open(lane, _Opening(bare=event.host, host=None, kind=kind, at_s=at_s))
        elif isinstance(event, Retrying):
            lane.retries += 1
            lane.failed = lane.openings.pop() if lane.openings else None
        else:
            lane.again = True

    def discarding(self, thread: int, host: str) -> None:
        """urllib3 logged "Connection pool is full, discarding connection" on this lane."""
        lane = self._lane(thread)
        of = lane.last if lane.last and lane.last.bare == host else self._bare.get(host)
        if of is not None:
            of.discarded += 1

    def _lane(self, number: int) -> _Lane:
        lane = self._lanes.get(number)
        if lane is None:
            lane = self._older.pop(number, None) or _Lane()
            if len(self._lanes) >= _LANES_KEPT:
                for left in self._older.values():
                    self._give_up(left)
                self._lanes, self._older = {}, self._lanes
            self._lanes[number] = lane
        return lane

    def _host(self, scheme: str, bare: str, port: int) -> Host:
        host = self._hosts.get((scheme, bare, port))
        if host is None:
            if len(self._hosts) >= HOSTS_KEPT:
                return self._beyond
            bracketed = f"[{bare}]" if ":" in bare else bare
            host = Host(f"{scheme}://{bracketed}:{port}", bare)
            self._hosts[scheme, bare, port] = self._bare[bare] = host
        return host

    # Openings

    def _starting(self, lane: _Lane, event: Starting, process: int | None, told: bool) -> None:
        last = lane.openings[-1] if lane.openings else None
        if last and last.host is None and last.bare == event.host and event.scheme == "https":
            return  # urllib3 1.x: a dropped tunnel's second line
        if told:
            self._give_up(lane)
        host = self._host(event.scheme, event.host, event.port)
        kind = self._kind(lane, host, event.ordinal, process)
        opening = _Opening(bare=event.host, host=host, kind=kind, ordinal=event.ordinal or 0)
        self._open(lane, opening)

    def _open(self, lane: _Lane, opening: _Opening) -> None:
        if len(lane.openings) >= _AT_ONCE_KEPT:
            self._none_came(lane, lane.openings.pop(0))
        lane.openings.append(opening)

    def _kind(self, lane: _Lane, host: Host, ordinal: int | None, process: int | None) -> str:
        failed, lane.failed = lane.failed, None
        begins = ordinal is None or ordinal == 1
        is_new_to = process is not None and process not in host.processes
        if begins and process is not None and len(host.processes) < _PROCESSES_KEPT:
            host.processes.add(process)
        # two threads that begin at once may log in the other order: then (2) comes before (1)
        if begins and (not host.claimed or (is_new_to and process in host.processes)):
            host.claimed = True
            return FIRST_HERE if lane.redirected else FIRST
        if (
            failed is not None
            and failed.host is host
            and failed.kind in _OF_NEW_POOLS
            and ordinal in (1, failed.ordinal + 1)
        ):
            return failed.kind  # of that new pool nothing had come yet
        if lane.retries:
            return RETRY
        if ordinal is None:
            return NEW
        if ordinal > 1:
            return BUSY
        return NEW_POOL if process in host.processes else NEW_POOL_OR_RUN

    def _give_up(self, lane: _Lane) -> None:
        """What this lane was opening had no answer: it does something else now."""
        for opening in lane.openings:
            self._none_came(lane, opening)
        lane.openings.clear()

    def _none_came(self, lane: _Lane, opening: _Opening) -> None:
        lane.failed = opening
        host = opening.host or self._bare.get(opening.bare)
        if host is not None:
            host.unanswered += 1
            host.attempts += 1 + lane.retries
            host.requests += not lane.again
        lane.retries, lane.again = 0, False

    # Answers

    def _answered(
        self, lane: _Lane, event: Answered, at_s: float | None, process: int | None, told: bool
    ) -> None:
        host = self._host(event.scheme, event.host, event.port)
        opening = self._taken(lane, host, told) if lane.openings else None
        host.attempts += 1 + lane.retries
        host.requests += not lane.again
        lane.retries, lane.again, lane.failed = 0, False, None
        lane.redirected = event.status in _REDIRECTS
        lane.last = host
        if opening is None:
            if process is not None and len(host.processes) < _PROCESSES_KEPT:
                host.processes.add(process)
            host.is_reused(at_s)
        else:
            again = opening.host is None
            host.is_opened(opening.kind, again=again, begun_s=opening.at_s)
        if at_s is not None:
            host.last_s = at_s

    def _taken(self, lane: _Lane, host: Host, told: bool) -> _Opening | None:
        """The opening that this answer is to; on a thread any other has failed by now."""
        fitting = [
            opening
            for opening in lane.openings
            if opening.host is host or (opening.host is None and opening.bare == host.bare)
        ]
        if fitting:
            lane.openings.remove(fitting[0])
            self._mixed += len(fitting) > 1
        if told:
            self._give_up(lane)
        return fitting[0] if fitting else None

    # The report

    @property
    def answers(self) -> int:
        """How many answers there were so far."""
        return sum(host.opened + host.reused for host in (*self._hosts.values(), self._beyond))

    def totals(self) -> tuple[int, int]:
        """How many requests there were so far, and how many connections were opened."""
        hosts = (*self._hosts.values(), self._beyond)
        return sum(host.requests for host in hosts), sum(host.opened for host in hosts)

    def report(self, *, warnings: list[str]) -> dict[str, Any]:
        """The report, in the shape of `analysis.reporting`, once the log is over.

        Times of opening are not in a log.
        """
        for lane in (*self._lanes.values(), *self._older.values()):
            self._give_up(lane)
        hosts = [row(host) for host in self._hosts.values() if host.attempts]
        hosts.sort(key=lambda row: (-row["opened"], -row["requests"], row["host"]))
        kinds = {kind for host in self._hosts.values() for kind in host.causes}
        return {
            "schema": SCHEMA,
            "source": "log",
            "seconds": None,
            "hosts": hosts,
            "left_open": None,
            "left_at": [],
            "warnings": [*warnings, *self._doubts(), *[CANNOT] * (not kinds.isdisjoint(SETS))],
        }

    def _doubts(self) -> list[str]:
        doubts = []
        unanswered = sum(host.unanswered for host in self._hosts.values())
        if unanswered:
            doubts.append(f"Attempts to open a connection that had no answer: {unanswered}.")
        if self._mixed:
            doubts.append(
                f"Connections opened while others were: {self._mixed}. The log does not tell "
                "threads apart, so some may have failed. Next: %(threadName)s in its format."
            )
        if self._beyond.attempts:
            doubts.append(
                f"Hosts beyond the first {HOSTS_KEPT} are left out: {self._beyond.requests} "
                f"requests, {self._beyond.opened} connections opened."
            )
        return doubts
