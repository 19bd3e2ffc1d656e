"""Lines that say when and where the next one was written: a time, a thread, and no message."""

from __future__ import annotations

import re

from keptalive.logs.events import Read
from keptalive.logs.messages import NAMED, hits_in
from keptalive.logs.prefix import LONGEST_PREFIX, Origin
from keptalive.logs.threads import Threads
from keptalive.logs.time_forms import found_in
from keptalive.logs.timestamps import Clock

_SENTENCE = re.compile(rb"\b[A-Z][a-z]+ \S")  # as in "Redirecting /a -> /b": a message of its own
_OMITTED = b" " * 8  # stands where a time is that was the line's before too


class Headers:
    """Gives a line without a time that of the line before, where it shows that it belongs to it.

    Args:
        threads: tells which lines are of one thread.
        clock: reads the times.
    """

    def __init__(self, threads: Threads, clock: Clock) -> None:
        self._threads = threads
        self._clock = clock
        self._last: tuple[float, Origin, bool] | None = None  # the end of the block before
        self._last_s: float | None = None

    @property
    def last_is_named(self) -> bool:
        """Whether the last line of the block before was a header with the logger's name."""
        return self._last is not None and self._last[2]

    def end_of_block(self, block: bytes, last_s: float | None) -> None:
        """Keep what the last line says of one that follows in the next block.

        Args:
            block: whole lines.
            last_s: the time of its last event.
        """
        knows_zone = self._clock.knows_zone  # which an event alone may change
        self._last = self._header(block, len(block))
        self._clock.knows_zone = knows_zone
        self._last_s = self._last_s if last_s is None else last_s

    def given(self, one: Read, block: bytes, start: int, last_s: float | None) -> Read:
        """The line's event, with a time if the line before has that.

        Args:
            one: what was read in it.
            block: where it is.
            start: where it begins.
            last_s: the time of the event before in this block.
        """
        if one.at_s is not None or one.begins < 0:
            return one
        before = block[start : start + one.begins]
        if before and not before.isspace():
            if before.startswith(_OMITTED):
                return one._replace(at_s=self._last_s if last_s is None else last_s)
            return one
        header = self._header(block, start) if start else self._last
        if header is None or not (before or header[2]):
            return one
        return one._replace(at_s=header[0], origin=header[1])

    def _header(self, block: bytes, end: int) -> tuple[float, Origin, bool] | None:
        """The time and origin of the line that ends here, and whether it has the logger's name."""
        start = block.rfind(b"\n", max(0, end - 1 - LONGEST_PREFIX), end - 1) + 1
        line = block[start : end - 1]
        if len(line) >= LONGEST_PREFIX or (timed := found_in(line)) is None or hits_in(line):
            return None
        named = NAMED.search(line)
        at_s = self._clock.seconds(timed)
        if at_s is None or (named is not None and _SENTENCE.search(line, named.end())):
            return None
        origin = self._threads.origin(line[: timed.start()] + line[timed.end() :])
        return at_s, origin, named is not None
