"""Who sees what the hooks report: states of connections, pools and owners, and evidence.

All methods may be called from any thread or greenlet; what belongs to one request stands in a
`Call`, which its flow of control has. A method may fail by a mistake of ours: the hooks then call
`Observer.fault`, and the program never notices.

A request on a kept connection comes by `asks`, `is_answered` and `gives_back` only, and these are
its price: what can wait until a connection is opened is left until then.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import requests
from urllib3.connectionpool import HTTPConnectionPool

from keptalive.causes import security as hygiene
from keptalive.records.evidence import Ended, How
from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.watching.attachments import Registry, address
from keptalive.watching.attempts import draft_of
from keptalive.watching.call_site import place_in_program
from keptalive.watching.close_reason import how_found
from keptalive.watching.foreign import (
    NAME,
    attached_to,
    get,
    is_redirect,
    origin_of,
    own,
    pairs_of,
    socket_of,
    text_of,
)
from keptalive.watching.patching import Replacements
from keptalive.watching.phases import Clock
from keptalive.watching.recorder import Draft, Numbers, Recorder
from keptalive.watching.tracking import (
    AGAIN,
    ASKING,
    KEPT,
    LOST,
    READING,
    Again,
    Call,
    Connecting,
    Connection,
    Pool,
    current_call,
    flow_teller,
)

Heard = tuple[tuple[Recorder, ...], tuple[Numbers, ...]]

# before 2.29 requests sent chunked bodies past urllib3's pools
_REQUESTS = requests.__version__  # type: ignore[attr-defined]
BYPASSES = tuple(int(part) for part in _REQUESTS.split(".")[:2]) < (2, 29)


class Observer(Registry):
    """Turns what the hooks report into evidence, and hands it to every recorder.

    Args:
        clock: seconds, for idle times; durations are always measured.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.recorders: tuple[Recorder, ...] = ()
        self.clock = clock
        self.ticks = itertools.count(1)  # the order of things, whatever the clock says
        self.flow = flow_teller()
        self.replacements = Replacements()

    def fault(self, error: Exception) -> bool:
        """Tell the recorders of a mistake of ours; False if the exception is the program's.

        Its words are left out: they may be secret.
        """
        if not is_ours(error):
            return False
        try:
            at, trace = "", error.__traceback__
            while trace is not None:
                at = f" at {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}"
                trace = trace.tb_next
            for recorder in self.recorders:
                recorder.warn(f"keptalive itself failed here: {type(error).__name__}{at}")
        except Exception as another:  # noqa: BLE001 - it is looked at
            return is_ours(another)  # then nothing is left that could be told
        return True

    # -- calls

    def places(self, call: Call) -> None:
        """Remember where in the program a response is asked for as a stream."""
        call.place = place_in_program()

    def call_of_manager(
        self, manager: Any, args: tuple[Any, ...], settings: dict[str, Any]
    ) -> Call:
        """The same of a bare PoolManager's ``urlopen``."""
        call = Call()
        call.by, call.began, call.asked = (
            id(manager),
            next(self.ticks),
            _Asked(manager, args, settings),
        )
        if settings.get("preload_content") is False:
            self.places(call)
        return call

    def follows(self, call: Call, by: Any, *args: Any) -> None:
        """A redirect is followed, by a Session or a PoolManager: what secrets go along?"""
        *given, settings = args
        before: Any = call.asked
        asked = given[0] if isinstance(by, requests.Session) else _Asked(by, given, settings)
        origin, target = origin_of(before.url), origin_of(asked.url)
        if origin is None or target is None or target[1] == origin[1]:
            return
        host, like = address(*target), dict(pairs_of(before.headers))
        for header in hygiene.secrets_in(dict(pairs_of(asked.headers)), like=like):
            for recorder in self.recorders:
                recorder.of(host).sent_on[header, origin[1]] += 1

    def tries_again(self, pool: Any, response: Any) -> None:
        """After a failure, or a response that calls for it; a redirect is no retry."""
        if not issubclass(type(pool), HTTPConnectionPool) or is_redirect(response):
            return
        state, call = self.pool_of(pool), current_call()
        target = None
        if call is None:
            AGAIN.set(Again(state, self.flow()))
        else:
            call.again = True
            target = call.asking.target if call.asking is not None else None
        for numbers in self._heard_of(state, target)[1]:
            numbers.retried += 1

    def _is_repeated(self, pool: Pool) -> bool:
        """Whether a try outside of any call follows a failed one; asked once for each try."""
        if not self._is_tried_again(pool):
            return False
        AGAIN.set(None)
        return True

    def _is_tried_again(self, pool: Pool) -> bool:
        again = AGAIN.get()
        return again is not None and again.pool is pool and again.flow == self.flow()

    def _heard_of(self, pool: Pool, target: str | None) -> Heard:
        """Who listens, and the numbers of the host that is asked; looked up only if it changes."""
        recorders = self.recorders
        if target is not None:
            return recorders, tuple(recorder.of(target) for recorder in recorders)
        heard = pool.heard
        if heard[0] is not recorders:
            heard = recorders, tuple(recorder.of(pool.host) for recorder in recorders)
            pool.heard = heard
        return heard

    # -- a request on a connection

    def asks(
        self, pool: Any, conn: Any, url: str, headers: Any, call: Call | None
    ) -> Connection | None:
        """Before a request is sent, and the connection opened if it has to be.

        None if it is no connection, but a mock without a socket, say.
        """
        try:  # `attached_to` and `socket_of`, which would cost a warm request too much
            known, sock = get(conn, NAME), get(conn, "sock")
        except AttributeError:
            if not hasattr(type(conn), "connect"):
                return None
            known, sock = None, socket_of(conn)
        is_known = type(known) is Connection and known.seen_by == self.number
        state: Connection = known if is_known else self.connection(conn)
        home = state.pool
        if home is None:
            home = self.belongs(conn, state, self.pool_of(pool))
        state.doing, state.flow = ASKING, self.flow()
        state.was_closed = sock is None
        if call is not None and (sock is None or home.proxy is not None):
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
        target = origin_of(url)
        if target is None:
            return
        state.target = address(*target)
        if state.draft is not None and not state.draft.answered:
            state.draft.host = state.target

    def _exposes(self, pool: Pool, target: str | None, headers: Any) -> None:
        if hygiene.is_exposed(target or pool.host) and hygiene.secrets_in(dict(pairs_of(headers))):
            for numbers in self._heard_of(pool, target)[1]:
                numbers.exposed += 1

    def is_answered(  # noqa: C901 - a function for each part would cost a warm request too much
        self, conn: Any, state: Connection, asked: Any, response: Any, call: Call | None
    ) -> None:
        """The head of a response is there; ``asked`` are the headers of the request."""
        pool: Any = state.pool  # it has one since it was asked
        if state.was_closed:
            self._has_opened_by_itself(conn, state)
        heard: Heard = pool.heard
        if state.target is not None or heard[0] is not self.recorders:
            heard = self._heard_of(pool, state.target)
        if call is None:
            first = not self._is_repeated(pool)
        else:
            first = not call.counted
            call.counted = True
            if call.again:
                call.again = False
            state.place = call.place
        state.doing, state.headers = READING, response.headers
        state.served = served = state.served + 1
        if conn.sock is None:
            self._closes_after_it(state, asked)
        if not first:
            for count in heard[1]:
                count.repeated += 1
        if state.draft is not None and (served == 1 or not state.connected):
            self._first_answer(state, state.draft, heard)
            return
        for count in heard[1]:
            count.reused += 1
            if served > count.most_served:
                count.most_served = served
            if state.idle_s > count.longest_survived_s:
                count.longest_survived_s = state.idle_s

    def _has_opened_by_itself(self, conn: Any, state: Connection) -> None:
        """Its class has a ``connect`` of its own, as for Unix sockets; or it is a recording."""
        sock = socket_of(conn)
        if isinstance(sock, socket.socket):
            if state.draft is None or state.connected:
                self._opens(state, state.found, again=state.served > 0)
            if state.pool is not None and state.draft is not None:
                self._names_its_path(state.pool, state.draft, sock)
                for numbers in self._heard_of(state.pool, state.target)[1]:
                    numbers.connected += 1
            state.connected = True

    def _first_answer(self, state: Connection, draft: Draft, heard: Heard) -> None:
        """What was opened has come to something, unless it came from a recording."""
        draft.answered = state.connected
        if state.pool is not None and state.connected:
            state.pool.has_answered = True
        listeners = []
        for recorder, count in zip(*heard, strict=True):
            if not (state.connected and recorder in state.heard):
                count.other_answers += 1
                continue
            recorder.add(draft)
            count.opened += 1
            count.reopened += draft.again
            count.most_served = max(count.most_served, 1)
            listeners.append(recorder.on_opening)
        for tell in listeners:  # last, since the program's own exception may strike there
            if tell is not None:
                tell()

    def _closes_after_it(self, state: Connection, asked: Any) -> None:
        """http.client has closed, for the response or the request said so: what did they say?"""
        state.requested = "close" in (text_of(asked, "Connection") or "").lower()
        state.announced = "close" in (text_of(state.headers, "Connection") or "").lower()
        state.unframed = not state.announced

    def gives_back(self, conn: Any) -> None:
        """Before urllib3 puts it into the pool, or closes it."""
        try:  # as in `asks`
            state, sock = get(conn, NAME), get(conn, "sock")
        except AttributeError:
            state, sock = attached_to(conn), socket_of(conn)
        if type(state) is not Connection or state.seen_by != self.number:
            state = self.connection(conn)
        if BYPASSES and state.pool is not None and state.doing in (ASKING, KEPT):
            self.is_answered(conn, state, None, _Unseen, current_call())
        if sock is None and state.doing is READING and state.was_closed_unread(conn):
            state.unread = True
        state.doing = KEPT
        state.since = self.clock()
        state.returned = next(self.ticks)

    def has_failed(self, pool: Any, conn: Any, error: BaseException) -> None:
        state, connection, call = self.pool_of(pool), self.connection(conn), current_call()
        if call is None:
            first = not self._is_repeated(state)
        else:
            first, call.counted = not call.counted, True
            call.asking = connection
        if connection.was_closed and connection.pool is not None:
            self._has_opened_by_itself(conn, connection)
        connection.error = type(error).__name__
        state.loses(connection, connection.error)
        draft = connection.draft
        if draft is not None and draft.pool_is_new and not state.has_answered:
            state.is_new = True  # nothing has come of it yet
        for numbers in self._heard_of(state, connection.target)[1]:
            numbers.repeated += not first
            numbers.errors[connection.error] = numbers.errors.get(connection.error, 0) + 1

    # -- how connections end

    def found_dropped(self, conn: Any) -> None:
        state, call = self.connection(conn), current_call()
        state.found = state.ended(how_found(socket_of(conn)), self.clock())
        if call is not None:
            call.replaced = state  # unless it reconnects: urllib3 1.26 has a new one for a tunnel

    def fails_to_read(self, conn: Any, error: BaseException) -> None:
        """A body cannot be read to its end, so that its connection is closed."""
        state = self.connection(conn)
        if state.doing is READING and socket_of(conn) is not None:
            state.error, state.doing = type(error).__name__, LOST

    def breaks_off(self, conn: Any) -> None:
        """urllib3 1.26 closes it after an error in a body that it has read for the program."""
        state = self.connection(conn)
        if state.doing is READING and state.pool is not None:
            state.pool.loses(state, "a body that broke off")

    def replaces(self, conn: Any) -> None:
        """A pool closes a connection that it has just taken: dropped, or kept for too long."""
        state, call = self.connection(conn), current_call()
        sock = socket_of(conn)
        if state.found is None and sock is not None:
            how = how_found(sock)
            state.found = state.ended(How.REPLACED if how is How.UNKNOWN else how, self.clock())
            if call is not None:
                call.replaced = state

    def discards(self, conn: Any) -> None:
        """A pool closes it as it comes back: there is no room, or the pool is closed itself."""
        state = self.connection(conn)
        if state.doing is READING:  # before `gives_back`: for a reason of its class's own
            state.doing = KEPT
            return
        home, pool = state.pool, state.pool.of() if state.pool is not None else None
        if home is None:
            return
        home.sweep()
        together = len(home.known)
        home.known.discard(state)
        home.discarded = next(self.ticks)
        places = own(pool, "pool")
        if state.draft and socket_of(conn) is not None and places is not None and state.served <= 1:
            state.draft.discarded = True
            state.draft.pool_size, state.draft.together = places.maxsize, together

    # -- how they are opened

    def made(self, pool: Any, conn: Any) -> None:
        """A pool that had no connection has made one; it is not open yet."""
        state, call = self.pool_of(pool, made=1), current_call()
        connection = self.connection(conn)
        self.belongs(conn, connection, state)
        connection.doing, connection.flow = ASKING, self.flow()
        if call is not None and call.replaced is not None:
            before, call.replaced = call.replaced, None
            state.known.discard(before)  # only now: meanwhile its place was taken
            ended = before.found
        else:
            ended = state.last_error()
        self._opens(connection, ended, again=False)

    def connects(self, conn: Any) -> None:
        """Before it does; if it was open before, it is opened again."""
        state, call = self.connection(conn), current_call()
        state.was_closed = False
        if call is not None and call.replaced is state:
            call.replaced = None
        if state.pool is None or not (state.connected or state.found or state.draft is None):
            return
        ended = state.found or state.ended(How.CLOSED_HERE, self.clock())
        self._opens(state, ended, again=True)

    def _opens(self, connection: Connection, ended: Ended | None, *, again: bool) -> None:
        pool, call = connection.pool, current_call()
        if pool is None:
            return
        self.flow = flow_teller()  # greenlets may have come into use
        retry = call.again if call is not None else self._is_tried_again(pool)
        draft = draft_of(connection, pool, ended, call, again=again, retry=retry)
        pool.is_new = False
        connection.begins_anew()
        connection.draft, connection.heard = draft, self.recorders
        draft.order = next(self.ticks)
        self.remember(connection)
        if call is not None:
            credentials = hygiene.credentials_in(dict(pairs_of(call.asked.headers)))
            for recorder in self.recorders:
                recorder.hide(credentials)

    def has_connected(self, conn: Any, clock: Clock, connecting: Connecting) -> None:
        """Whether or not it succeeded."""
        if clock.fault is not None:
            self.fault(clock.fault)
        state, call = self.connection(conn), current_call()
        if state.pool is None and call is not None and call.asks_for_a_socket():
            state = call.asking or state  # one within it, that does the work
        state.connected = True
        draft = state.draft
        if draft is None:
            if state.pool is None and socket_of(conn) is not None:
                self._has_no_pool(conn)
            return
        seconds, is_open = clock.seconds, socket_of(conn) is not None
        took, sockets = sum(seconds.values()), connecting.sockets or int(is_open)
        unverified = (
            draft.host.startswith("https:")
            and is_open
            and not own(conn, "is_verified", True)
            and hygiene.is_elsewhere(draft.host)
        )
        draft.seconds += took
        at_once = self.at_once(draft.host)
        for recorder in self.recorders:
            numbers = recorder.of(draft.host)
            numbers.connected += sockets
            numbers.most_at_once = max(numbers.most_at_once, at_once)
            numbers.seconds_opening += took
            numbers.unverified += unverified
            numbers.add_phases(seconds)
            if is_open:
                numbers.add_in_vain(connecting.failed)

    def _has_no_pool(self, conn: Any) -> None:
        """Somebody uses urllib3's HTTPConnection by itself, as http.client's: we do not see how."""
        host = address("http", str(own(conn, "host", "?")), own(conn, "port"))
        for recorder in self.recorders:
            recorder.warn(
                f"A urllib3 HTTPConnection without a pool connected to {host.partition('//')[2]}: "
                "it is not counted."
            )


class _Asked:
    """What a call of ``PoolManager.urlopen`` asks for, as a request of requests has it."""

    def __init__(self, manager: Any, args: Sequence[Any], settings: dict[str, Any]) -> None:
        self.url = settings["url"] if "url" in settings else args[1] if len(args) > 1 else None
        self.headers = settings.get("headers") or manager.headers


class _Unseen:
    """Stands for a response that did not come by."""

    headers: Mapping[str, str] = {}
