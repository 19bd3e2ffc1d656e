"""What is remembered of owners, pools, connections and calls while somebody watches.

Nothing here refers to an object of urllib3's but weakly, or for the length of a call: urllib3
closes sockets when their owners are collected, and that must happen when it would without us.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from keptalive.records.evidence import Ended, How
from keptalive.watching.foreign import own, socket_of, text_of
from keptalive.watching.recorder import Draft, Numbers, Recorder

MOST_ERRORS = 100  # that a pool's next connections are explained by


class Doing(Enum):
    """What a connection is at."""

    ASKING = "a request is on its way"
    READING = "the response is with the program"
    KEPT = "back in its pool, or just being taken from it"
    LOST = "closed before its response had been read, and not given back"


# Looked up on their class, each would cost a warm request more than all else here
ASKING, READING, KEPT, LOST = Doing.ASKING, Doing.READING, Doing.KEPT, Doing.LOST


class _Unpickled:
    """What hangs on other people's objects goes with them into no pickle and no copy."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()


@dataclass(slots=True)
class Owner(_Unpickled):
    """Who keeps pools: an adapter of requests, or a bare PoolManager."""

    number: int
    closings: int = 0
    place: str | None = None


@dataclass(slots=True, eq=False)
class Pool(_Unpickled):
    """One pool: where it leads, whose it is, and the connections that it has.

    Attributes:
        of: the pool itself.
        exposed: what is sent can be read on the way.
        has_answered: on one of its connections at least.
        known: the connections that were opened and are not known to be gone.
        errors: what ended those whose places have not been filled.
        discarded: the tick at which one found no room, the last time.
        heard: the recorders that listen, and the numbers of its host that each of them has.
    """

    of: weakref.ref[Any]
    host: str
    owner: Owner
    tls: str
    proxy: str | None
    is_new: bool
    seen_by: int
    exposed: bool
    has_answered: bool = False
    known: set[Connection] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    discarded: int = 0
    heard: tuple[tuple[Recorder, ...], tuple[Numbers, ...]] = ((), ())

    def loses(self, connection: Connection, error: str) -> None:
        """A connection has ended in an error: the next one takes its place."""
        self.known.discard(connection)
        self.errors = [*self.errors, error][-MOST_ERRORS:]

    def last_error(self) -> Ended | None:
        """The end that the next connection replaces, if one ended in an error."""
        last, self.errors = self.errors[-1:], self.errors[:-1]
        return Ended(how=How.UNKNOWN, error=last[0]) if last else None

    def sweep(self) -> None:
        """Look at each connection: is it no more, or lost with a response that nobody has read?"""
        for one in list(self.known):
            conn = one.reference() if one.reference is not None else None
            if conn is not None:
                if one.doing is READING and one.was_closed_unread(conn):
                    one.doing, one.unread = LOST, True
            elif one.doing is READING:
                one.doing, one.identity = LOST, 0
            elif one.doing is not LOST:
                self.known.discard(one)

    def out(self) -> list[Connection]:
        """The connections that are not in the pool's queue just now."""
        self.sweep()
        pool = self.of()
        waiting = own(own(pool, "pool"), "queue", ())
        inside = {id(conn) for conn in list(waiting) if conn is not None}
        return [one for one in list(self.known) if one.identity not in inside]


