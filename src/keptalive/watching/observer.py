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
from urllib3.util import parse_url

from keptalive.evidence import Ended, How
from keptalive.watching.peek import how_found
from keptalive.watching.recorder import Draft, Recorder

NAME = "_keptalive_seen"  # the attribute on their objects
DEPTH = 20  # frames, between an adapter's send and the pools
TAKING, ASKING, READING, LOST = "taking", "asking", "reading", "lost"

_numbers = itertools.count(1)  # of owners and observers, never the same twice in this process


@dataclass(slots=True)
class Owner:
    """Who keeps pools: an adapter of requests, or a bare PoolManager."""

    number: int
    closings: int = 0
    place: str | None = None


@dataclass(slots=True, eq=False)
class Connection:
    """One connection object of urllib3, over all the sockets that it has.

    Attributes:
        seen_by: the observer's number; what another one saw, before this watch, is out of date.
        since: when it was given back; None where that was not seen.
        heard: the recorders that know of its draft.
    """

    seen_by: int
    since: float | None = None
    use: Use | None = None
    idle_s: float = 0.0
    served: int = 0
    draft: Draft | None = None
    heard: tuple[Recorder, ...] = ()
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
            idle_s=None if self.since is None else max(0.0, now - self.since),
            served=self.served,
            announced=self.announced,
            requested=self.requested,
            unframed=self.unframed,
            unread=self.unread,
            error=self.error,
        )


class Use:
    """A connection's time with one request: from when a thread reaches for it until it is back.

    One for each, since a connection may be taken again before its last giver has turned away.
    """

    __slots__ = ("doing", "pool", "thread")

    def __init__(self, pool: Pool, thread: int) -> None:
        self.pool = pool
        self.thread = thread
        self.doing = TAKING


@dataclass(slots=True)
class Pool:
    """One pool: where it leads, whose it is, and which of its connections are out."""

    host: str
    owner: Owner
    tls: str
    proxy: str | None
    is_new: bool
    seen_by: int
    out: dict[Use, None] = field(default_factory=dict)
    last_error: str | None = None


class _Thread(threading.local):
    """What this thread is at."""

    def __init__(self) -> None:
        self.redirected = False
        self.depth = 0  # calls of any kind, nested
        self.counted = False  # whether this call has been counted for its host
        self.failed = False  # whether a try of this call has failed
        self.found: tuple[Any, Ended] | None = None  # a dropped connection, and how it was
        self.taken: Any = None  # the connection last taken, until it is asked
        self.target: str | None = None  # the host that is asked, where a proxy forwards


