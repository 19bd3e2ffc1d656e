"""An asyncio loop whose timers keep time below a millisecond.

epoll_wait counts in whole milliseconds, rounded up, so asyncio's timers are late by up to one: of
a simulated round trip of 5 ms that would be a fifth. select(2) counts in microseconds but does not
scale. So we wait in select for the epoll descriptor alone, and then ask epoll.
"""

from __future__ import annotations

import asyncio
import select
import selectors

_SELECT_LIMIT = 1024  # FD_SETSIZE: select(2) knows no descriptor beyond it

if hasattr(selectors, "EpollSelector"):

    class PreciseSelector(selectors.EpollSelector):
        """epoll with timeouts in microseconds."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            """Wait as precisely as the kernel can, then collect what is ready."""
            if timeout is None or timeout <= 0 or self.fileno() >= _SELECT_LIMIT:
                return super().select(timeout)
            select.select([self.fileno()], [], [], timeout)
            return super().select(0)

    _selector: type[selectors.BaseSelector] = PreciseSelector
else:
    _selector = selectors.DefaultSelector


def new_event_loop() -> asyncio.SelectorEventLoop:
    """Make a loop for the look-alike, for its owner to close."""
    loop = asyncio.SelectorEventLoop(_selector())
    loop.set_exception_handler(_ignore_peers)
    return loop


def _ignore_peers(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    # A client that vanishes between two system calls is data, not news; a bug of ours is news.
    if not isinstance(context.get("exception"), OSError):
        loop.default_exception_handler(context)
