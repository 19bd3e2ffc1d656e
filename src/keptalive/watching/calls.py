"""What one flow of control (a thread, a greenlet, a task) is doing: its call, retry, connect.

It stands in context variables, since greenlets share a thread. When a call ends, each variable is
set to what it was before, or the call says of itself that it is over (another `set` costs a warm
request too much); a token would be lost if the program's own exception struck in between.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.watching.call_site import NOWHERE, Place
from keptalive.watching.foreign import GREENLETS

if TYPE_CHECKING:
    from keptalive.watching.attempts import ConnectionAttempt
    from keptalive.watching.routes import Route
    from keptalive.watching.tracking import ConnectionState, Pool


class Call:
    """One request of the program's, with all its tries and redirects.

    Attributes:
        by: the `id` of the Session or PoolManager; one within itself follows a redirect. None once
            it is over: it is there until the next request of this flow of control, or of one whose
            context was copied from it.
        stream: the response is handed out before its body is read.
        requested_at: where in the program a stream was asked for.
        asked: the request, which has a ``url`` and ``headers``; a redirect may lead where they are
            not meant for.
        counted: whether it has been counted for its host.
        connection: the one that was used last.
        again: its last try has failed, and another follows.
        retried_for: why: the status of the response, or the name of the error.
        replaced: a connection that was taken and is of no use, until one is opened in its place.
    """

    # On the class until they change: a call seldom has more to remember, and each costs time
    by: int | None = None
    asked: Any = None
    stream = redirected = counted = again = False
    connection: ConnectionState | None = None
    replaced: ConnectionState | None = None
    requested_at: Place = NOWHERE
    retried_for: str | None = None

    def needs_a_socket(self) -> bool:
        """Whether its connection is to send a request, and is not open itself."""
        connection = self.connection
        return connection is not None and connection.is_sending() and not connection.is_open()


class Asked:
    """What a call of ``PoolManager.urlopen`` asks for, as a request of requests has it."""

    def __init__(self, manager: Any, args: Sequence[Any], settings: dict[str, Any]) -> None:
        self.url = settings["url"] if "url" in settings else args[1] if len(args) > 1 else None
        self.headers = settings.get("headers") or manager.headers


class Again:
    """Where there is no call: a try on this pool has failed, so that another follows, or should.

    Attributes:
        pool: whose next try by this flow of control is no new request.
        flow: a context that was copied from its own is another's.
        retried_for: as in `Call`.
    """

    __slots__ = ("flow", "pool", "retried_for")

    def __init__(self, pool: Pool, flow: int, retried_for: str | None) -> None:
        self.pool: Pool | None = pool
        self.flow = flow
        self.retried_for = retried_for


class LastFailure:
    """What the last try on this flow of control came to, until it is known what follows.

    Attributes:
        flow: a context that was copied from its own is another's.
        attempt: the connection on which it failed; None if it had a response.
        routes: where the time is counted that is spent before the next try.
        was_kept: the connection had served before.
    """

    __slots__ = ("attempt", "flow", "routes", "was_kept")

    def __init__(
        self,
        flow: int,
        routes: list[Route],
        attempt: ConnectionAttempt | None = None,
        *,
        was_kept: bool = False,
    ) -> None:
        self.flow = flow
        self.routes = routes
        self.attempt = attempt
        self.was_kept = was_kept


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

    def breaks_off(self, sock: Any) -> None:
        """Something else than the network ended the wait, as where a greenlet is killed.

        Perhaps the other end has accepted it already: this side is told only when it waits again.
        """
        self.sockets += _has_connected(sock)

    def fails(self, address: Any, seconds: float, error: OSError) -> None:
        """One address has not answered; others may be tried."""
        name = str(address[0]) if type(address) is tuple else "a local socket"
        self.failed.append((name, seconds, type(error).__name__))


def _has_connected(sock: socket.socket) -> bool:
    try:
        socket.socket.getpeername(sock)
    except (OSError, AttributeError) as error:
        if not is_ours(error, GREENLETS):
            raise
        return False
    return True


CALL: ContextVar[Call | None] = ContextVar("keptalive_call", default=None)
CONNECTING: ContextVar[Connecting | None] = ContextVar("keptalive_connecting", default=None)
AGAIN: ContextVar[Again | None] = ContextVar("keptalive_again", default=None)
LAST_FAILURE: ContextVar[LastFailure | None] = ContextVar("keptalive_failure", default=None)


def current_call() -> Call | None:
    """The request of the program's that this flow of control makes."""
    call = CALL.get()
    return None if call is None or call.by is None else call


def retried_for(call: Call | None, pool: Pool, flow: int) -> str | None:
    """Why the try before has failed, if this one sends the same request again."""
    if call is not None:
        return call.retried_for if call.again else None
    again = AGAIN.get()
    is_same = again is not None and again.pool is pool and again.flow == flow
    return again.retried_for if is_same and again is not None else None


def flow_teller() -> Callable[[], int]:
    """A function that identifies the flow of control that calls it."""
    getcurrent = getattr(sys.modules.get("greenlet"), "getcurrent", None)
    return threading.get_ident if getcurrent is None else lambda: id(getcurrent())
