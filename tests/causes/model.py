"""A small model of threads, Sessions and pools, which keep and lose connections as urllib3 does.

It knows what happened, and records what a watch would: the judge is checked against it. One route,
one process; a pool's queue is last in, first out, and full of empty places at first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.causes.records import HOST, OPENING_S, STARTED_NS

from keptalive.records.connection import (
    CloseReason,
    Connection,
    ConnectionEnd,
    OpeningFacts,
)
from keptalive.records.counts import HostCounts
from keptalive.records.process import ProcessRecord

STEP_S = 0.01


@dataclass(eq=False)
class Socket:
    """One connection of the model.

    Attributes:
        died: how its socket will be found when it is wanted again.
        pool: that it goes back to.
        truth: what else, beside the judge's own rules, may have made it necessary.
    """

    id: int
    flow: int
    facts: OpeningFacts
    attempted_s: float
    pool: Pool
    replaces: Socket | None
    truth: set[str]
    connected: bool = True
    served: int = 0
    idle_since_s: float = 0.0
    longest_idle_s: float = 0.0
    died: CloseReason | None = None
    end: ConnectionEnd | None = None
    ended_s: float | None = None

    def record(self, process: int) -> Connection:
        """As a watch would record it."""
        return Connection(
            id=self.id,
            process=process,
            thread=self.flow,
            host=HOST,
            attempted_s=self.attempted_s,
            connected_s=self.attempted_s if self.connected else None,
            ended_s=self.ended_s,
            phases={"connect": OPENING_S},
            served=self.served,
            longest_idle_s=self.longest_idle_s,
            end=self.end,
            replaces=self.replaces.id if self.replaces else None,
            facts=self.facts,
        )


@dataclass(eq=False)
class Pool:
    """A Session's pool; an item of its queue is a connection, or the place of one that is gone.

    Attributes:
        discarded: connections that found no room, and that no opening has replaced yet.
    """

    queue: list[Socket | None]
    size: int
    lost: dict[int, Socket] = field(default_factory=dict)
    discarded: int = 0
    is_open: bool = True


@dataclass(eq=False)
class Session:
    """Whoever keeps a pool of the route, if it was made already."""

    owner: int
    size: int
    pool: Pool | None = None
    closings: int = 0


class Program:
    """One process: each method is something that a thread does, or a server; what makes no sense
    at that moment does nothing.
    """

    def __init__(self, sessions: Iterable[int], number: int = 1) -> None:
        self.number = number
        self.now_s = 0.0
        self.owners = itertools.count(1)
        self.sessions = [Session(next(self.owners), size) for size in sessions]
        self.sockets: list[Socket] = []
        self.in_flight: dict[int, Socket] = {}
        self.held: dict[int, list[Socket]] = {}
        self.retries: set[int] = set()
        self.most_at_once = self.starts = self.failures = self.pools_made = 0
        self.left_unread = self.discards = self.watched_from = 0
        self.served_before: dict[int, int] = {}
        self.longest_survived_s = 0.0

    def begin_watch(self) -> None:
        """Somebody begins to watch, when no request is in flight; what was before is not seen."""
        for flow in list(self.in_flight):
            self.finish(flow)
        for pool in (owner.pool for owner in self.sessions if owner.pool is not None):
            pool.lost = {id_: one for id_, one in pool.lost.items() if one.connected}
        self.watched_from = len(self.sockets)
        self.served_before = {socket.id: socket.served for socket in self.sockets}
        self.most_at_once = self.starts = self.failures = 0
        self.longest_survived_s = 0.0

    # -- what threads do

    def start(self, flow: int, session: int) -> None:
        """A request takes a connection."""
        if flow in self.in_flight:
            return
        self.now_s += STEP_S
        owner = self.sessions[session % len(self.sessions)]
        self.starts += 1
        is_new = owner.pool is None
        if owner.pool is None:
            owner.pool = Pool([None] * owner.size, owner.size)
            self.pools_made += 1
        taken = owner.pool.queue.pop() if owner.pool.queue else None
        if taken is not None and taken.died is None and taken.end is None:
            idle_s = self.now_s - taken.idle_since_s
            taken.longest_idle_s = max(taken.longest_idle_s, idle_s)
            self.longest_survived_s = max(self.longest_survived_s, idle_s)
            self.in_flight[flow] = taken
            self.most_at_once = max(self.most_at_once, len(self.in_flight))
        else:
            self._open(flow, owner, owner.pool, taken, is_new=is_new)
        self.retries.discard(flow)

    def _open(
        self, flow: int, owner: Session, pool: Pool, taken: Socket | None, *, is_new: bool
    ) -> None:
        if taken is not None and taken.end is None:
            self._end(taken, taken.died or CloseReason.UNKNOWN)
        before = taken or (pool.lost.popitem()[1] if pool.lost else None)
        held = sum(one.pool is pool for several in self.held.values() for one in several)
        most = max(self.most_at_once, len(self.in_flight) + 1)
        facts = OpeningFacts(
            owner=owner.owner,
            pool_is_new=is_new,
            closings=owner.closings,
            most_at_once=most,
            unread=held,
            retry=flow in self.retries,
            reconnect=taken is not None,
            pool_discarded=pool.discarded > 0,
            pool_size=pool.size,
        )
        truth = {
            *({"new-session", "session-closed"} if self.pools_made > 1 else ()),
            *({"unread-body"} if held or self.left_unread else ()),
            *({"pool-too-small"} if self.discards else ()),
            *({"retry"} if facts.retry else ()),
        }
        if before is None and pool.discarded:
            pool.discarded -= 1
        socket = Socket(len(self.sockets) + 1, flow, facts, self.now_s, pool, before, truth)
        self.sockets.append(socket)
        self.in_flight[flow] = socket
        self.most_at_once = most

    def finish(self, flow: int) -> None:
        """The response comes and is read."""
        if socket := self._answered(flow):
            self._put(socket)

    def finish_last(self, flow: int) -> None:
        """The response comes, is read, and says ``Connection: close``."""
        if socket := self._answered(flow):
            self._end(socket, CloseReason.CLOSE_ANNOUNCED)
            self._put(socket)

    def hold(self, flow: int) -> None:
        """The head of the response comes; the program does not read on."""
        if socket := self._answered(flow):
            self.held.setdefault(flow, []).append(socket)
            self.left_unread += 1

    def _answered(self, flow: int) -> Socket | None:
        socket = self.in_flight.pop(flow, None)
        if socket is not None:
            self.now_s += STEP_S
            socket.served += 1
        return socket

    def fail(self, flow: int, *, connected: bool = True) -> None:
        """The request ends in an error; the next one of this thread is a retry."""
        socket = self.in_flight.pop(flow, None)
        if socket is None:
            return
        self.now_s += STEP_S
        self.failures += 1
        socket.connected = connected or socket.served > 0
        self._end(socket, CloseReason.FAILED)
        socket.pool.lost[socket.id] = socket
        if socket.pool.is_open and len(socket.pool.queue) < socket.pool.size:
            socket.pool.queue.append(None)
        self.retries.add(flow)

    def refuse(self, flow: int) -> None:
        """The attempt to connect fails, where there is one."""
        self.fail(flow, connected=False)

    def read_held(self, flow: int) -> None:
        """A response that was held is read."""
        if self.held.get(flow):
            self._put(self.held[flow].pop())

    def close_held(self, flow: int) -> None:
        """A response that was held is closed."""
        if self.held.get(flow):
            socket = self.held[flow].pop()
            self._end(socket, CloseReason.CLOSED_UNREAD)
            self._put(socket)

    def drop_held(self, flow: int) -> None:
        """A response that was held is collected: its connection never comes back."""
        if self.held.get(flow):
            socket = self.held[flow].pop()
            self._end(socket, CloseReason.NEVER_READ)
            socket.pool.lost[socket.id] = socket

    def close(self, session: int) -> None:
        """The Session is closed; it may be used again."""
        owner = self.sessions[session % len(self.sessions)]
        owner.closings += 1
        self._close_pool(owner)

    def renew(self, session: int) -> None:
        """The program makes a new Session instead of this one."""
        number = session % len(self.sessions)
        self._close_pool(self.sessions[number])
        self.sessions[number] = Session(next(self.owners), self.sessions[number].size)

    def _close_pool(self, owner: Session) -> None:
        if owner.pool is not None:
            owner.pool.is_open = False
            for socket in owner.pool.queue:
                if socket is not None and socket.end is None:
                    self._end(socket, CloseReason.POOL_CLOSED)
            owner.pool = None

    # -- what else happens

    def die(self, session: int, how: CloseReason) -> None:
        """All idle connections of a Session are closed by the server."""
        pool = self.sessions[session % len(self.sessions)].pool
        for socket in pool.queue if pool is not None else ():
            if socket is not None and socket.end is None and socket.died is None:
                socket.died = how

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now_s += seconds

    def _put(self, socket: Socket) -> None:
        pool = socket.pool
        if not pool.is_open or len(pool.queue) >= pool.size:
            if pool.is_open:
                pool.discarded += 1
                self.discards += 1
            if socket.end is None:
                how = CloseReason.DISCARDED if pool.is_open else CloseReason.POOL_CLOSED
                self._end(socket, how)
            return
        socket.idle_since_s = self.now_s
        pool.queue.append(socket)

    def _end(self, socket: Socket, how: CloseReason) -> None:
        idle_s = self.now_s - socket.idle_since_s if socket.died is not None else None
        error = "ReadTimeout" if how is CloseReason.FAILED else None
        socket.end, socket.ended_s = ConnectionEnd(how=how, idle_s=idle_s, error=error), self.now_s

    # -- what a watch would say

    @property
    def opened(self) -> list[Socket]:
        """What was opened while somebody watched."""
        return self.sockets[self.watched_from :]

    @property
    def perfect(self) -> int:
        """What perfect reuse would have opened."""
        opened = sum(socket.served > 0 for socket in self.opened)
        return min(opened, max(1, self.most_at_once))

    def record(self) -> ProcessRecord:
        """The record of this process as it stands now."""
        for socket in (one for held in self.held.values() for one in held):
            if socket.end is None:
                self._end(socket, CloseReason.NEVER_READ)
        before = {one.replaces.id: one.replaces for one in self.opened if one.replaces is not None}
        older = [
            replace(
                socket.record(self.number),
                attempted_s=None,
                connected_s=None,
                served=0,
                replaces=None,
                facts=OpeningFacts(),
                phases={},
            )
            for socket in before.values()
            if socket.id <= self.watched_from
        ]
        connections = (*older, *(socket.record(self.number) for socket in self.opened))
        return ProcessRecord(
            process=self.number,
            started_ns=STARTED_NS,
            seconds=self.now_s,
            hosts=(self._counts(),) if self.starts else (),
            connections=connections,
        )

    def _counts(self) -> HostCounts:
        answered = [socket for socket in self.opened if socket.served]
        silent = [socket for socket in self.opened if socket.connected and not socket.served]
        responses = sum(one.served - self.served_before.get(one.id, 0) for one in self.sockets)
        values: dict[str, Any] = {
            "requests": self.starts,
            "connects": len(self.opened),
            "opened": len(answered),
            "opened_unanswered": len(silent),
            "reused": responses - len(answered),
            "unanswered": self.failures,
            "in_flight": len(self.in_flight),
            "most_at_once": self.most_at_once,
            "seconds_opening": OPENING_S * len(self.opened),
            "longest_survived_s": self.longest_survived_s,
            "most_served": max((socket.served for socket in self.opened), default=0),
        }
        return HostCounts(host=HOST, **values)
