"""The path that packets take: each arrives a delay later, unless a NAT drops it. Pure.

Times are given, in seconds of any clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from keptalive.link.nat import Nat
from keptalive.link.packets import segment, turned_around


class Path:
    """The frames on their way, in their order.

    Attributes:
        nat: what is dropped.
    """

    def __init__(self, *, delay_s: float, packet_at: int) -> None:
        self.nat = Nat()
        self._delay_s = delay_s
        self._packet_at = packet_at
        self._frames: deque[tuple[float, bytes]] = deque()

    @property
    def next_due_s(self) -> float | None:
        """When the next frame arrives; None if none is on its way."""
        return self._frames[0][0] if self._frames else None

    @property
    def last_due_s(self) -> float | None:
        """When all that is on its way now has arrived; None if nothing is."""
        return self._frames[-1][0] if self._frames else None

    def enter(self, frame: bytes, *, now_s: float) -> None:
        """A frame sets off, unless it is no IPv4 packet or its flow was forgotten."""
        if self.nat.is_used:
            found = segment(frame, self._packet_at)
            if found is not None and not self.nat.passes(found, now_s=now_s):
                return
        if (turned := turned_around(frame, self._packet_at)) is not None:
            self._frames.append((now_s + self._delay_s, turned))

    def arrived(self, *, now_s: float) -> Iterator[bytes]:
        """Take the frames that have arrived."""
        while self._frames and self._frames[0][0] <= now_s:
            yield self._frames.popleft()[1]
