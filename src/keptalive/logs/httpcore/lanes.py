"""The lines of one thread or task, and which of its requests a line is of."""

from __future__ import annotations

from dataclasses import dataclass, field

from keptalive.logs.httpcore.messages import Step
from keptalive.logs.httpcore.state import Ended, Flow

_FLOWS_KEPT = 4096  # of one thread: more are open only where their ends are missing
# From which states a step can be taken: those that are sooner over come first
FROM: dict[tuple[str, str], tuple[str, ...]] = {
    ("connect_tcp", "complete"): ("connecting",),
    ("connect_tcp", "failed"): ("connecting",),
    ("connect_unix_socket", "complete"): ("connecting",),
    ("connect_unix_socket", "failed"): ("connecting",),
    ("setup_socks5_connection", "started"): ("connected",),
    ("setup_socks5_connection", "complete"): ("socks",),
    ("setup_socks5_connection", "failed"): ("socks",),
    ("start_tls", "started"): ("tunnelled", "connected"),
    ("start_tls", "complete"): ("tls",),
    ("start_tls", "failed"): ("tls",),
    ("send_connection_init", "started"): ("connected",),
    ("send_connection_init", "failed"): ("connected",),
    ("send_request_headers", "failed"): ("sent", "tunnelling"),
    ("send_request_body", "failed"): ("sent", "tunnelling"),
    ("receive_response_headers", "failed"): ("sent", "tunnelling"),
    ("receive_response_body", "started"): ("headed",),
    ("receive_response_body", "complete"): ("reading",),
    ("receive_response_body", "failed"): ("reading",),
    ("response_closed", "started"): ("failed", "read", "reading", "headed", "sent", "tunnelling"),
}
PHASES = {
    "connect_tcp": "connect",
    "connect_unix_socket": "connect",
    "setup_socks5_connection": "tunnel",
    "start_tls": "tls",
}


@dataclass(slots=True)
class Lane:
    """The lines of one thread or task, or of several that the log does not tell apart.

    Attributes:
        last: the request of the last line.
        head: a response's head that may be a proxy's or a request's: the next line tells.
        closes: connections that were closed just before.
        is_refused: a proxy has refused a tunnel: the next connection that is closed is that one.
    """

    flows: list[Flow] = field(default_factory=list)
    last: Flow | None = None
    head: tuple[Step, float | None] | None = None
    closes: list[Ended] = field(default_factory=list)
    is_refused: bool = False

    def add(self, flow: Flow) -> Flow | None:
        """A request begins; that of the oldest whose end is missing, if there are too many."""
        self.flows.append(flow)
        return self.flows.pop(0) if len(self.flows) > _FLOWS_KEPT else None

    def forget(self, flow: Flow) -> None:
        """A request is over."""
        if flow in self.flows:
            self.flows.remove(flow)

    def flow(self, states: tuple[str, ...], stream: int | None = None) -> Flow | None:
        """The request that can take a step from one of these states."""
        last = self.last
        if last is not None and last.state in states and stream in (None, last.stream):
            return last
        for state in states:
            for flow in self.flows:
                if flow.state == state and stream in (None, flow.stream):
                    return flow
        return None
