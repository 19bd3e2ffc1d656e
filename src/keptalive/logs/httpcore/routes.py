"""All routes of httpx's that a log shows, and what is counted of each."""

from __future__ import annotations

from keptalive.counting import count_error
from keptalive.logs.httpcore.host import HttpcoreHost
from keptalive.logs.httpcore.messages import Place
from keptalive.logs.httpcore.pool import Pools
from keptalive.logs.httpcore.state import Ended, Flow

HOSTS_KEPT = 10_000
# What a request ends in if the server closes its kept connection meanwhile
_DISCONNECTED = frozenset({"RemoteProtocolError", "ReadError", "WriteError"})


class Routes:
    """The counts of each route.

    Attributes:
        any_steps: there is a line of httpcore's.
        any_responses: there is one of httpx's behind a response, so that all have their host.
        responses_only: httpx's lines, by host, as long as there is none of httpcore's.
        unplaced: responses on kept connections whose host no line names.
    """

    def __init__(self) -> None:
        self.any_steps = False
        self.any_responses = False
        self.responses_only: dict[str, int] = {}
        self.unplaced = 0
        self._hosts: dict[tuple[str, int, str], HttpcoreHost] = {}

    @property
    def all(self) -> tuple[HttpcoreHost, ...]:
        """Those that are kept."""
        return tuple(self._hosts.values())

    def host(
        self, name: str, port: int, *, scheme: str = "", via: str | None = None
    ) -> HttpcoreHost:
        """The route to this host; ``scheme`` is that of a unix socket, or unknown."""
        key = (name, port if via is None else 0, via or scheme)
        host = self._hosts.get(key)
        if host is None:
            host = HttpcoreHost(name=name, port=port, scheme=scheme, via=via)
            if len(self._hosts) < HOSTS_KEPT:
                self._hosts[key] = host
        return host

    def only(self, place: Place) -> None:
        """A line of httpx's, and none of httpcore's."""
        if len(self.responses_only) < HOSTS_KEPT:
            label = HttpcoreHost(name=place.host, port=place.port, scheme=place.scheme).label
            self.responses_only[label] = self.responses_only.get(label, 0) + 1

    # Requests

    def requested(self, flow: Flow) -> None:
        """The program has made a request, in however many tries."""
        if flow.host is not None and not flow.is_requested:
            flow.is_requested = True
            flow.host.requests += 1

    def answered(self, flow: Flow, pools: Pools) -> None:
        """A response came."""
        if flow.is_counted:
            return
        flow.is_counted = True
        host = flow.host
        if flow.held is not None:
            flow.held.served += 1
        if host is None:
            self.unplaced += 1
            return
        self.requested(flow)
        if flow.is_new:
            host.opened += 1
            pools.use(host).opened += 1
            host.add_opening(flow.cause or "unknown", flow.phases, answered=True)
            return
        host.reused += 1
        host.unsure += not flow.is_sure and not self.any_responses
        if flow.idle_s is not None:
            host.survived_s = max(host.survived_s, flow.idle_s)

    def failed(self, flow: Flow, pools: Pools, at_s: float | None, *, connected: bool) -> None:
        """A try ended without a response."""
        host = flow.host
        pools.leaves(flow)
        pools.drop(flow.held)
        flow.held = None
        if host is None:
            return
        self.requested(flow)
        host.unanswered += 1
        count_error(host.errors, flow.error)
        if not connected:
            return
        if flow.is_new:
            pools.settle(flow)
            host.opened_unanswered += 1
            host.add_opening(flow.cause or "unknown", flow.phases, answered=False)
            flow.cause = None
        elif at_s is not None and flow.step_s is not None:
            host.seconds_lost += max(0.0, at_s - flow.step_s)
        stale = not flow.is_new and flow.error in _DISCONNECTED
        cause = "stale-connection" if stale else "failed-request"
        if stale and flow.idle_s is not None:
            host.note_idle(cause, flow.idle_s)
        pools.use(host).ended.append(Ended(host, cause, at_s=at_s))

    # Hosts that turn out to be others

    def placed(self, flow: Flow, place: Place, pools: Pools) -> None:
        """The line of httpx says whom a response is from."""
        host = flow.host
        self.any_responses = flow.is_sure = True
        if host is not None and host.scheme == "unix":
            return
        if host is not None and host.fits(place):
            host.port, host.scheme = place.port, place.scheme
        elif host is not None and host.via is None and (flow.is_new or host.origins):
            if place.scheme == "http":  # a proxy, which serves all of them
                origin = HttpcoreHost(name=place.host, port=place.port, scheme="http")
                host.origins[origin.label] = None
        elif not flow.is_new:
            self._was_another(flow, place, pools)

    def _was_another(self, flow: Flow, place: Place, pools: Pools) -> None:
        """It came on another kept connection than on the one that was guessed."""
        if flow.held is not None:
            flow.held.using = max(0, flow.held.using - 1)
        fits = [held for held in pools.idle() if held.host.fits(place)]
        flow.held, flow.idle_s = (fits[0] if fits else None), None
        if flow.held is not None:
            flow.held.using += 1
            host = flow.held.host
        else:  # its connection was open before the log began
            known = (host for host in self._hosts.values() if host.fits(place))
            host = next(known, None) or self.host(place.host, place.port)
        pools.moves(flow, host)
        host.port, host.scheme = place.port, place.scheme
