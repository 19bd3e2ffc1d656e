"""What is remembered of owners, pools and connections while somebody watches.

Nothing here refers to an object of urllib3's but weakly, or for the length of a call: it closes
sockets when their owners are collected, which must happen when it would without us.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

from urllib3.connectionpool import HTTPConnectionPool

from keptalive.records.connection import CloseReason, ConnectionEnd
from keptalive.watching.attempts import ConnectionAttempt
from keptalive.watching.call_site import NOWHERE, Place
from keptalive.watching.doing import KEPT, LOST, READING, SENDING, Doing
from keptalive.watching.foreign import own, socket_of, text_of
from keptalive.watching.owners import Owner, Unpickled
from keptalive.watching.recorder import Recorder
from keptalive.watching.response_times import Timing
from keptalive.watching.routes import Route

STACK = "is_stack"  # an attribute by which a queue other than urllib3's says that it is one
MOST_WAITING = 100  # ended connections of a pool, for which no other one has been opened yet


@dataclass(slots=True, eq=False)
class Pool(Unpickled):
    """One pool: where it leads, whose it is, and the connections that it has.

    Attributes:
        of: the pool itself.
        host, via: its route.
        proxy: the settings of its proxy, which keep pools apart; None without one.
        forwards: it sends requests for other origins to a proxy, without a tunnel.
        exposed: what is sent can be read on the way.
        has_answered: on one of its connections at least.
        known: the connections that were opened and are not known to be gone.
        ended: those that ended away from the pool's queue, and have not been replaced.
        discarded: those that found no room, and have not been replaced.
        routes: the recorders that listen, and the route that each of them has for it.
        is_new_adapter: its Session had another adapter for this route before.
        kept, alike: what `OpeningFacts.pools_kept` and `pools_alike` are.
        waiting: the requests that wait for a connection, by number.
        holes: how many ``None`` lie on top of its queue, put there for connections that failed.
    """

    of: weakref.ref[Any]
    host: str
    via: str | None
    owner: Owner
    tls: tuple[str, ...]
    proxy: str | None
    forwards: bool
    is_new: bool
    seen_by: int
    exposed: bool
    is_new_adapter: bool = False
    kept: int | None = None
    alike: int = 0
    has_answered: bool = False
    known: set[ConnectionState] = field(default_factory=set)
    ended: list[ConnectionAttempt] = field(default_factory=list)
    discarded: list[ConnectionAttempt] = field(default_factory=list)
    routes: tuple[tuple[Recorder, ...], tuple[Route, ...]] = ((), ())
    waiting: set[int] = field(default_factory=set)
    holes: int = 0

    def loses(self, connection: ConnectionState) -> None:
        """A connection has failed: urllib3 puts a ``None`` into the queue in its place."""
        self.holes += 1
        self._ends(connection)

    def gets_back(self, ended: ConnectionAttempt) -> None:
        """It came back closed: its object is opened again by itself, not another in its place."""
        self.ended = [one for one in self.ended if one is not ended]
        self.holes = max(0, self.holes - 1)

    def has_nothing_idle(self) -> bool:
        """Whether its queue was empty, or had none but unused places, when one was just made.

        If it is a stack, idle connections lie above the unused places, and only below a hole.
        """
        if self.holes:
            self.holes -= 1
            return False
        queue = socket_queue(self.of())
        return isinstance(queue, HTTPConnectionPool.QueueCls) or bool(own(queue, STACK))

    def _ends(self, connection: ConnectionState) -> None:
        """The next one takes its place, or that which it was to take."""
        self.known.discard(connection)
        ended = connection.attempt
        if ended is not None and ended.connected_at is None and ended.attempted is not None:
            ended = ended.predecessor
        if ended is not None:
            self.ended = [*self.ended, ended][-MOST_WAITING:]

    def discards(self, connection: ConnectionState) -> None:
        """A connection found no room: the next one that is opened for want of it replaces it."""
        self.known.discard(connection)
        if connection.attempt is not None:
            self.discarded = [*self.discarded, connection.attempt][-MOST_WAITING:]

    def being_taken(self, newest: ConnectionState, *, none_idle: bool) -> set[ConnectionState]:
        """The connections that other requests take, or give back, at this very moment.

        They are out of the queue, and are not, or no more, among the requests in flight.

        Args:
            newest: the one that is opened.
            none_idle: all were out of the queue when it was looked into; some may be back since.
        """
        queued = () if none_idle else own(socket_queue(self.of()), "queue", ())
        kept = {id(conn) for conn in list(queued)}
        return {
            one
            for one in list(self.known)
            if one is not newest and one.doing in (KEPT, SENDING) and one.is_out_of(kept)
        }

    def sweep(self, now: float) -> None:
        """Look at each connection: is it no more, or lost with a response that nobody has read?"""
        for one in list(self.known):
            one.look(now)
            if one.doing is LOST or not one.is_gone():
                continue
            end = one.attempt.end if one.attempt is not None else None
            if end is None or end.how is CloseReason.POOL_CLOSED:
                self.known.discard(one)
            else:  # it was closed, and there was no room for it any more
                self._ends(one)


@dataclass(slots=True, eq=False)
class ConnectionState(Unpickled):
    """One connection object of urllib3, over all the sockets that it has.

    Attributes:
        seen_by: the observer's number; what another one saw, before this watch, is out of date.
        flow: the flow of control that used it last.
        attempt: the connection that its socket is, or was; None before it is opened.
        was_closed: it had no socket when it was last taken, and has not connected since.
        since: when it was given back; None where that was not seen.
        number: that of the request that it was taken for, among all that are in flight.
        sent_at: when its last request took it.
        connected: its socket is one that was seen to connect.
        streamed: its response was handed out before its body was read.
        response: the one that was handed out, once it has been read from.
        headers: of its last response.
        exchange: the one being recorded, if there is a timeline.
        timing: times its responses; None once enough of them are timed.
    """

    seen_by: int
    pool: Pool | None = None
    reference: weakref.ref[Any] | None = None
    doing: Doing = KEPT
    flow: int = 0
    attempt: ConnectionAttempt | None = None
    was_closed: bool = False
    since: float | None = None
    number: int = 0
    idle_s: float = 0.0
    sent_at: float = 0.0
    connected: bool = False
    streamed: bool = False
    found: bool = False
    announced: bool = False
    requested: bool = False
    unframed: bool = False
    status: int | None = None
    error: str | None = None
    requested_at: Place = NOWHERE
    response: weakref.ref[Any] | None = None
    headers: Any = None
    mock: str | None = None  # the package of an imitation of a socket
    exchange: Any = None
    timing: Timing | None = None

    def object(self) -> Any:
        """The connection of urllib3's; None if it is no more."""
        return self.reference() if self.reference is not None else None

    def is_out_of(self, queue: set[int]) -> bool:
        """Whether its object lives, and is none of these `id`s."""
        conn = self.object()
        return conn is not None and id(conn) not in queue

    def is_gone(self) -> bool:
        """Whether its object is no more. Asked: CPython loses what strikes in a callback."""
        return self.reference is not None and self.reference() is None

    def was_closed_unread(self, conn: Any) -> bool:
        """Whether this side has closed it before it had read all of its last response."""
        if socket_of(conn) is not None or self.announced or self.unframed or not self.streamed:
            return False
        response = self.response() if self.response is not None else None
        return bool(own(own(response, "_original_response"), "length") != 0)

    def is_unread(self) -> bool:
        """Whether its response is not read to its end, and nobody reads it just now."""
        if self.doing is LOST:
            return True
        routes = self.pool.routes[1] if self.pool is not None else ()
        is_read = any(self.number in one.in_flight for one in routes)
        return self.doing is READING and self.streamed and not is_read

    def is_sending(self) -> bool:
        """Whether it has a request to send, or waits for its response."""
        return self.doing is SENDING

    def is_open(self) -> bool:
        """Whether it has a socket now."""
        conn = self.object()
        return socket_of(conn) is not None

    def is_left_open(self) -> bool:
        """Whether it is open, or would be, had Python's end not closed it.

        urllib3 2 closes pools by `weakref.finalize`, at exit too: then the pool is still there.
        """
        if self.is_open():
            return True
        pool, attempt = self.pool, self.attempt
        if pool is None or attempt is None or attempt.end is not None or self.doing is not KEPT:
            return False
        was_closed = pool.owner.closings > attempt.facts.closings or socket_queue(pool.of()) is None
        is_exit = getattr(weakref.finalize, "_shutdown", False)
        return is_exit and not was_closed and self.reason_of_own() is CloseReason.CLOSED_BY_CLIENT

    def is_in_flight(self) -> bool:
        """Whether a request is on its way on it, or its body may still be read."""
        # http.client has let go of the socket already where the response says that it is the last
        is_read = self.doing is READING and (not self.streamed or self.is_open())
        return self.doing is SENDING or is_read

    def look(self, now: float) -> None:
        """See what has become of it since it was used last: unread, closed or collected?"""
        conn = self.object()
        if self.doing is READING and (conn is None or self.was_closed_unread(conn)):
            collected = conn is None
            self.doing = LOST
            self.ends(CloseReason.NEVER_READ if collected else CloseReason.CLOSED_UNREAD, now)
        elif self.doing is KEPT and not self.is_left_open():
            self.ends_with_its_pool(now)

    def ends_with_its_pool(self, now: float) -> None:
        """It was closed while its pool kept it: by whom?"""
        owner, attempt = self.pool.owner if self.pool is not None else None, self.attempt
        if owner is None or attempt is None or attempt.end is not None:
            return
        if owner.closings > attempt.facts.closings:
            self.ends(CloseReason.POOL_CLOSED, owner.closed_at)
        elif self.is_gone():
            self.ends(CloseReason.POOL_CLOSED, now)
        else:
            self.ends(self.reason_of_own(), self.since)

    def reason_of_own(self) -> CloseReason:
        """Why this side closed it, as far as its last request and response say."""
        if self.requested:
            return CloseReason.CLOSE_REQUESTED
        if self.announced:
            return CloseReason.CLOSE_ANNOUNCED
        if self.unframed:
            return CloseReason.HTTP_1_0
        return CloseReason.CLOSED_BY_CLIENT

    def begins_anew(self, attempt: ConnectionAttempt) -> None:
        """Another socket: what was said of the last one is past."""
        self.attempt = attempt
        self.announced = self.requested = self.unframed = self.connected = self.found = False
        self.error = self.headers = None
        self.timing = Timing()

    def ends(self, how: CloseReason, now: float | None, *, idle: bool = True) -> None:
        """Its end was seen, at this time, if it has been opened at all."""
        if (attempt := self.attempt) is None or attempt.end is not None:
            return
        idle_s = None
        if idle and self.since is not None and now is not None and self.doing is KEPT:
            idle_s = max(0.0, now - self.since)
        end = ConnectionEnd(
            how=how,
            idle_s=idle_s,
            error=self.error if how is CloseReason.FAILED else None,
            keep_alive=text_of(self.headers, "Keep-Alive"),
            status=self.status if how is CloseReason.CLOSE_ANNOUNCED else None,
            **self.requested_at.facts("request"),
        )
        attempt.ends(end, now)
        self.headers = None


def socket_queue(pool: Any) -> Any:
    """The queue in which this pool of urllib3's keeps its connections; None once it is closed."""
    return own(pool, "pool")
