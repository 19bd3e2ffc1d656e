"""What the httpx clients of one process hold, as far as a log shows: connections and requests.

httpcore's lines name no connection. Where only one fits, a line is of that one; else of the
one that httpcore would take: the first that was opened (``ConnectionPool``
``_assign_requests_to_connections``). Counts do not depend on it.
"""

from __future__ import annotations

from keptalive.causes.log_sets import (
    CLIENT_CLOSED,
    EXPIRED,
    NOT_KEPT,
    NOT_KEPT_LONG,
    SURPLUS,
    UNTIMED,
)
from keptalive.logs.httpcore.host import HttpcoreHost
from keptalive.logs.httpcore.state import KEPT, Ended, Flow, Held, Use

DEFAULT_EXPIRY_S = 5.0  # httpx.Limits(keepalive_expiry=5.0)
# A client that is made loads a CA bundle, which takes longer than a pool from closing to opening
_NEW_CLIENT_S = 0.005
_NEW_CLIENT_BUSY_S = 0.1  # the same, where other threads or tasks run meanwhile
_AT_ONCE_S = 0.4  # no idle timeout is shorter


class Pools:
    """The connections of one process, whatever clients they belong to.

    Attributes:
        open: those that are open, in the order in which they were opened.
        uses: what is done with each route.
        has_parts: the log's times have parts of a second.
        of_httpx: the log is known to be of httpx, where a client has one TLS context.
        clients: a number that grows with each client that the log shows to be made.
    """

    def __init__(self) -> None:
        self.open: list[Held] = []
        self.uses: dict[HttpcoreHost, Use] = {}
        self.has_parts = False
        self.of_httpx = False
        self.clients = 0

    def use(self, host: HttpcoreHost) -> Use:
        """What is done with this route."""
        use = self.uses.get(host)
        if use is None:
            use = self.uses[host] = Use()
        return use

    # Requests

    def enters(self, flow: Flow) -> None:
        """This request is in flight on its route."""
        if flow.host is not None:
            use = self.use(flow.host)
            use.active.add(flow)
            use.unread.discard(flow)
            use.most = max(use.most, len(use.active))
            if use.most_sure < len(use.active):
                use.most_sure = max(use.most_sure, sum(one.is_sure for one in use.active))

    def leaves(self, flow: Flow, *, unread: bool = False) -> None:
        """It is no longer; ``unread`` if its response is to be read later, or never."""
        if flow.host is not None:
            use = self.use(flow.host)
            use.active.discard(flow)
            (use.unread.add if unread else use.unread.discard)(flow)

    def moves(self, flow: Flow, host: HttpcoreHost) -> None:
        """Its route turns out to be another one."""
        before = flow.host
        if before is host:
            return
        most = self.use(before).most if before is not None else 0
        self.leaves(flow)
        flow.host = host
        self.enters(flow)
        if flow.is_new and before is not None:  # through a proxy
            host.most_at_proxy = max(host.most_at_proxy, most)
            host.proxy = before
            before.leads_to.add(host)

    def busy(self) -> int:
        """Requests in flight, whatever route."""
        return sum(len(use.active) for use in self.uses.values())

    # Connections

    def idle(self) -> list[Held]:
        """Those that a request could use now."""
        return [held for held in self.open if held.multiplexes or not held.using]

    def take(self, flow: Flow, at_s: float | None) -> None:
        """A request is sent on a kept connection: the one that httpcore would take."""
        idle = self.idle()
        fits = [held for held in idle if flow.host is None or held.host is flow.host]
        flow.is_sure = len({held.host for held in fits}) == 1
        if not fits:
            self._take_unseen(flow)
            return
        held = fits[0]
        if len(fits) == 1 and at_s is not None and held.idle_since_s is not None:
            flow.idle_s = max(0.0, at_s - held.idle_since_s) if not held.using else 0.0
        held.using += 1
        flow.held = held
        self.moves(flow, held.host)

    def _take_unseen(self, flow: Flow) -> None:
        """The log begins later than this connection. If there is one route, it is of that."""
        if len(self.uses) == 1:
            (host,) = self.uses
            self.moves(flow, host)
        if flow.host is not None:
            use = self.use(flow.host)
            use.unavoidable = max(use.unavoidable, 1)

    def opens(self, flow: Flow, host: HttpcoreHost) -> Held:
        """A request has opened its connection."""
        held = flow.held = Held(host=host, using=1, context=flow.context)
        if len(self.open) >= KEPT:
            del self.open[0]
        self.open.append(held)
        return held

    def drop(self, held: Held | None) -> None:
        """A connection is closed."""
        if held is not None and held in self.open:
            self.open.remove(held)

    def closes(self, at_s: float | None) -> Ended | None:
        """The client closes a connection: of several the one that is idle for longest."""
        idle = [held for held in self.open if not held.using]
        if not idle:
            return None
        held = min(idle, key=lambda one: one.idle_since_s or 0.0)
        self.open.remove(held)
        since_s = held.idle_since_s
        idle_s = None if at_s is None or since_s is None else max(0.0, at_s - since_s)
        ended = Ended(
            held.host,
            idle_s=idle_s,
            at_s=at_s,
            others_left=bool(self.open),
            context=held.context,
            clients=self.clients,
        )
        self.use(held.host).ended.append(ended)
        return ended

    # Causes

    def settle(self, flow: Flow) -> None:
        """The route of a new connection is certain, and so is why it is opened."""
        host = flow.host
        if host is None or flow.cause is not None:
            return
        use = self.use(host)
        needed = 1 if use.multiplexes else max(use.most, host.most_at_proxy)
        if use.unavoidable < needed:
            use.unavoidable += 1
            flow.cause = "first-use" if use.unavoidable == 1 else "concurrency"
        else:
            flow.cause = self._avoidable(flow, host, use)

    def _avoidable(self, flow: Flow, host: HttpcoreHost, use: Use) -> str:
        closed = next((one for one in flow.closes if one.host is host), None)
        kept = [h for h in self.open if h.host is host and not h.using]
        if closed is None and kept and self.busy() <= 1:
            if not kept[0].is_silent:  # a client would have used it
                return "new-session"
            self.drop(kept[0])
            closed = Ended(
                host,
                at_s=flow.begun_s,
                is_silent=True,
                context=kept[0].context,
                clients=self.clients,
            )
            if flow.begun_s is not None and kept[0].idle_since_s is not None:
                closed.idle_s = flow.begun_s - kept[0].idle_since_s
        if closed is None and use.ended:
            closed = use.ended[0]
        if closed is None:
            return "unread-body" if use.unread else "unknown"
        if closed in use.ended:
            use.ended.remove(closed)
        cause = closed.cause
        if not cause and self._is_anothers(closed, flow):
            return "new-session"
        cause = cause or self._closed_by_client(closed, flow, host)
        if closed.idle_s is not None and cause in (EXPIRED, NOT_KEPT_LONG):
            host.note_idle(cause, closed.idle_s)
        return cause

    def _is_anothers(self, closed: Ended, flow: Flow) -> bool:
        """Whether another client than the one that has closed a connection opens this one."""
        differ = closed.context != flow.context and closed.context and flow.context
        return self.clients > closed.clients or bool(differ and self.of_httpx)

    def _closed_by_client(self, closed: Ended, flow: Flow, host: HttpcoreHost) -> str:
        """Why the client had closed a connection that was there, as far as times tell.

        A pool closes what has expired, or what the server has closed, right before it opens
        another; one that has too many right after a response; and all with the client.
        """
        idle_s, before_s, after_s = closed.idle_s, closed.at_s, flow.begun_s
        if idle_s is None or before_s is None or after_s is None:
            return SURPLUS if closed.others_left else UNTIMED
        if closed.others_left and idle_s < DEFAULT_EXPIRY_S:
            return SURPLUS
        pause_s = after_s - before_s
        if not self.has_parts:  # whole seconds: one more or less
            if pause_s >= 2 or idle_s < 2:
                return CLIENT_CLOSED
        elif pause_s >= (_NEW_CLIENT_S if self.busy() <= 1 else _NEW_CLIENT_BUSY_S):
            return CLIENT_CLOSED
        elif idle_s < _AT_ONCE_S:
            return CLIENT_CLOSED if closed.is_silent else NOT_KEPT
        return EXPIRED if idle_s >= DEFAULT_EXPIRY_S > host.survived_s else NOT_KEPT_LONG
