"""What each of httpcore's lines does to its request, its thread and its process."""

from __future__ import annotations

from dataclasses import dataclass

from keptalive.logs.httpcore.lanes import FROM, PHASES, Lane
from keptalive.logs.httpcore.messages import CLIENT_MADE, Place, Step
from keptalive.logs.httpcore.pool import Pools
from keptalive.logs.httpcore.routes import Routes
from keptalive.logs.httpcore.state import Ended, Flow

_NO_ERRORS = ("", "GeneratorExit", "CancelledError")  # of a body that the program does not read


@dataclass(slots=True)
class Steps:
    """Takes the lines of one thread.

    Attributes:
        routes: where responses are counted.
        lane: the thread.
        pools: what its process holds.
        at_s: the time of the line.
    """

    routes: Routes
    lane: Lane
    pools: Pools
    at_s: float | None = None

    def take(self, step: Step, at_s: float | None) -> None:
        """Read a line."""
        self.at_s = at_s
        if self.lane.head is not None:
            self._whose_head(step)
        if step.name == "response":
            self._response(step)
        elif step is CLIENT_MADE:
            self.pools.clients += 1
        else:
            self._step(step)

    def _step(self, step: Step) -> None:
        self.routes.any_steps = True
        self._set_aside(step)
        if step.name == "close":
            self._close(step)
            return
        if step.name.startswith("connect_") and step.phase == "started":
            self._connect(step)
        elif (step.name, step.phase) == ("send_request_headers", "started"):
            self._send(step)
        elif (step.name, step.phase) == ("receive_response_headers", "complete"):
            self._head(step)
        elif step.name == "retry":
            self._retry(step)
        elif states := FROM.get((step.name, step.phase)):
            flow = self.lane.flow(states, step.stream)
            if flow is not None:
                self.lane.last = flow
                self._go_on(flow, step)
        self.lane.closes.clear()

    def _set_aside(self, step: Step) -> None:
        """A response that its thread leaves for something else is a stream, not read yet."""
        last = self.lane.last
        if last is None or last.state != "headed":
            return
        if step.name not in ("receive_response_body", "response_closed"):
            self.routes.answered(last, self.pools)
            self.pools.leaves(last, unread=True)
            self.lane.last = None

    def _response(self, step: Step) -> None:
        """The line of httpx, right behind the head of its response."""
        last, place = self.lane.last, step.place
        if place is None:
            return
        if last is not None and last.state == "headed":
            self.pools.of_httpx = True
            self.routes.placed(self._whose_line(last, place), place, self.pools)
        elif not self.routes.any_steps:
            self.routes.only(place)

    def _whose_line(self, last: Flow, place: Place) -> Flow:
        """Whose head it was that came before a line of httpx: it names the host."""
        fits = (flow for flow in self.lane.flows if flow.state == "sent" and _fits(flow, place))
        other = None if _fits(last, place) else next(fits, None)
        if other is None:
            return last
        other.state, other.has_head, other.ends = "headed", True, last.ends
        last.state, last.has_head, last.ends = "sent", False, ""
        self.lane.last = other
        return other

    # Connections

    def _close(self, step: Step) -> None:
        """The client closes a connection of its pool."""
        lane = self.lane
        if step.phase != "started":
            if lane.closes and lane.closes[-1].at_s is not None:
                lane.closes[-1].at_s = self.at_s
            return
        if lane.is_refused:
            lane.is_refused = False
            return
        ended = self.pools.closes(self.at_s)
        if ended is None:
            return
        lane.closes.append(ended)
        if not self.pools.open:  # the client is closed, and with it all that it had
            for one in lane.closes:
                one.others_left = False

    def _connect(self, step: Step) -> None:
        lane, place = self.lane, step.place
        if place is not None:
            host = self.routes.host(place.host, place.port)
        else:
            host = self.routes.host(step.path, 0, scheme="unix")
        flow = lane.flow(("retrying",))
        if flow is None:
            flow = Flow("connecting")
            self._add(flow)
        flow.state, flow.host, flow.is_new = "connecting", host, True
        flow.closes, flow.begun_s, flow.step_s = tuple(lane.closes), self.at_s, self.at_s
        flow.phases = {}
        host.connects += 1
        self.pools.enters(flow)
        lane.last = flow

    def _add(self, flow: Flow) -> None:
        lost = self.lane.add(flow)
        if lost is not None:
            self.pools.leaves(lost)

    def _retry(self, step: Step) -> None:
        """Of httpcore's own ``retries``: the same request connects again."""
        last = self.lane.last
        if step.phase == "started" and last is not None and last.state == "unconnected":
            last.state = "retrying"
            self._add(last)

    def _opened(self, flow: Flow) -> None:
        """A new connection is about to carry a request: its route, and so its cause, is certain."""
        if flow.held is None and flow.host is not None:
            self.pools.settle(flow)
            held = self.pools.opens(flow, flow.host)
            held.is_silent = flow.host.via is not None

    def _phase(self, flow: Flow, name: str) -> None:
        if self.at_s is not None and flow.step_s is not None:
            took_s = max(0.0, self.at_s - flow.step_s)
            flow.phases[name] = flow.phases.get(name, 0.0) + took_s

    def _secured(self, flow: Flow, step: Step) -> None:
        """TLS begins, or a proxy's tunnel: now it is known whom the connection leads to."""
        host, place = flow.host, step.place
        is_socks = step.name != "start_tls"
        is_tunnel = is_socks or flow.state == "tunnelled"
        flow.step_s, flow.state = self.at_s, "socks" if is_socks else "tls"
        if is_tunnel and place is not None and host is not None:
            scheme = "socks5" if is_socks else (host.scheme or "http")
            via = f"{scheme}://{host.name}:{host.port}"
            route = self.routes.host(place.host, place.port, via=via)
            route.connects += 1
            host.connects -= 1
            host.scheme = scheme
            self.pools.moves(flow, route)
            host = route
        flow.context = step.context
        if host is not None and not is_socks:
            host.scheme = host.scheme or "https"

    # Requests

    def _send(self, step: Step) -> None:
        is_new = step.stream in (None, 1)  # a later stream of HTTP/2 has a connection
        flow = self.lane.flow(("connected",)) if is_new else None
        if flow is None:
            flow = Flow("sent")
            self._add(flow)
            self.pools.take(flow, self.at_s)
        elif step.method == "CONNECT":
            flow.state = "tunnelling"
        else:
            flow.state = "sent"
            if flow.host is not None and not flow.host.scheme:
                flow.host.scheme = "http"
            self._opened(flow)
        flow.step_s, flow.stream = self.at_s, step.stream
        self.lane.last = flow

    def _head(self, step: Step) -> None:
        sent, tunnelling = (self.lane.flow((state,)) for state in ("sent", "tunnelling"))
        if sent is not None and tunnelling is not None:
            self.lane.head = (step, self.at_s)
        elif flow := sent or tunnelling:
            self._headed(flow, step)

    def _whose_head(self, following: Step) -> None:
        """The head of a request's response, or a proxy's answer: behind that TLS begins."""
        if self.lane.head is None:
            return
        (step, at_s), self.lane.head = self.lane.head, None
        is_proxys = following.name in ("start_tls", "close")
        flow = self.lane.flow(("tunnelling",) if is_proxys else ("sent",))
        if flow is not None:
            now_s, self.at_s = self.at_s, at_s
            self._headed(flow, step)
            self.at_s = now_s

    def _headed(self, flow: Flow, step: Step) -> None:
        self.lane.last = flow
        if flow.state == "sent":
            flow.state, flow.has_head, flow.ends = "headed", True, step.closes
            return
        self._phase(flow, "tunnel")
        flow.state = "tunnelled"
        if not 200 <= step.status < 300:
            flow.error, self.lane.is_refused = "ProxyError", True
            self._fails(flow, connected=True)

    def _go_on(self, flow: Flow, step: Step) -> None:
        match step.name, step.phase:
            case "receive_response_body", "failed":
                flow.error = step.error  # it is closed next
            case "receive_response_headers", "failed":
                flow.error, flow.state = step.error, "failed"
            case (("send_request_headers" | "send_request_body"), "failed"):
                flow.error = step.error  # a response may come all the same
            case _, "failed":
                self._cannot_open(flow, step)
            case name, "complete" if name in PHASES:
                self._phase(flow, PHASES[name])
                flow.state = "connected"
            case (("setup_socks5_connection" | "start_tls"), _):
                self._secured(flow, step)
            case "send_connection_init", _:
                self._multiplexes(flow)
            case "receive_response_body", phase:
                self.routes.answered(flow, self.pools)
                flow.state = "reading" if phase == "started" else "read"
                self.pools.enters(flow)
            case _:
                self._closed(flow)

    def _multiplexes(self, flow: Flow) -> None:
        if flow.host is not None:
            self.pools.use(flow.host).multiplexes = True
            self._opened(flow)
        if flow.held is not None:
            flow.held.multiplexes = True

    # Ends

    def _cannot_open(self, flow: Flow, step: Step) -> None:
        flow.error = step.error
        if step.name not in ("connect_tcp", "connect_unix_socket"):
            self._phase(flow, PHASES.get(step.name, "tls"))
        self._fails(flow, connected=flow.state != "connecting")
        flow.state = "unconnected"

    def _fails(self, flow: Flow, *, connected: bool) -> None:
        self.routes.failed(flow, self.pools, self.at_s, connected=connected)
        self.lane.forget(flow)

    def _closed(self, flow: Flow) -> None:
        """The response is closed: its connection is kept, or ends."""
        if not flow.has_head:
            self._fails(flow, connected=True)
            return
        self.routes.answered(flow, self.pools)
        self.pools.leaves(flow)
        self.lane.forget(flow)
        held, host = flow.held, flow.host
        if held is not None:
            held.using = max(0, held.using - 1)
            held.idle_since_s = self.at_s
        if held is not None and held.multiplexes:
            return
        cause = flow.ends
        if not cause and flow.state != "read":
            cause = "abandoned-body" if flow.error in _NO_ERRORS else "failed-request"
        if cause:
            self.pools.drop(held)
            if host is not None:
                self.pools.use(host).ended.append(Ended(host, cause, at_s=self.at_s))


def _fits(flow: Flow, place: Place) -> bool:
    return flow.host is not None and flow.host.fits(place)
