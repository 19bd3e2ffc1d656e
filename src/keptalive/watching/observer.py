"""What a request does to the records: the path that every request takes, warm ones too.

All methods may be called from any thread or greenlet; what belongs to one request stands in a
`Call`, which its flow of control has. A method may fail by a mistake of ours: the hooks then call
`Openings.fault`, and the program never notices.

A request on a kept connection comes by `on_request`, `on_response` and `on_release` only, and these
are its price: what can wait until a connection is opened is left until then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

from keptalive.causes import security
from keptalive.watching.attachments import address
from keptalive.watching.call_site import look_from_here, place_in_program
from keptalive.watching.calls import Asked, Call, current_call
from keptalive.watching.doing import KEPT, LOST, READING, SENDING
from keptalive.watching.elsewhere import is_exposed
from keptalive.watching.foreign import (
    NAME,
    attached_to,
    get,
    origin_of,
    pairs_of,
    socket_of,
    text_of,
)
from keptalive.watching.one_response import mark, marked
from keptalive.watching.openings import Routes
from keptalive.watching.patching import Replacements
from keptalive.watching.response_times import takes_time
from keptalive.watching.streams import Streams
from keptalive.watching.timeline import exchange_begins, exchange_goes_on
from keptalive.watching.tracking import ConnectionState, Pool

# before 2.29 requests sent chunked bodies past urllib3's pools
_REQUESTS = requests.__version__  # type: ignore[attr-defined]
BYPASSES = tuple(int(part) for part in _REQUESTS.split(".")[:2]) < (2, 29)


class Observer(Streams):
    """Turns what the hooks report into records, and hands them to every recorder.

    Args:
        clock: seconds, for every time in the records; what opening costs is always measured.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        look_from_here()
        self.timeline = False  # whether any recorder has one
        self.replacements = Replacements()

    # -- calls

    def streamed(self, call: Call) -> None:
        """Remember where in the program a response is asked for as a stream."""
        call.stream, call.requested_at = True, place_in_program()

    def call_of_manager(
        self, manager: Any, args: tuple[Any, ...], settings: dict[str, Any]
    ) -> Call:
        """The call of a bare PoolManager's ``urlopen``."""
        call = Call()
        call.by, call.asked = id(manager), Asked(manager, args, settings)
        if settings.get("preload_content") is False:
            self.streamed(call)
        return call

    def follows(self, call: Call, by: Any, *args: Any) -> None:
        """A redirect is followed, by a Session or a PoolManager: what secrets go along?"""
        *given, settings = args
        before: Any = call.asked
        asked = given[0] if isinstance(by, requests.Session) else Asked(by, given, settings)
        origin, target = origin_of(before.url), origin_of(asked.url)
        if origin is None or target is None or target[1] == origin[1]:
            return
        host, like = address(*target), dict(pairs_of(before.headers))
        for header in security.secrets_in(dict(pairs_of(asked.headers)), like=like):
            for recorder in self.recorders:
                recorder.leaks(host, f"{origin[1]} {header}")

    # -- a request on a connection

    def on_request(  # noqa: C901 - a function for each part would cost a warm request too much
        self, pool: Any, conn: Any, method: Any, url: str, headers: Any, call: Call | None
    ) -> ConnectionState | None:
        """Before a request is sent, and the connection opened if it has to be.

        None if it is no connection, but a mock without a socket, say.
        """
        try:  # `attached_to` and `socket_of`, which would cost a warm request too much
            known, sock = get(conn, NAME), get(conn, "sock")
        except AttributeError:
            if not hasattr(type(conn), "connect"):
                return None
            known, sock = None, socket_of(conn)
        is_known = type(known) is ConnectionState and known.seen_by == self.number
        state: ConnectionState = known if is_known else self.connection(conn)
        home = state.pool
        if home is None:
            home = self._meets(pool, conn, state, is_open=sock is not None)
        if state.doing is not SENDING:  # else it has just been made
            state.number = next(self.ticks)
            state.doing = SENDING
        state.flow = self.flow()
        state.was_closed = sock is None
        if call is not None and (sock is None or home.forwards):
            call.connection = state
        now = state.sent_at = self.clock()
        if now >= self.cut_at:
            self.cuts(now)
        since = state.since
        if state.timing is not None:
            state.timing.begins(sock)
        state.idle_s = 0.0 if since is None else now - since
        routes = home.routes
        if routes[0] is not self.recorders:
            routes = self.routes_of(home)
        for route in routes[1]:
            in_flight = route.in_flight
            in_flight[state.number] = state
            if len(in_flight) > route.most:
                route.grows(state.number)
        if self.reading:
            self.reads_no_more(state.flow)
        if self.timeline:
            exchange_begins(self.recorders, state, method, url)
        if home.forwards or home.exposed:
            self._forwards(home, routes, url, headers)
        return state

    def _meets(self, pool: Any, conn: Any, state: ConnectionState, *, is_open: bool) -> Pool:
        """A connection is seen for the first time; it may have been open before."""
        home = self.belongs(conn, state, self.pool_of(pool))
        self.connection_is_met(conn)
        if is_open:
            home.is_new = False
            self.was_open(state)
            self.open.add(state)
            self.may_be_shared(state)
        return home

    def _forwards(self, pool: Pool, routes: Routes, url: str, headers: Any) -> None:
        """What is sent can be read on the way; a proxy is asked for whole URLs."""
        host, target = pool.host, origin_of(url) if pool.forwards else None
        if target is not None:
            host = address(*target)
            for route in routes[1]:
                route.asks_for(host)
        exposed = is_exposed(host) if pool.forwards else pool.exposed
        if headers and exposed and security.secrets_in(dict(pairs_of(headers))):
            for route in routes[1]:
                route.counts.cleartext_credentials += 1

    def on_response(  # noqa: C901 - as `on_request`
        self, conn: Any, state: ConnectionState, sent: Any, response: Any, call: Call | None
    ) -> None:
        """The head of a response is there; ``sent`` are the headers of the request."""
        pool: Any = state.pool  # it has one since it was taken
        if state.was_closed:
            self.has_opened_by_itself(conn, state)
        routes: Routes = pool.routes
        if routes[0] is not self.recorders:
            routes = self.routes_of(pool)
        if call is None:
            first = not self.is_repeated(pool)
            self.hands_out(state, routes)
        else:
            first = not call.counted
            call.counted = True
            if call.again:
                call.again = False
            if call.stream:
                state.requested_at = call.requested_at
                self.hands_out(state, routes)
        state.doing, state.headers = READING, response.headers
        if state.exchange is not None:
            exchange_goes_on(state, head=self.clock(), status=response.status)
        if state.timing is not None:
            state.timing.has_head(conn.sock, response, self.clock(), state.sent_at)
        if conn.sock is None:
            self._closes_after_it(state, sent, response.status)
        if not first:
            for route in routes[1]:
                route.repeated += 1
        attempt = state.attempt
        if attempt is None or not attempt.answered:
            self._first_response(conn, state, routes, response)
            return
        attempt.served = served = attempt.served + 1
        idle_s = state.idle_s
        if idle_s > attempt.longest_idle_s:
            attempt.longest_idle_s = idle_s
        try:  # noqa: SIM105 - `marked`, which would cost a warm request too much
            mark(response, NAME, (attempt, served, idle_s))
        except (AttributeError, TypeError):
            pass
        for route in routes[1]:
            counts = route.counts
            counts.reused += 1  # type: ignore[operator]
            if served > counts.most_served:
                counts.most_served = served
            if idle_s > counts.longest_survived_s:
                counts.longest_survived_s = idle_s

    def _first_response(
        self, conn: Any, state: ConnectionState, routes: Routes, response: Any
    ) -> None:
        """What was opened has come to something, unless it came from a recording."""
        attempt = state.attempt
        if attempt is None or not state.connected:
            is_mocked = self.comes_from_mock(conn, state)
            for route in routes[1]:
                route.in_flight.pop(state.number if is_mocked else 0, None)
                route.unseen += not is_mocked
            return
        attempt.answered, attempt.served = True, 1
        marked(response, attempt)
        if state.pool is not None:
            state.pool.has_answered = True
        listeners = []
        for recorder, route in zip(*routes, strict=True):
            counts = route.counts
            counts.most_served = max(counts.most_served, 1)
            if recorder not in attempt.recorders:
                counts.reused = (counts.reused or 0) + 1  # it was being opened before this watch
                continue
            counts.opened = (counts.opened or 0) + 1
            counts.reopened = (counts.reopened or 0) + attempt.facts.reconnect
            listeners.append(recorder.on_opening)
        for notify in listeners:  # last, since the program's own exception may strike there
            if notify is not None:
                notify()

    def _closes_after_it(self, state: ConnectionState, sent: Any, status: int) -> None:
        """http.client has closed, for the response or the request said so: what did they say?"""
        state.requested = "close" in (text_of(sent, "Connection") or "").lower()
        state.announced = "close" in (text_of(state.headers, "Connection") or "").lower()
        state.unframed = not state.announced
        state.status = status

    def on_release(self, conn: Any) -> ConnectionState | None:
        """Before urllib3 puts it into the pool, or closes it; None if it is closed already."""
        try:  # as in `on_request`
            state, sock = get(conn, NAME), get(conn, "sock")
        except AttributeError:
            state, sock = attached_to(conn), socket_of(conn)
        if type(state) is not ConnectionState or state.seen_by != self.number:
            state = self.connection(conn)
        pool = state.pool
        if BYPASSES and pool is not None and state.doing in (SENDING, KEPT):
            self.on_response(conn, state, None, _Unseen, current_call())
        now = self.clock()
        if sock is None:
            self._comes_back_closed(state, now)
        state.doing = KEPT
        state.since = now
        if state.exchange is not None:
            state.exchange.released, state.exchange = now, None
        if state.timing is not None:
            takes_time(state, sock, now)
        if state.streamed:
            self.comes_back(state)
        if sock is not None:
            return state
        for route in pool.routes[1] if pool is not None else ():
            route.in_flight.pop(state.number, None)  # last: now it is seen to be given back
        return None

    def has_released(self, pool: Any, conn: Any, state: ConnectionState, number: int) -> None:
        """It is in the pool again, or closed; another flow of control may have it by now."""
        home = state.pool
        if home is not None:
            for route in home.routes[1]:
                route.in_flight.pop(number, None)
        if state.number == number and get(conn, "sock") is None:
            self.closed_at_release(pool, state)

    def _comes_back_closed(self, state: ConnectionState, now: float) -> None:
        if state.doing is READING:
            state.look(now)  # closed unread?
            state.ends(state.reason_of_own(), now)
        elif state.doing is LOST and state.pool is not None and state.attempt is not None:
            state.pool.gets_back(state.attempt)  # a body that broke off


class _Unseen:
    """Stands for a response that did not come by."""

    headers: Mapping[str, str] = {}
    status = None
