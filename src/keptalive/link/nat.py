"""A NAT that forgets flows that were idle: it then drops their packets without a word. Pure.

Only a SYN of the client makes a new entry, as in a NAT (RFC 5382, section 5). Any packet of a known
flow, in either direction, counts as use of it: so TCP keepalive prevents that it is forgotten.
"""

from __future__ import annotations

from keptalive.link.packets import Segment

_MOST = 65_536  # entries; a real one has a limit too


class Nat:
    """What passes, for servers on the ports that have a timeout; everything else passes."""

    def __init__(self) -> None:
        self.dropped = 0
        self._timeouts_s: dict[int, float] = {}
        self._last_s: dict[tuple[int, int], float] = {}

    @property
    def is_used(self) -> bool:
        """Whether any port has a timeout."""
        return bool(self._timeouts_s)

    def forget_after(self, port: int, seconds: float) -> None:
        """From now on, forget flows to this server port that were idle for longer."""
        self._timeouts_s[port] = seconds

    def passes(self, segment: Segment, *, now_s: float) -> bool:
        """Whether this segment passes, at this time."""
        if (timeout_s := self._timeouts_s.get(segment.destination)) is not None:
            flow = (segment.source, segment.destination)
            opens = segment.opens
        elif (timeout_s := self._timeouts_s.get(segment.source)) is not None:
            flow = (segment.destination, segment.source)
            opens = False  # nobody outside can open one
        else:
            return True
        last_s = self._last_s.get(flow)
        if not opens and (last_s is None or now_s - last_s > timeout_s):
            self._last_s.pop(flow, None)
            self.dropped += 1
            return False
        if len(self._last_s) >= _MOST and flow not in self._last_s:
            del self._last_s[min(self._last_s, key=self._last_s.__getitem__)]
        self._last_s[flow] = now_s
        return True
