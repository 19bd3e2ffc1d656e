"""How connections are opened: each gets a record, with what bears on why it was needed."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from keptalive.causes import security
from keptalive.records.connection import OpeningFacts
from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.watching.attachments import address, names_its_path, tuned_facts
from keptalive.watching.attempts import ConnectionAttempt
from keptalive.watching.call_site import NOWHERE, place_in_program
from keptalive.watching.calls import AGAIN, Connecting, current_call, flow_teller, retried_for
from keptalive.watching.doing import SENDING
from keptalive.watching.elsewhere import is_elsewhere
from keptalive.watching.foreign import GREENLETS, own, pairs_of, socket_of
from keptalive.watching.open_connections import OpenConnections
from keptalive.watching.opening_facts import closed_at_exit, facts_of, unreplaced, was_discarded
from keptalive.watching.phases import Clock
from keptalive.watching.recorder import Recorder
from keptalive.watching.routes import Route
from keptalive.watching.tracking import ConnectionState, Pool

Routes = tuple[tuple[Recorder, ...], tuple[Route, ...]]


class Openings(OpenConnections):
    """What the hooks report of connections that are being opened.

    Args:
        clock: seconds, for every time in the records; what opening costs is always measured.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self.flow = flow_teller()

    def routes_of(self, pool: Pool) -> Routes:
        """Who listens, and the route of this pool; looked up only if either changes."""
        routes = pool.routes
        if routes[0] is not self.recorders:
            recorders = self.recorders
            routes = recorders, tuple(one.route_of(pool) for one in recorders)
            pool.routes = routes
        return routes

    def takes(self, connection: ConnectionState, pool: Pool) -> None:
        """A request takes this connection: from now on it is in flight."""
        number = connection.number = next(self.ticks)
        for route in self.routes_of(pool)[1]:
            route.in_flight[number] = connection
            if len(route.in_flight) > route.most:
                route.grows(number)

    # -- before it connects

    def made(self, pool: Any, conn: Any) -> None:
        """A pool that had no connection has made one; it is not open yet."""
        state, call = self.pool_of(pool, made=1), current_call()
        connection = self.connection(conn)
        self.connection_is_met(conn)
        self.belongs(conn, connection, state)
        connection.doing, connection.flow = SENDING, self.flow()
        self.takes(connection, state)
        predecessor = None
        if call is not None and call.replaced is not None:
            before, call.replaced = call.replaced, None
            state.known.discard(before)  # only now: meanwhile its place was taken
            predecessor = before.attempt
        none_idle = predecessor is None and state.has_nothing_idle()
        self._opens(connection, state, predecessor, reconnect=False, none_idle=none_idle)

    def connects(self, conn: Any) -> None:
        """Before it does; if it was open before, it is opened again."""
        state, call = self.connection(conn), current_call()
        state.was_closed = False
        if call is not None and call.replaced is state:
            call.replaced = None
        attempt = state.attempt
        if state.pool is None or not (state.connected or state.found or attempt is None):
            return
        if attempt is not None and attempt.end is None:
            state.ends_with_its_pool(self.clock())
            state.ends(state.reason_of_own(), self.clock())
        self._opens(state, state.pool, attempt, reconnect=attempt is not None)

    def _opens(
        self,
        connection: ConnectionState,
        pool: Pool,
        predecessor: ConnectionAttempt | None,
        *,
        reconnect: bool,
        none_idle: bool = False,
    ) -> None:
        self.flow = flow_teller()  # greenlets may have come into use
        call, now = current_call(), self.clock()
        closed = None if predecessor is not None else closed_at_exit(pool, connection, now)
        pool.sweep(now)
        being_taken = pool.being_taken(connection, none_idle=none_idle)
        for route in self.routes_of(pool)[1] if being_taken else ():
            route.had_with(being_taken)
        unread = [one for one in list(pool.known) if one is not connection and one.is_unread()]
        predecessor = predecessor or closed or unreplaced(pool, unread)
        if predecessor is None:
            is_needed = any(route.needs_another() for route in self.routes_of(pool)[1][:1])
            predecessor = pool.discarded.pop(0) if pool.discarded and not is_needed else None
        unread_at = next((c.requested_at for c in unread if c.requested_at != NOWHERE), NOWHERE)
        facts = replace(
            facts_of(pool),
            **tuned_facts(pool.owner),
            at_exit=closed is not None,
            unread=len(unread),
            retry=(call.again if call is not None else self.is_tried_again(pool))
            and not pool.is_new,
            retried_for=retried_for(call, pool, self.flow()),
            redirected=call is not None and call.redirected,
            reconnect=reconnect,
            pool_discarded=was_discarded(predecessor),
            **place_in_program().facts("request"),
            **unread_at.facts("unread"),
        )
        pool.is_new = False
        self.looks_at_bundle(pool, facts.request_location)
        connection.begins_anew(self._attempt(connection, pool, facts, predecessor, now))
        self.remember(connection)
        if call is not None:
            credentials = security.credentials_in(dict(pairs_of(call.asked.headers)))
            for recorder in self.recorders:
                recorder.hide(credentials)

    def is_tried_again(self, pool: Pool) -> bool:
        """Whether, outside of any call, a try on this pool has failed and this one follows."""
        again = AGAIN.get()
        return again is not None and again.pool is pool and again.flow == self.flow()

    def is_repeated(self, pool: Pool) -> bool:
        """Whether a try outside of any call follows a failed one; asked once for each try."""
        if not self.is_tried_again(pool):
            return False
        AGAIN.set(None)
        return True

    def _attempt(
        self,
        connection: ConnectionState,
        pool: Pool,
        facts: OpeningFacts,
        predecessor: ConnectionAttempt | None,
        now: float,
    ) -> ConnectionAttempt:
        recorders, routes = self.routes_of(pool)
        attempt = ConnectionAttempt(
            id=next(self.ticks),
            process=os.getpid(),
            thread=connection.flow,
            host=pool.host,
            via=pool.via,
            attempted=now,
            replaces=None if predecessor is None else predecessor.id,
            predecessor=predecessor,
            facts=facts,
            recorders=recorders,
            most_at_once=tuple(max(1, route.most_at_once()) for route in routes),
        )
        if predecessor is not None:
            predecessor.host, predecessor.via = pool.host, pool.via
            for recorder in recorders:
                recorder.add_if_before(predecessor)
        return attempt

    def was_open(self, connection: ConnectionState) -> None:
        """Give a connection that was open before anybody watched a record, if it has none."""
        if connection.attempt is not None:
            return
        pool = connection.pool
        attempt = ConnectionAttempt(
            id=next(self.ticks),
            process=os.getpid(),
            thread=connection.flow,
            host="" if pool is None else pool.host,  # it is known once another one replaces it
            via=None if pool is None else pool.via,
            attempted=None,
            answered=True,
        )
        connection.begins_anew(attempt)

    # -- when it has connected

    def has_connected(self, conn: Any, clock: Clock, connecting: Connecting) -> None:
        """Whether or not it succeeded."""
        if clock.fault is not None:
            self.fault(clock.fault)
        state = self._that_connects(conn)
        sock = socket_of(conn)
        self.may_be_mocked(state, sock)
        attempt, pool = state.attempt, state.pool
        if attempt is None or pool is None:
            if state.pool is None and sock is not None:
                self._has_no_pool(conn)
            return
        for phase, took in clock.seconds.items():
            attempt.phases[phase] = attempt.phases.get(phase, 0.0) + took
        self._names_its_path(state, pool, attempt, sock)
        if sock is not None or connecting.sockets:
            attempt.connected_at, attempt.predecessor = self.clock(), None
            attempt.local_port = _local_port(sock)
            self.may_speak_http2(conn, pool)
        unverified = sock is not None and _is_unverified(conn, attempt.host)
        for recorder in self.recorders:
            if recorder in attempt.recorders:
                recorder.add(attempt)
        for route in self._routes_that_saw(attempt, pool):
            route.counts.connects = (route.counts.connects or 0) + max(1, connecting.sockets)
            route.connected += connecting.sockets or int(sock is not None)
            route.counts.unverified += unverified
            route.add_opening(clock.seconds)
            if sock is not None:
                route.add_failed(connecting.failed)

    def _that_connects(self, conn: Any) -> ConnectionState:
        """The state of this connection, or of the one of a pool's within which it does the work."""
        state, call = self.connection(conn), current_call()
        if state.pool is None and call is not None and call.needs_a_socket():
            return call.connection or state
        return state

    def has_opened_by_itself(self, conn: Any, state: ConnectionState) -> None:
        """Its class has a ``connect`` of its own, as for Unix sockets; or it is a recording."""
        sock, pool = socket_of(conn), state.pool
        if not isinstance(sock, socket.socket) or pool is None:
            return
        if state.attempt is None or state.connected or state.attempt.end is not None:
            self._opens(state, pool, state.attempt, reconnect=state.attempt is not None)
        attempt = state.attempt
        if attempt is not None:
            self._names_its_path(state, pool, attempt, sock)
            attempt.connected_at, attempt.predecessor = self.clock(), None
            for recorder in self.recorders:
                recorder.add(attempt)
            for route in self._routes_that_saw(attempt, pool):
                route.counts.connects = (route.counts.connects or 0) + 1
                route.connected += 1
        state.connected = True

    def _names_its_path(
        self, state: ConnectionState, pool: Pool, attempt: ConnectionAttempt, sock: Any
    ) -> None:
        """If it is the first over a Unix socket of this pool, the path is the route."""
        before = pool.routes[1]
        if not isinstance(sock, socket.socket) or not names_its_path(pool, sock):
            return
        for route in before:
            route.in_flight.pop(state.number, None)
        self.takes(state, pool)
        attempt.host, attempt.via = pool.host, pool.via

    def _routes_that_saw(self, attempt: ConnectionAttempt, pool: Pool) -> list[Route]:
        """The routes whose recorders listened when this attempt began."""
        recorders, routes = self.routes_of(pool)
        pairs = zip(recorders, routes, strict=True)
        return [route for recorder, route in pairs if recorder in attempt.recorders]

    def _has_no_pool(self, conn: Any) -> None:
        """Somebody uses urllib3's HTTPConnection by itself, as http.client's: we do not see how."""
        host = address("http", str(own(conn, "host", "?")), own(conn, "port"))
        for recorder in self.recorders:
            recorder.warn(
                f"A urllib3 HTTPConnection without a pool connected to {host.partition('//')[2]}: "
                "it is not counted."
            )


def _is_unverified(conn: Any, host: str) -> bool:
    """Whether nobody has checked who is at the other end, which is on another machine."""
    verified = own(conn, "is_verified", True)
    return host.startswith("https:") and not verified and is_elsewhere(host)


def _local_port(sock: Any) -> int | None:
    if not isinstance(sock, socket.socket):
        return None
    try:
        name = socket.socket.getsockname(sock)
    # closed by gevent, where its greenlet was killed; eventlet's sockets have no such function
    except (OSError, AttributeError) as error:
        if not is_ours(error, GREENLETS):
            raise
        return None
    return name[1] if type(name) is tuple else None
