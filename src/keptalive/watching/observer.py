"""Who sees what the hooks report: states of connections, pools and owners, and evidence.

The states hang on urllib3's own objects, so that they end with them. All methods may be called from
any thread; what belongs to one request stands in a `Call`, which its thread has. A method may fail:
the hooks then call `Observer.fault`, and the program never notices.

A request on a kept connection comes by `asks`, `is_answered` and `gives_back` only, and these are
its price: what can wait until a connection is opened is left until then.
"""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.util import parse_url

from keptalive.analysis import hygiene
from keptalive.evidence import Ended, How
from keptalive.watching.peek import how_found
from keptalive.watching.phases import Phases
from keptalive.watching.recorder import Draft, Numbers, Recorder
from keptalive.watching.stack import adapter_on_the_stack, place_in_program
from keptalive.watching.states import (
    ASKING,
    KEPT,
    LOST,
    READING,
    Call,
    Connection,
    Here,
    Owner,
    Pool,
)

NAME = "_keptalive_seen"  # the attribute on their objects
# before 2.29 requests sent chunked bodies past urllib3's pools
_REQUESTS = requests.__version__  # type: ignore[attr-defined]
BYPASSES = tuple(int(part) for part in _REQUESTS.split(".")[:2]) < (2, 29)
MOST_ERRORS = 100  # that a pool's next connections are explained by

_numbers = itertools.count(1)  # of owners and observers, never the same twice in this process


