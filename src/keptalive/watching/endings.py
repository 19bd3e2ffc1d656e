"""How connections end, as far as it shows: in what a pool does, in an error, in the socket."""

from __future__ import annotations

import http.client
import sys
from typing import Any

from urllib3.connectionpool import HTTPConnectionPool

from keptalive.records.connection import CloseReason
from keptalive.watching.acknowledged import acknowledged
from keptalive.watching.call_site import error_of_reading, reading_error
from keptalive.watching.calls import AGAIN, LAST_FAILURE, Again, Call, LastFailure, current_call
from keptalive.watching.close_reason import close_reason
from keptalive.watching.doing import KEPT, LOST, READING
from keptalive.watching.errors_beneath import GIVEN_UP, beneath
from keptalive.watching.foreign import is_redirect, own, socket_of
from keptalive.watching.mocks import mock_of
from keptalive.watching.timeline import exchange_goes_on
from keptalive.watching.tracking import ConnectionState, socket_queue
from keptalive.watching.waits import Waits

# An attribute by which a pool says why it closes a connection that it has just taken
MARK = "closed_for"
MAX_IDLE, MAX_AGE = "max-idle", "max-age"


class Endings(Waits):
    """What the hooks report of connections that end."""

    def found_dropped(self, conn: Any) -> None:
        """urllib3 wanted it, and found that its socket is closed or can be read."""
        state, call = self.connection(conn), current_call()
        self.was_open(state)
        state.found = True
        sock = socket_of(conn)
        how = close_reason(sock)
        if sock is None:
            state.ends_with_its_pool(self.clock())
            how = state.reason_of_own()
        state.ends(how, self.clock())
        if call is not None:
            call.replaced = state  # unless it reconnects: urllib3 1.26 has a new one for a tunnel

    def closes(self, conn: Any) -> None:
        """A pool says that it closes this one, which it has just taken, for its own `MARK`."""
        state, call = self.connection(conn), current_call()
        sock = socket_of(conn)
        mark = own(conn, MARK)
        if sock is None or mark not in (MAX_IDLE, MAX_AGE):
            return
        self.was_open(state)
        how = close_reason(sock)
        state.found = True
        state.ends(CloseReason.REPLACED if how is CloseReason.UNKNOWN else how, self.clock())
        if mark == MAX_AGE and state.attempt is not None:
            state.attempt.adds(too_old=True)
        if call is not None:
            call.replaced = state

    def fails_to_read(self, conn: Any) -> None:
        """It is closed while an error is handled: since its body could not be read to the end?"""
        state, error = self.connection(conn), reading_error()
        self._was_given_up(state, conn)
        if error is None or state.doing is not READING or socket_of(conn) is None:
            return
        state.error, state.doing = type(error).__name__, LOST
        if state.attempt is not None and state.attempt.end is None:
            state.ends(CloseReason.FAILED, self.clock())
            state.attempt.adds(beneath=beneath(error), answered=True)
        if state.pool is not None:
            state.pool.loses(state)

    def _was_given_up(self, state: ConnectionState, conn: Any) -> None:
        """http.client closes it for want of a response: an end of the server's, or of nobody's?

        Over TLS, Python up to 3.12 shows a connection that the system has given up as one that the
        server has ended.
        """
        if state.attempt is not None and type(sys.exc_info()[1]) is http.client.RemoteDisconnected:
            lost_s = self.clock() - state.sent_at
            state.attempt.given_up = acknowledged(socket_of(conn), lost_s) is False

    def closed_at_release(self, pool: Any, state: ConnectionState) -> None:
        """Its pool has closed it when it came back: there was no room, or the pool is closed."""
        home = state.pool
        if state.doing is not KEPT or home is None:
            return  # another flow of control has it already
        is_closed = socket_queue(pool) is None
        if state.attempt is not None:
            state.attempt.forgets_guess()  # of an opening that has just looked at it
        state.ends(CloseReason.POOL_CLOSED if is_closed else CloseReason.DISCARDED, self.clock())
        if is_closed:
            home.known.discard(state)
        else:
            home.discards(state)
            size = own(socket_queue(pool), "maxsize") or None
            for route in self.routes_of(home)[1]:
                counts = route.counts
                counts.discarded = (counts.discarded or 0) + 1
                counts.pool_size = max(counts.pool_size or 0, size or 0) or None

    def owner_closes(self, keeper: Any) -> None:
        """An adapter or a PoolManager is closed, and all its pools."""
        owner = self.owner_of(keeper)
        owner.closings += 1
        owner.closed_at = self.clock()

    def _mock_fails(self, connection: ConnectionState, call: Call | None) -> None:
        """A recording has no answer, or is to fail: no connection has anything to do with it."""
        if call is not None:
            call.counted = True
        for route in connection.pool.routes[1] if connection.pool is not None else ():
            route.in_flight.pop(connection.number, None)

    def has_failed(self, pool: Any, conn: Any, error: BaseException, method: Any = None) -> None:
        """A request on this connection has ended without a response."""
        state, connection, call = self.pool_of(pool), self.connection(conn), current_call()
        if connection.mock is not None or mock_of(conn) is not None:
            self._mock_fails(connection, call)
            return
        sock = socket_of(conn)  # urllib3 closes it next
        if call is None:
            first = not self.is_repeated(state)
        else:
            first, call.counted = not call.counted, True
            call.connection = connection
        if connection.was_closed and connection.pool is not None:
            self.has_opened_by_itself(conn, connection)
        now = self.clock()
        lost_s = now - connection.sent_at
        connection.error = type(error).__name__
        attempt = connection.attempt
        if attempt is not None and attempt.facts.pool_is_new and not state.has_answered:
            state.is_new = True  # nothing has come of it yet
        state.loses(connection)
        was_kept = attempt is not None and attempt.answered
        if attempt is not None and attempt.end is None:
            connection.ends(CloseReason.FAILED, now, idle=False)
            name, answered = beneath(error), error_of_reading(error) is not None
            is_seen = was_kept and connection.since is not None
            attempt.adds(
                idle_s=connection.idle_s if is_seen else None,
                beneath=name,
                answered=answered,
                method=method if type(method) is str else None,
                lost_s=None if answered else lost_s,
                sent_again=False,
                acknowledged=(
                    False if name == GIVEN_UP or attempt.given_up else acknowledged(sock, lost_s)
                ),
            )
        routes = self.routes_of(state)[1]
        LAST_FAILURE.set(LastFailure(self.flow(), list(routes), attempt, was_kept=was_kept))
        for route in routes:
            route.in_flight.pop(connection.number, None)
            route.repeated += not first
            counts = route.counts
            counts.errors[connection.error] = counts.errors.get(connection.error, 0) + 1
            if was_kept:
                counts.seconds_lost = (counts.seconds_lost or 0.0) + lost_s
        if connection.exchange is not None:
            exchange_goes_on(connection)
            connection.exchange.released, connection.exchange = now, None

    # -- what follows a failure, or a response that calls for another try

    def tries_again(self, pool: Any, response: Any) -> None:
        """The request will be sent again; a redirect is no retry."""
        if not issubclass(type(pool), HTTPConnectionPool) or is_redirect(response):
            return
        state, call, failure = self.pool_of(pool), current_call(), self._last_failure()
        routes = self.routes_of(state)[1]
        why = None
        if response is not None:
            LAST_FAILURE.set(LastFailure(self.flow(), list(routes)))
            status = own(response, "status")
            why = str(status) if type(status) is int else "no status"
            for route in routes:
                statuses = route.counts.retried_statuses
                statuses[why] = statuses.get(why, 0) + 1
        elif failure is not None and failure.attempt is not None:
            failure.attempt.adds(sent_again=True)
            why = failure.attempt.end.error if failure.attempt.end is not None else None
        if call is None:
            AGAIN.set(Again(state, self.flow(), why))
        else:
            call.again, call.retried_for = True, why
        for route in routes:
            route.counts.retried += 1

    def has_backed_off(self, began: float) -> None:
        """The time before another try is over; it began then."""
        took, failure = self.clock() - began, self._last_failure()
        LAST_FAILURE.set(None)
        if failure is None:
            return
        end = failure.attempt.end if failure.attempt is not None else None
        if failure.attempt is not None and end is not None and end.lost_s is not None:
            failure.attempt.adds(lost_s=end.lost_s + took)
        for route in failure.routes:
            counts = route.counts
            counts.seconds_backing_off += took
            if failure.was_kept:
                counts.seconds_lost = (counts.seconds_lost or 0.0) + took

    def _last_failure(self) -> LastFailure | None:
        failure = LAST_FAILURE.get()
        return failure if failure is not None and failure.flow == self.flow() else None