class Observer:
    """Turns what the hooks report into evidence, and hands it to every recorder.

    Args:
        clock: seconds, for idle times; durations are always measured.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.recorders: tuple[Recorder, ...] = ()
        self.clock = clock
        self.number = next(_numbers)
        self._open: set[weakref.ref[Any]] = set()
        self._here = _Thread()

    def fault(self, error: BaseException) -> None:
        """Tell the recorders of a fault of our own."""
        try:
            said = f"{type(error).__name__}: {error}"
        except Exception:  # noqa: BLE001 - it may come from the program's own objects
            said = type(error).__name__
        for recorder in self.recorders:
            recorder.warn(f"keptalive itself failed here: {said}")

    def still_open(self) -> int:
        """How many of the connections that were opened are open now."""
        connections = [reference() for reference in list(self._open)]
        return sum(getattr(conn, "sock", None) is not None for conn in connections)

    # -- calls

    def call_begins(self, *, follows: bool = False) -> bool:
        """A call, or one within it; the second may follow a redirect. Says what held before."""
        here = self._here
        before = here.redirected
        if here.depth == 0:
            here.counted = here.failed = here.redirected = False
            here.found = here.taken = None
        elif follows:
            here.redirected = True
        here.depth += 1
        return before

    def call_ends(self, before: bool) -> None:
        here = self._here
        here.depth -= 1
        here.redirected = before

    def forwards(self, url: str) -> str | None:
        """A proxy is asked for this URL; says what was asked before."""
        here = self._here
        before = here.target
        target = parse_url(url)
        if target.scheme and target.host:
            here.target = _address(target.scheme, target.host, target.port)
        return before

    def forwarded(self, before: str | None) -> None:
        self._here.target = before

    # -- owners and pools

    def owner_of(self, keeper: Any) -> Owner:
        """The state of an adapter or a PoolManager."""
        owner = getattr(keeper, NAME, None)
        if owner is None:
            owner = Owner(next(_numbers))
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
        host = _address(pool.scheme, pool.host, pool.port)
        return Pool(host, owner, tls, _without_login(pool.proxy), is_new, self.number)

    def pool_of(self, pool: Any) -> Pool:
        """The state of a pool; one that was there before the watch is taken as it is."""
        state = pool.__dict__.get(NAME)
        if type(state) is not Pool or state.seen_by != self.number:
            known = state if type(state) is Pool else None
            owner = known.owner if known else self.owner_of(adapter_on_the_stack() or pool)
            tls = known.tls if known else ""
            state = self._pool(pool, owner, tls, is_new=pool.num_connections == 0)
            setattr(pool, NAME, state)
        return state

    def connection(self, conn: Any) -> Connection:
        """The state of a connection."""
        state = conn.__dict__.get(NAME)
        if state is None or state.seen_by != self.number:
            state = conn.__dict__[NAME] = Connection(self.number)
        return state  # type: ignore[no-any-return]

    # -- connections

    def found_dropped(self, conn: Any) -> None:
        state = self.connection(conn)
        how = how_found(getattr(conn, "sock", None))
        self._here.found = conn, state.ended(how, self.clock())

    def made(self, pool: Any, conn: Any) -> None:
        here, state = self._here, self.pool_of(pool)
        ended, replaced = None, here.taken
        if here.found is not None:  # urllib3 1.26 makes a new object for a dropped tunnel
            ended = here.found[1]
        elif replaced is not None and replaced.sock is None:
            # It was alive when it was taken, and closed on this side before it was used
            before = self.connection(replaced)
            ended = before.ended(How.REPLACED, self.clock())
            self.connection(conn).use = before.use
        elif state.last_error is not None:
            ended = Ended(how=How.UNKNOWN, error=state.last_error)
        self._opens(state, conn, ended, again=False)

    def takes(self, pool: Any) -> Use:
        """Before a thread has got a connection of this pool, or waits for one."""
        state = self.pool_of(pool)
        use = Use(state, threading.get_ident())
        state.out[use] = None
        return use

    def taken(self, conn: Any, use: Use) -> None:
        here, state = self._here, use.pool
        found = here.found
        if found is not None:
            here.found = None
            if found[0] is conn:
                self._opens(state, conn, found[1], again=True)
        here.taken = conn
        connection = self.connection(conn)
        connection.use = use
        use.doing = ASKING
        since = connection.since
        connection.idle_s = 0.0 if since is None else max(0.0, self.clock() - since)
        if not here.counted:
            here.counted = True
            for recorder in self.recorders:
                recorder.of(here.target or state.host).requests += 1

    def _opens(self, pool: Pool, conn: Any, ended: Ended | None, *, again: bool) -> None:
        here, thread = self._here, threading.get_ident()
        out = list(pool.out)
        lost = [c for c in out if c.doing == LOST]
        unread = [c for c in out if c.doing == READING and c.thread == thread]
        draft = Draft(
            host=here.target or pool.host,
            owner=pool.owner.number,
            thread=thread,
            pool_is_new=pool.is_new,
            closings=pool.owner.closings,
            tls=pool.tls,
            proxy=pool.proxy,
            ended=ended,
            busy=sum(c.doing != LOST and c.thread != thread for c in out),
            unread=len(lost) + len(unread),
            again=again,
            retry=here.failed and not pool.is_new,
            redirected=here.redirected,
            place=pool.owner.place,
        )
        if lost and ended is None:
            pool.out.pop(lost[0], None)  # it accounts for one connection, this one
        pool.is_new, pool.last_error = False, None
        connection = self.connection(conn)
        connection.begins_anew()
        connection.draft, connection.heard = draft, self.recorders
        for recorder in self.recorders:
            recorder.add(draft)

    def has_connected(self, conn: Any, took: float) -> None:
        """It took so many seconds, whether or not it succeeded."""
        draft = self.connection(conn).draft
        if draft is not None:
            draft.seconds += took
            for recorder in self.recorders:
                recorder.of(draft.host).seconds_opening += took
        self._open.add(weakref.ref(conn, self._open.discard))

    def asks(self, pool: Any, conn: Any, headers: Any) -> None:
        self._here.taken = None
        connection = self.connection(conn)
        said = headers.get("Connection") if headers is not None else None
        connection.requested = said is not None and "close" in str(said).lower()
        if pool.scheme == "http" and headers is not None and "Authorization" in headers:
            self._hygiene(self._here.target or self.pool_of(pool).host)

    def _hygiene(self, host: str) -> None:
        if not host.startswith(("http://127.", "http://localhost", "http://[::1]")):
            for recorder in self.recorders:
                recorder.warn(f"Credentials were sent over plain http to {host}.")

    def is_answered(self, pool: Any, conn: Any, headers: Any) -> None:
        here, connection = self._here, self.connection(conn)
        use = connection.use
        if use is not None:
            use.doing = READING
            state = use.pool
        else:
            state = self.pool_of(pool)
        draft = connection.draft if connection.served == 0 else None
        if draft is not None:
            draft.answered = True
        here.failed = False
        connection.served += 1
        if conn.sock is None:  # http.client has closed: no more will come on it
            said = str((headers or {}).get("Connection") or "").lower()
            connection.announced = "close" in said
            connection.unframed = not connection.announced
        host = here.target or state.host
        for recorder in self.recorders:
            numbers = recorder.of(host)
            numbers.attempts += 1
            if draft is None:
                numbers.reused += 1
                if connection.idle_s > numbers.longest_survived_s:
                    numbers.longest_survived_s = connection.idle_s
            elif recorder in connection.heard:
                numbers.opened += 1
                numbers.reopened += draft.again
            if connection.served > numbers.most_served:
                numbers.most_served = connection.served
            if draft is not None and recorder.on_opening is not None:
                recorder.on_opening()

    def has_failed(self, pool: Any, conn: Any, error: BaseException) -> None:
        state, connection, here = self.pool_of(pool), self.connection(conn), self._here
        here.failed, here.taken = True, None
        connection.error = state.last_error = type(error).__name__
        self.is_over(connection.use)
        draft = connection.draft
        if draft is not None and draft.pool_is_new and not draft.answered:
            state.is_new = True  # nothing has come of it yet
        for recorder in self.recorders:
            recorder.of(here.target or state.host).attempts += 1

    def closes(self, conn: Any, *, by_error: BaseException | None) -> None:
        """Before it does; the error is that of reading a body, if that is what closes it."""
        connection = conn.__dict__.get(NAME)
        if connection is None or connection.seen_by != self.number:
            return
        use = connection.use
        if use is not None and use.doing == READING and conn.sock is not None:
            if by_error is None:
                connection.unread = True
            else:
                connection.error = type(by_error).__name__
            use.doing = LOST

    def gives_back(self, pool: Any, conn: Any) -> Use | None:
        """Before urllib3 puts it into the pool, or closes it."""
        connection = self.connection(conn)
        use = connection.use
        if use is not None and use.doing == ASKING:
            # requests 2.28 sends chunked bodies past urllib3's pool
            self._here.taken = None
            self.is_answered(pool, conn, None)
        connection.since = self.clock()
        return use

    def is_over(self, use: Use | None) -> None:
        if use is not None:
            use.pool.out.pop(use, None)

    def discards(self, pool: Any, conn: Any) -> None:
        """There is no room for it in the pool, unless the pool is closed."""
        connection = self.connection(conn)
        kept_before = connection.served > 1
        if connection.draft and conn.sock is not None and pool.pool is not None and not kept_before:
            connection.draft.discarded = True


def _address(scheme: str, host: str, port: int | None) -> str:
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{scheme}://{host}:{port or (443 if scheme == 'https' else 80)}"


def _without_login(proxy: Any) -> str | None:
    if not proxy:
        return None
    login = f" with login {hash(proxy.auth):x}" if proxy.auth else ""  # salted by the process
    return f"{proxy._replace(auth=None)}{login}"


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