class Observer:
    """Turns what the hooks report into evidence, and hands it to every recorder.

    Args:
        clock: seconds, for idle times; durations are always measured.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.recorders: tuple[Recorder, ...] = ()
        self.clock = clock
        self.number = next(_numbers)
        self.ticks = itertools.count(1)  # the order of things, whatever the clock says
        self.here = Here()
        self.phases = Phases()
        self._open: set[Connection] = set()

    def fault(self, error: BaseException) -> None:
        """Tell the recorders of a fault of our own."""
        try:
            said = f"{type(error).__name__}: {error}"
        except Exception:  # noqa: BLE001 - it may come from the program's own objects
            said = type(error).__name__
        for recorder in self.recorders:
            recorder.warn(f"keptalive itself failed here: {said}")

    def still_open(self) -> list[str | None]:
        """Where the owners were made of the connections that are open now."""
        open_ = [state for state in list(self._open) if state.is_open()]
        return [state.pool.owner.place if state.pool else None for state in open_]

    # -- calls

    def call(self, by: Any, url: Any, *, stream: Any) -> Call:
        """A request of the program's begins."""
        call = Call(by, next(self.ticks), url)
        if stream:
            call.place = place_in_program()
        return call

    def follows(self, call: Call, url: Any, headers: Any) -> None:
        """A redirect is followed: what secrets go along?"""
        origin, target = parse_url(str(call.url)).host, parse_url(str(url))
        if not target.host or not origin or target.host == origin:
            return
        host = _address(target.scheme or "http", target.host, target.port)
        for header in hygiene.secrets_in(headers or {}):
            for recorder in self.recorders:
                recorder.of(host).sent_on[header, origin] += 1

    def tries_again(self, pool: Any, response: Any) -> None:
        """After a failure, or a response that calls for it; a redirect is no retry."""
        if pool is None or (response is not None and response.get_redirect_location()):
            return
        (self.here.call or self.here).again = True
        for numbers in self._numbers_of(self.pool_of(pool), None):
            numbers.retried += 1

    # -- owners and pools

    def owner_of(self, keeper: Any) -> Owner:
        """The state of an adapter or a PoolManager."""
        owner = getattr(keeper, NAME, None)
        if type(owner) is not Owner:
            owner = Owner(next(_numbers))
            setattr(keeper, NAME, owner)
        return owner

    def mounted(self, adapter: Any) -> None:
        if not isinstance(adapter, HTTPAdapter):
            return  # it keeps no pools, and has no room for us perhaps
        owner = self.owner_of(adapter)
        if owner.place is None:
            owner.place = place_in_program()

    def owner_closes(self, keeper: Any) -> None:
        self.owner_of(keeper).closings += 1

    def tls_of(self, context: dict[str, Any]) -> str:
        names = ("cert_reqs", "ca_certs", "ca_cert_dir", "cert_file", "ssl_context")
        return repr([str(context.get(name)) for name in names])

    def pool_made(self, manager: Any, pool: Any, tls: str) -> None:
        if not isinstance(pool, HTTPConnectionPool):
            return  # a class of somebody's own, in `pool_classes_by_scheme`
        owner = self.owner_of(adapter_on_the_stack() or manager)
        setattr(pool, NAME, self._pool(pool, owner, tls, is_new=True))

    def _pool(self, pool: Any, owner: Owner, tls: str, *, is_new: bool) -> Pool:
        host = _address(pool.scheme, pool.host, pool.port)
        return Pool(
            of=weakref.ref(pool),
            host=host,
            owner=owner,
            tls=tls,
            proxy=_without_login(pool.proxy),
            is_new=is_new,
            seen_by=self.number,
            exposed=pool.scheme == "http" and (pool.proxy is not None or hygiene.is_exposed(host)),
        )

    def pool_of(self, pool: Any, *, made: int = 0) -> Pool:
        """The state of a pool, which has just made so many connections; an old one is as it is."""
        state = getattr(pool, NAME, None)
        if type(state) is not Pool or state.seen_by != self.number:
            known = state if type(state) is Pool else None
            owner = known.owner if known else self.owner_of(adapter_on_the_stack() or pool)
            tls = known.tls if known else ""
            state = self._pool(pool, owner, tls, is_new=pool.num_connections <= made)
            setattr(pool, NAME, state)
        return state

    def connection(self, conn: Any) -> Connection:
        """The state of a connection."""
        state = getattr(conn, NAME, None)
        if type(state) is not Connection or state.seen_by != self.number:
            state = Connection(self.number, id(conn))
            setattr(conn, NAME, state)
        return state

    def _numbers_of(self, pool: Pool, target: str | None) -> tuple[Numbers, ...]:
        """Those of the host that is asked; looked up anew only if somebody else listens."""
        if target is not None:
            return tuple(recorder.of(target) for recorder in self.recorders)
        if pool.heard_by is not self.recorders:
            pool.numbers = tuple(recorder.of(pool.host) for recorder in self.recorders)
            pool.heard_by = self.recorders
        return pool.numbers

    # -- a request on a connection

    def asks(self, pool: Any, conn: Any, url: str, headers: Any, call: Call | None) -> Connection:
        """Before a request is sent, and the connection opened if it has to be."""
        state = self.connection(conn)
        home = state.pool
        if home is None:
            home = self._belongs(conn, state, self.pool_of(pool))
        state.doing, state.thread = ASKING, threading.get_ident()
        if call is not None:
            call.asking = state
        since = state.since
        state.idle_s = 0.0 if since is None else self.clock() - since
        if home.proxy is not None:
            self._forwards(state, url)
        if home.exposed and headers:
            self._exposes(home, state.target, headers)
        return state

    def _forwards(self, state: Connection, url: str) -> None:
        """A proxy is asked for a whole URL, unless it is asked for a tunnel."""
        target = parse_url(url)
        if target.scheme is None or target.host is None:
            return
        state.target = _address(target.scheme, target.host, target.port)
        if state.draft is not None and not state.draft.answered:
            state.draft.host = state.target

    def _belongs(self, conn: Any, state: Connection, pool: Pool) -> Pool:
        state.pool = pool
        state.reference = weakref.ref(conn, partial(_gone, self._open, state))
        pool.known.add(state)
        return pool

    def _exposes(self, pool: Pool, target: str | None, headers: Any) -> None:
        if hygiene.is_exposed(target or pool.host) and hygiene.secrets_in(headers):
            for numbers in self._numbers_of(pool, target):
                numbers.exposed += 1

    def is_answered(
        self, conn: Any, state: Connection, asked: Any, response: Any, call: Call | None
    ) -> None:
        """The head of a response is there; ``asked`` are the headers of the request."""
        pool = state.pool
        if pool is None:
            return
        numbers = pool.numbers
        if state.target is not None or pool.heard_by is not self.recorders:
            numbers = self._numbers_of(pool, state.target)
        if call is None:
            first, self.here.again = not self.here.again, False
        else:
            first = not call.counted
            call.counted, call.again = True, False
            state.place = call.place
        state.doing, state.headers = READING, response.headers
        state.served = served = state.served + 1
        if conn.sock is None:  # http.client has closed: no more will come on it
            self._closes_after_it(state, asked)
        for count in numbers:
            count.requests += first
            count.attempts += 1
            if served > count.most_served:
                count.most_served = served
        draft = state.draft
        if draft is not None and not state.connected:
            pass  # it came from somewhere else: a recording, say
        elif draft is not None and served == 1:
            self._first_answer(state, draft, numbers)
        else:
            self._reused(state, numbers)

    def _first_answer(self, state: Connection, draft: Draft, numbers: tuple[Numbers, ...]) -> None:
        """What was opened has come to something."""
        draft.answered = True
        if state.pool is not None:
            state.pool.has_answered = True
        for count, recorder in zip(numbers, self.recorders, strict=False):
            if recorder in state.heard:
                count.opened += 1
                count.reopened += draft.again
                if recorder.on_opening is not None:
                    recorder.on_opening()

    def _reused(self, state: Connection, numbers: tuple[Numbers, ...]) -> None:
        for count in numbers:
            count.reused += 1
            if state.idle_s > count.longest_survived_s:
                count.longest_survived_s = state.idle_s

    def _closes_after_it(self, state: Connection, asked: Any) -> None:
        state.requested = "close" in str((asked or {}).get("Connection") or "").lower()
        state.announced = "close" in str(state.headers.get("Connection") or "").lower()
        state.unframed = not state.announced

    def gives_back(self, conn: Any) -> None:
        """Before urllib3 puts it into the pool, or closes it."""
        state = self.connection(conn)
        if BYPASSES and state.pool is not None and state.doing in (ASKING, KEPT):
            self.is_answered(conn, state, None, _Unseen, self.here.call)
        state.doing = KEPT
        state.since = self.clock()
        state.returned = next(self.ticks)

    def has_failed(self, pool: Any, conn: Any, error: BaseException) -> None:
        state, connection, call = self.pool_of(pool), self.connection(conn), self.here.call
        if call is None:
            first = not self.here.again
        else:
            first, call.counted = not call.counted, True
        connection.error = type(error).__name__
        state.errors = [*state.errors, connection.error][-MOST_ERRORS:]
        state.known.discard(connection)
        draft = connection.draft
        if draft is not None and draft.pool_is_new and not state.has_answered:
            state.is_new = True  # nothing has come of it yet
        for numbers in self._numbers_of(state, connection.target):
            numbers.requests += first
            numbers.attempts += 1

    # -- how connections end

    def found_dropped(self, conn: Any) -> None:
        state, call = self.connection(conn), self.here.call
        state.found = state.ended(how_found(getattr(conn, "sock", None)), self.clock())
        if call is not None:
            call.replaced = state  # unless it reconnects: urllib3 1.26 has a new one for a tunnel

    def closes(self, conn: Any, *, by_error: BaseException | None) -> None:
        """Before it does; the error is that of reading a body, if that is what closes it."""
        state = self.connection(conn)
        if state.doing is READING and conn.sock is not None:
            if by_error is None:
                state.unread = True
            else:
                state.error = type(by_error).__name__
            state.doing = LOST

    def replaces(self, conn: Any) -> None:
        """A pool closes a connection that it has just taken: dropped, or kept for too long."""
        state, call = self.connection(conn), self.here.call
        if state.found is None and conn.sock is not None and call is not None:
            state.found = state.ended(How.REPLACED, self.clock())
            call.replaced = state

    def discards(self, pool: Any, conn: Any) -> None:
        """There is no room for it in the pool, unless the pool is closed."""
        state = self.connection(conn)
        if state.pool is not None:
            state.pool.known.discard(state)
            state.pool.discarded = next(self.ticks)
        kept_before = state.served > 1
        if state.draft and conn.sock is not None and pool.pool is not None and not kept_before:
            state.draft.discarded = True

    # -- how they are opened

    def made(self, pool: Any, conn: Any) -> None:
        """A pool that had no connection has made one; it is not open yet."""
        state, call = self.pool_of(pool, made=1), self.here.call
        connection = self.connection(conn)
        self._belongs(conn, connection, state)
        connection.doing, connection.thread = ASKING, threading.get_ident()
        before = call.replaced if call is not None else None
        if before is not None and call is not None:
            call.replaced = None
            state.known.discard(before)  # only now: meanwhile its place was taken
            ended = before.found
        else:
            ended = Ended(how=How.UNKNOWN, error=state.errors.pop()) if state.errors else None
        self._opens(connection, ended, again=False)

    def connects(self, conn: Any) -> None:
        """Before it does; if it was open before, it is opened again."""
        state, call = self.connection(conn), self.here.call
        if call is not None and call.replaced is state:
            call.replaced = None
        if state.pool is None or not (state.connected or state.found or state.draft is None):
            return
        ended = state.found or state.ended(How.CLOSED_HERE, self.clock())
        self._opens(state, ended, again=True)

    def _opens(self, connection: Connection, ended: Ended | None, *, again: bool) -> None:
        pool, call, thread = connection.pool, self.here.call, threading.get_ident()
        if pool is None:
            return
        out = [other for other in pool.out() if other is not connection]
        unread = [c for c in out if c.doing is LOST or _is_left(c, thread)]
        busy = len(out) - len(unread)
        if call is not None:  # or was, when this call wanted one
            busy += sum(c.returned > call.began for c in pool.known.difference(out))
            busy += pool.discarded > call.began
        draft = Draft(
            host=connection.target or pool.host,
            owner=pool.owner.number,
            thread=thread,
            pool_is_new=pool.is_new,
            closings=pool.owner.closings,
            tls=pool.tls,
            proxy=pool.proxy,
            ended=ended,
            busy=busy,
            unread=len(unread),
            again=again,
            retry=(call or self.here).again and not pool.is_new,
            redirected=call is not None and call.redirected,
            place=pool.owner.place,
            asked_at=place_in_program(),
            left_at=next((c.place for c in unread if c.place), None),
        )
        lost = next((c for c in unread if c.doing is LOST), None)
        if lost is not None and ended is None:
            pool.known.discard(lost)  # it accounts for one connection, this one
        pool.is_new = False
        connection.begins_anew()
        connection.draft, connection.heard = draft, self.recorders
        for recorder in self.recorders:
            recorder.add(draft)

    def has_connected(
        self, conn: Any, phases: Mapping[str, float], in_vain: list[tuple[str, float, str]]
    ) -> None:
        """It took so many seconds, by phase, whether or not it succeeded."""
        state, call = self.connection(conn), self.here.call
        if state.pool is None and call is not None and call.asking is not None:
            state = call.asking  # one within it, that does the work
        state.connected = True
        self._open.add(state)
        draft = state.draft
        if draft is None:
            return
        took = sum(phases.values())
        unverified = (
            draft.host.startswith("https:")
            and conn.sock is not None
            and not getattr(conn, "is_verified", True)
            and hygiene.is_elsewhere(draft.host)
        )
        draft.seconds += took
        for recorder in self.recorders:
            numbers = recorder.of(draft.host)
            numbers.seconds_opening += took
            numbers.unverified += unverified
            numbers.add_phases(phases)
            if conn.sock is not None:
                numbers.add_in_vain(in_vain)


class _Unseen:
    """Stands for a response that did not come by."""

    status = 0
    headers: Mapping[str, str] = {}


def _gone(open_: set[Connection], state: Connection, _reference: weakref.ref[Any]) -> None:
    """Its object is no more. A response that nobody has read may have been its last holder."""
    open_.discard(state)
    if state.doing is READING:
        state.doing, state.identity = LOST, 0
    elif state.pool is not None and state.doing is not LOST:
        state.pool.known.discard(state)


def _is_left(connection: Connection, thread: int) -> bool:
    return connection.doing is READING and connection.thread == thread


def _address(scheme: str, host: str, port: int | None) -> str:
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{scheme}://{host}:{port or (443 if scheme == 'https' else 80)}"


def _without_login(proxy: Any) -> str | None:
    if not proxy:
        return None
    login = f" with login {hash(proxy.auth):x}" if proxy.auth else ""  # salted by the process
    return f"{proxy._replace(auth=None)}{login}"