@dataclass(slots=True, eq=False)
class Connection(_Unpickled):
    """One connection object of urllib3, over all the sockets that it has.

    Attributes:
        seen_by: the observer's number; what another one saw, before this watch, is out of date.
        identity: the object's `id`.
        was_closed: it had no socket when it was asked last, and has not connected since.
        since: when it was given back; None where that was not seen.
        returned: the tick at which it was.
        found: how it was found when it was wanted again, until another socket is in its place.
        heard: the recorders that know of its draft.
        target: the host that is asked, where a proxy forwards.
        place: where in the program its last response was asked for, if as a stream.
        headers: of its last response.
    """

    seen_by: int
    identity: int
    pool: Pool | None = None
    reference: weakref.ref[Any] | None = None
    doing: Doing = KEPT
    flow: int = 0
    was_closed: bool = False
    since: float | None = None
    returned: int = 0
    idle_s: float = 0.0
    served: int = 0
    found: Ended | None = None
    draft: Draft | None = None
    connected: bool = False
    heard: tuple[Recorder, ...] = ()
    announced: bool = False
    requested: bool = False
    unframed: bool = False
    unread: bool = False
    error: str | None = None
    target: str | None = None
    place: str | None = None
    headers: Any = None

    def is_gone(self) -> bool:
        """Whether its object is no more. Asked: CPython loses what strikes in a callback."""
        return self.reference is not None and self.reference() is None

    def was_closed_unread(self, conn: Any) -> bool:
        """Whether this side has closed it since its response came, and not for what that said."""
        return socket_of(conn) is None and not (self.announced or self.unframed)

    def is_open(self) -> bool:
        """Whether it has a socket now."""
        conn = self.reference() if self.reference is not None else None
        return socket_of(conn) is not None

    def begins_anew(self) -> None:
        """Another socket: what was said of the last one is past."""
        self.served = 0
        self.announced = self.requested = self.unframed = self.unread = self.connected = False
        self.error = self.found = self.headers = None

    def ended(self, how: How, now: float) -> Ended:
        """The evidence of its end."""
        return Ended(
            how=how,
            idle_s=None if self.since is None else max(0.0, now - self.since),
            served=self.served,
            announced=self.announced,
            requested=self.requested,
            unframed=self.unframed,
            unread=self.unread,
            error=self.error,
            keep_alive=text_of(self.headers, "Keep-Alive"),
            place=self.place,
        )


class Call:
    """One request of the program's, with all its tries and redirects.

    Attributes:
        by: the `id` of the Session or PoolManager; one within itself follows a redirect. None once
            it is over: it is there until the next request of this flow of control, or of one whose
            context was copied from it.
        began: the tick at which it did.
        place: where in the program, if the response is to be a stream.
        asked: the request, which has a ``url`` and ``headers``; a redirect may lead where they are
            not meant for.
        counted: whether it has been counted for its host.
        asking: the connection that was asked last.
        again: its last try has failed, and another follows.
        replaced: a connection that was taken and is of no use, until one is opened in its place.
    """

    # On the class until they change: a call seldom has more to remember, and each costs time
    by: int | None = None
    began = 0
    asked: Any = None
    redirected = counted = again = False
    asking: Connection | None = None
    replaced: Connection | None = None
    place: str | None = None

    def asks_for_a_socket(self) -> bool:
        """Whether its connection is to send a request, and is not open itself."""
        asking = self.asking
        return asking is not None and asking.doing is ASKING and not asking.is_open()


class Again:
    """Where there is no call: a try on this pool has failed, so that another follows, or should.

    Attributes:
        pool: whose next try by this flow of control is no new request.
        flow: a context that was copied from its own is another's.
    """

    __slots__ = ("flow", "pool")

    def __init__(self, pool: Pool, flow: int) -> None:
        self.pool: Pool | None = pool
        self.flow = flow


class Connecting:
    """A call of a connection's ``connect``.

    Attributes:
        identity: the connection's `id`; 0 once it is over, for a copied context may outlive it.
        sockets: how many of its sockets have connected: one, where all goes well.
        failed: the addresses that did not answer: each one's name, seconds, and error.
    """

    __slots__ = ("failed", "identity", "sockets")

    def __init__(self, identity: int) -> None:
        self.identity = identity
        self.sockets = 0
        self.failed: list[tuple[str, float, str]] = []

    def fails(self, address: Any, seconds: float, error: OSError) -> None:
        """One address has not answered; others may be tried."""
        name = str(address[0]) if type(address) is tuple else "a local socket"
        self.failed.append((name, seconds, type(error).__name__))


# What a flow of control (a thread, a greenlet, a task) is at. When a call ends, each is set to what
# it was before, or says of itself that it is over (another `set` costs a warm request too much);
# a token would be lost if the program's own exception struck in between.
CALL: ContextVar[Call | None] = ContextVar("keptalive_call", default=None)
CONNECTING: ContextVar[Connecting | None] = ContextVar("keptalive_connecting", default=None)
AGAIN: ContextVar[Again | None] = ContextVar("keptalive_again", default=None)


def current_call() -> Call | None:
    """The request of the program's that this flow of control makes."""
    call = CALL.get()
    return None if call is None or call.by is None else call


def flow_teller() -> Callable[[], int]:
    """A function that tells the flow of control that calls it from all others that there are."""
    getcurrent = getattr(sys.modules.get("greenlet"), "getcurrent", None)
    return threading.get_ident if getcurrent is None else lambda: id(getcurrent())
