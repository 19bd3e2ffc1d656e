"""The clock of a probe and all of its waiting: whatever it waits for, it sees each connection end.

So the time of an idle close is right also while requests are sent on another connection. A signal
interrupts the waiting and nothing else, in a block of `interruption.held`: so what was seen until
then is whole.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from keptalive import interruption
from keptalive.probe.events import Event, Seen
from keptalive.probe.line import Line
from keptalive.records.connection import CloseReason

TICK_S = 0.25  # how often progress is shown at least
FIN_AFTER_S = 1.0  # for so long a FIN is waited for after a close_notify

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a probe is."""

    seconds: float
    requests: int
    watched: int  # idle connections
    longest_idle_s: float


class Watcher:
    """Connections with no request in flight, and the events of all.

    Args:
        show: is told every so often how far the probe is.
        clock: seconds, from any beginning.

    Attributes:
        events: what was seen so far, in order.
        requests: how many were sent.
    """

    def __init__(
        self, show: Callable[[Progress], None] = lambda _: None, clock: Clock = time.monotonic
    ) -> None:
        self.events: list[Event] = []
        self.requests = 0
        self._show = show
        self._clock = clock
        self._began = clock()
        self._shown_s = 0.0
        self._selector = selectors.DefaultSelector()
        self._lines: list[Line] = []
        self._goodbyes: dict[Line, float] = {}

    def now(self) -> float:
        """Seconds since the probe began."""
        return self._clock() - self._began

    def note(self, event: Event) -> None:
        """Add what was seen."""
        self.events.append(event)

    @property
    def watched(self) -> tuple[Line, ...]:
        """The connections that are open and idle."""
        return tuple(line for line in self._lines if not line.over and not line.tls_closed)

    def watch(self, line: Line) -> None:
        """See from now on what shows on this connection."""
        self._lines.append(line)
        self._selector.register(line.sock, selectors.EVENT_READ, line)
        self._look(line)

    def unwatch(self, line: Line) -> None:
        """Leave it: a request is to be sent on it, or it is to be closed."""
        if line in self._lines:
            self._lines.remove(line)
            self._selector.unregister(line.sock)
            self._goodbyes.pop(line, None)

    def close(self) -> None:
        """Close all connections that are watched."""
        for line in list(self._lines):
            self.unwatch(line)
            line.close()
        self._selector.close()

    def wait(
        self,
        sock: socket.socket,
        *,
        until_s: float,
        writable: bool = False,
        interruptible: bool = True,
    ) -> bool:
        """Wait until this socket is ready: False if it was not in time.

        Raises:
            Interrupted: a signal came, and this wait is interruptible.
        """
        wanted = selectors.EVENT_WRITE if writable else selectors.EVENT_READ
        self._selector.register(sock, wanted, None)
        try:
            while not (ready := self._select(until_s, interruptible)) and self.now() < until_s:
                pass
            return ready
        finally:
            self._selector.unregister(sock)

    def pause(self, *, until_s: float, while_: Callable[[], bool] = lambda: True) -> None:
        """Wait for this long, or for as long as that holds.

        Raises:
            Interrupted: a signal came.
        """
        while while_() and self.now() < until_s:
            self._select(until_s)

    def _select(self, until_s: float, interruptible: bool = True) -> bool:
        """Wait once; see what showed. Whether the socket that is waited for is ready."""
        now = self.now()
        if now - self._shown_s >= TICK_S:
            self._shown_s = now
            idle = [now - line.answered_s for line in self.watched]
            self._show(
                Progress(
                    seconds=now,
                    requests=self.requests,
                    watched=len(idle),
                    longest_idle_s=max(idle, default=0.0),
                )
            )
        with interruption.allowed() if interruptible else interruption.held():
            ready = self._selector.select(max(0.0, min(until_s - now, TICK_S)))
        at_s = self.now()
        for key, _ in ready:
            if key.data is not None:
                self._look(key.data, at_s)
        for line, until in list(self._goodbyes.items()):
            if at_s >= until:
                self._drop(line)
        return any(key.data is None for key, _ in ready)

    def _look(self, line: Line, at_s: float | None = None) -> None:
        while (what := line.look()) is not None:
            seen_s = self.now() if at_s is None else at_s
            self.note(Seen(connection=line.number, at_s=seen_s, what=what))
            if line.ended_s is None and (line.over or line.tls_closed):
                line.ended_s = seen_s
            if what is CloseReason.TLS_CLOSE:
                self._goodbyes[line] = seen_s + FIN_AFTER_S
        if line.over:
            self._drop(line)

    def _drop(self, line: Line) -> None:
        self.unwatch(line)
        line.close()
