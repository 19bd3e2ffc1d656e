"""An asyncio event loop with timers that are more exact than a millisecond.

epoll_wait counts whole milliseconds, rounded up. So asyncio's timers are up to 1 ms late, which is
20 % of a simulated round trip of 5 ms. select(2) counts microseconds, but is slow with many
descriptors. So this loop waits in select for the epoll descriptor alone, and then calls epoll.
"""

from __future__ import annotations

import asyncio
import select
import selectors

_SELECT_LIMIT = 1024  # FD_SETSIZE: select(2) takes no descriptor beyond it

if hasattr(selectors, "EpollSelector"):

    class PreciseSelector(selectors.EpollSelector):
        """epoll with timeouts in microseconds."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            """Wait with the precision of select, then return what is ready."""
            if timeout is None or timeout <= 0 or self.fileno() >= _SELECT_LIMIT:
                return super().select(timeout)
            select.select([self.fileno()], [], [], timeout)
            return super().select(0)

    _selector: type[selectors.BaseSelector] = PreciseSelector
else:
    _selector = selectors.DefaultSelector


def new_event_loop() -> asyncio.SelectorEventLoop:
    """A new event loop for the look-alike; the caller closes it."""
    loop = asyncio.SelectorEventLoop(_selector())
    loop.set_exception_handler(_ignore_peers)
    return loop


def _ignore_peers(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    # A client that disappears is normal; an exception of our own is a bug
    if not isinstance(context.get("exception"), OSError):
        loop.default_exception_handler(context)
