"""Responses that are handed out before their body is read: the program reads when it likes."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Any

from keptalive.watching.doing import READING
from keptalive.watching.endings import Endings
from keptalive.watching.foreign import attached_to, own
from keptalive.watching.openings import Routes
from keptalive.watching.tracking import ConnectionState


class Streams(Endings):
    """What the hooks report of responses that were asked for as streams.

    Such a response is in flight until its head is there, and again while the program reads from
    it. A flow of control reads one at a time: when it turns to another, or sends another request,
    the one before is not in flight.

    Attributes:
        streams: the connections whose response is handed out, and not read to its end.
        reading: the one that a flow of control reads from now.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self.streams: set[ConnectionState] = set()
        self.reading: dict[int, ConnectionState] = {}

    def begins_in_child(self) -> None:
        super().begins_in_child()
        self.streams.clear()
        self.reading.clear()

    def hands_out(self, state: ConnectionState, routes: Routes) -> None:
        """It is in flight no more, until the program reads from it."""
        state.streamed = True
        self.streams.add(state)
        for route in routes[1]:
            route.in_flight.pop(state.number, None)

    def on_read(self, response: Any) -> None:
        """The program reads from a response that was handed out before its body was read."""
        state = attached_to(own(response, "_connection"))
        if type(state) is not ConnectionState or not state.streamed or state.pool is None:
            return
        state.response = weakref.ref(response)
        flow = self.flow()
        if self.reading.get(flow) is not state:
            self.reads_no_more(flow)
            self.reading[flow] = state
            self.takes(state, state.pool)

    def reads_no_more(self, flow: int) -> None:
        """This flow of control does something else now: what it read from is not in flight."""
        state = self.reading.pop(flow, None)
        if state is not None and state.pool is not None and state.doing is READING:
            for route in state.pool.routes[1]:
                route.in_flight.pop(state.number, None)

    def comes_back(self, state: ConnectionState) -> None:
        """A response that was handed out has come back."""
        state.streamed, state.response = False, None
        self.streams.discard(state)
        for flow, one in list(self.reading.items()):
            if one is state:
                self.reading.pop(flow, None)

    def look_at_all(self) -> None:
        super().look_at_all()
        for one in list(self.streams):
            if one.is_gone():
                self.streams.discard(one)
