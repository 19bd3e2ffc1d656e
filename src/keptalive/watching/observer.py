"""Who sees what the hooks report: states of connections, pools and owners, and evidence.

The states hang on urllib3's own objects, so that they end with them. All methods may be called from
any thread; what belongs to one request stands in a thread-local. A method may fail: the hooks then
call `Observer.fault`, and the program never notices.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter

from keptalive.evidence import Ended, How
from keptalive.watching.peek import how_found
from keptalive.watching.recorder import Draft, Recorder

NAME = "_keptalive_seen"  # the attribute on their objects
DEPTH = 20  # frames, between an adapter's send and the pools
IDLE, ASKING, READING, LOST = "idle", "asking", "reading", "lost"


@dataclass(slots=True)
class Owner:
    """Who keeps pools: an adapter of requests, or a bare PoolManager."""

    number: int
    closings: int = 0
    place: str | None = None


@dataclass(slots=True, eq=False)
class Connection:
    """One connection object of urllib3, over all the sockets that it has."""

    since: float
    thread: int = 0
    idle_s: float = 0.0
    doing: str = IDLE
    served: int = 0
    draft: Draft | None = None
    announced: bool = False
    requested: bool = False
    unframed: bool = False
    unread: bool = False
    error: str | None = None

    def begins_anew(self) -> None:
        """Another socket: what was said of the last one is past."""
        self.served = 0
        self.announced = self.requested = self.unframed = self.unread = False
        self.error = None

    def ended(self, how: How, now: float) -> Ended:
        """The evidence of its end."""
        return Ended(
            how=how,
            idle_s=max(0.0, now - self.since),
            served=self.served,
            announced=self.announced,
            requested=self.requested,
            unframed=self.unframed,
            unread=self.unread,
            error=self.error,
        )


@dataclass(slots=True)
class Pool:
    """One pool: where it leads, whose it is, and which of its connections are out."""

    host: str
    owner: Owner
    tls: str
    proxy: str | None
    is_new: bool
    out: dict[Connection, None] = field(default_factory=dict)
    last_error: str | None = None


class _Thread(threading.local):
    """What this thread is at."""

    def __init__(self) -> None:
        self.sends = 0  # of a Session, nested by redirects
        self.depth = 0  # calls of any kind, nested
        self.counted = False  # whether this call has been counted for its host
        self.failed = False  # whether a try of this call has failed
        self.found: tuple[Any, Ended] | None = None  # a dropped connection, and how it was
        self.taken: Any = None  # the connection last taken, until it is asked


class Observer:
    """Turns what the hooks report into evidence, and hands it to every recorder.

    Args:
        clock: seconds, for idle times; durations are always measured.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.recorders: tuple[Recorder, ...] = ()
        self.clock = clock
        self.open: weakref.WeakSet[Any] = weakref.WeakSet()
        self._here = _Thread()
        self._numbers = itertools.count(1)

    def fault(self, error: BaseException) -> None:
        """Tell the recorders of a fault of our own."""
        for recorder in self.recorders:
            recorder.warn(f"keptalive itself failed here: {type(error).__name__}: {error}")

    # -- calls

    def send_begins(self) -> None:
        self._here.sends += 1  # more than one: it follows a redirect
        self.urlopen_begins()

    def send_ends(self) -> None:
        self._here.sends -= 1
        self.urlopen_ends()

    def urlopen_begins(self) -> None:
        here = self._here
        if here.depth == 0:
            here.counted = here.failed = False
        here.depth += 1

    def urlopen_ends(self) -> None:
        self._here.depth -= 1

    # -- owners and pools

    def owner_of(self, keeper: Any) -> Owner:
        """The state of an adapter or a PoolManager."""
        owner = getattr(keeper, NAME, None)
        if owner is None:
            owner = Owner(next(self._numbers))
            setattr(keeper, NAME, owner)
        return owner

    def mounted(self, adapter: Any) -> None:
        owner = self.owner_of(adapter)
        if owner.place is None:
            owner.place = place_in_program()

    def owner_closes(self, keeper: Any) -> None:
        self.owner_of(keeper).closings += 1

    def tls_of(self, context: dict[str, Any]) -> str:
        names = ("cert_reqs", "ca_certs", "ca_cert_dir", "cert_file", "ssl_context")
        return repr([str(context.get(name)) for name in names])

    def pool_made(self, manager: Any, pool: Any, tls: str) -> None:
        owner = self.owner_of(adapter_on_the_stack() or manager)
        setattr(pool, NAME, self._pool(pool, owner, tls, is_new=True))

    def _pool(self, pool: Any, owner: Owner, tls: str, *, is_new: bool) -> Pool:
        port = pool.port or (443 if pool.scheme == "https" else 80)
        host = f"[{pool.host}]" if ":" in pool.host else pool.host
        proxy = str(pool.proxy) if pool.proxy else None
        return Pool(f"{pool.scheme}://{host}:{port}", owner, tls, proxy, is_new)

    def pool_of(self, pool: Any) -> Pool:
        """The state of a pool; one that was there before the watch is taken as it is."""
        state = getattr(pool, NAME, None)
        if state is None:
            owner = self.owner_of(adapter_on_the_stack() or pool)
            state = self._pool(pool, owner, "", is_new=pool.num_connections == 0)
            setattr(pool, NAME, state)
        return state

    def connection(self, conn: Any) -> Connection:
        """The state of a connection."""
        state = conn.__dict__.get(NAME)
        if state is None:
            state = conn.__dict__[NAME] = Connection(since=self.clock())
        return state  # type: ignore[no-any-return]

    # -- connections

    def found_dropped(self, conn: Any) -> None:
        state = self.connection(conn)
        how = how_found(getattr(conn, "sock", None))
        self._here.found = conn, state.ended(how, self.clock())

    def made(self, pool: Any, conn: Any) -> None:
        here, state = self._here, self.pool_of(pool)
        ended = None
        if here.found is not None:  # urllib3 1.26 makes a new object for a dropped tunnel
            ended = here.found[1]
        elif here.taken is not None and here.taken.sock is None:
            # It was alive when it was taken, and closed on this side before it was used
            ended = self.connection(here.taken).ended(How.REPLACED, self.clock())
        elif state.last_error is not None:
            ended = Ended(how=How.UNKNOWN, error=state.last_error)
        self._opens(state, conn, ended, again=False)

    def taken(self, pool: Any, conn: Any) -> None:
        here, state = self._here, self.pool_of(pool)
        connection = self.connection(conn)
        if here.found is not None and here.found[0] is conn:
            self._opens(state, conn, here.found[1], again=True)
        here.found = None
        here.taken = conn
        connection.doing, connection.thread = ASKING, threading.get_ident()
        connection.idle_s = max(0.0, self.clock() - connection.since)
        state.out[connection] = None
        if not here.counted:
            here.counted = True
            for recorder in self.recorders:
                recorder.of(state.host).requests += 1

    def _opens(self, pool: Pool, conn: Any, ended: Ended | None, *, again: bool) -> None:
        here, thread = self._here, threading.get_ident()
        out = list(pool.out)
        unread = [c for c in out if c.doing == LOST or (c.doing == READING and c.thread == thread)]
        draft = Draft(
            host=pool.host,
            owner=pool.owner.number,
            thread=thread,
            pool_is_new=pool.is_new,
            closings=pool.owner.closings,
            tls=pool.tls,
            proxy=pool.proxy,
            ended=ended,
            busy=sum(c.doing in (ASKING, READING) and c.thread != thread for c in out),
            unread=len(unread),
            again=again,
            retry=here.failed,
            redirected=here.sends > 1,
            place=pool.owner.place,
        )
        for lost in unread[:1]:
            if lost.doing == LOST:
                pool.out.pop(lost, None)  # it accounts for one connection, this one
        pool.is_new, pool.last_error = False, None
        connection = self.connection(conn)
        connection.begins_anew()
        connection.draft = draft
        for recorder in self.recorders:
            recorder.add(draft)

    def has_connected(self, conn: Any, took: float) -> None:
        """It took so many seconds, whether or not it succeeded."""
        draft = self.connection(conn).draft
        if draft is not None:
            draft.seconds += took
            for recorder in self.recorders:
                recorder.of(draft.host).seconds_opening += took
        self.open.add(conn)

    def asks(self, pool: Any, conn: Any, headers: Any) -> None:
        self._here.taken = None
        connection = self.connection(conn)
        said = headers.get("Connection") if headers is not None else None
        connection.requested = said is not None and "close" in str(said).lower()
        self._hygiene(pool, headers)

    def _hygiene(self, pool: Any, headers: Any) -> None:
        if pool.scheme == "http" and headers is not None and "Authorization" in headers:
            state = self.pool_of(pool)
            if not state.host.startswith(("http://127.", "http://localhost", "http://[::1]")):
                for recorder in self.recorders:
                    recorder.warn(f"Credentials were sent over plain http to {state.host}.")

    def is_answered(self, pool: Any, conn: Any, response: Any) -> None:
        state, connection = self.pool_of(pool), self.connection(conn)
        draft = connection.draft if connection.served == 0 else None
        if draft is not None:
            draft.answered = True
        self._here.failed = False
        connection.served += 1
        connection.doing = READING
        if conn.sock is None:  # http.client has closed: no more will come on it
            said = str(response.headers.get("Connection") or "").lower()
            connection.announced = "close" in said
            connection.unframed = not connection.announced
        for recorder in self.recorders:
            numbers = recorder.of(state.host)
            numbers.attempts += 1
            if draft is None:
                numbers.reused += 1
                numbers.longest_survived_s = max(numbers.longest_survived_s, connection.idle_s)
            else:
                numbers.opened += 1
                numbers.reopened += draft.again
            numbers.most_served = max(numbers.most_served, connection.served)

    def has_failed(self, pool: Any, conn: Any, error: BaseException) -> None:
        state, connection = self.pool_of(pool), self.connection(conn)
        self._here.failed = True
        connection.error = state.last_error = type(error).__name__
        state.out.pop(connection, None)
        for recorder in self.recorders:
            recorder.of(state.host).attempts += 1

    def closes(self, conn: Any) -> None:
        connection = conn.__dict__.get(NAME)
        if connection is not None and connection.doing == READING and conn.sock is not None:
            connection.unread = True
            connection.doing = LOST

    def given_back(self, pool: Any, conn: Any) -> None:
        """After urllib3 has put it into the pool, or has closed it."""
        if conn is None:
            return
        connection = self.connection(conn)
        self.pool_of(pool).out.pop(connection, None)
        connection.doing = IDLE
        connection.since = self.clock()
        if conn.sock is None and connection.draft is not None and pool.pool is not None:
            ended_before = connection.announced or connection.unframed or connection.unread
            # else the pool was full: it was not kept, but closed
            connection.draft.discarded = not ended_before and connection.error is None


_LIBRARIES = tuple(
    str(Path(file).parent) + "/"
    for name in ("requests", "urllib3", "keptalive")
    if (file := getattr(sys.modules.get(name), "__file__", None))
)


def adapter_on_the_stack() -> Any:
    """The adapter of requests that is sending just now on this thread, if one is."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to the stack
    for _ in range(DEPTH):
        if frame.f_code.co_name == "send":
            sender = frame.f_locals.get("self")
            if isinstance(sender, HTTPAdapter):
                return sender
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None


def place_in_program() -> str | None:
    """The nearest line on the stack that is neither ours nor requests' nor urllib3's."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to the stack
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
