"""Which lines of a log are httpcore's or httpx's: blocks without any cost next to nothing."""

from __future__ import annotations

from typing import NamedTuple

from keptalive.logs.httpcore.messages import LATER_NEEDLES, NEEDLE, NEEDLES, Step, steps_in
from keptalive.logs.json_lines import record_of
from keptalive.logs.prefix import LONGEST_PREFIX, Origin, Prefixes
from keptalive.logs.time_forms import found_in
from keptalive.logs.timestamps import Clock

_SEARCHED = 2 * 1024 * 1024  # bytes: who uses httpx mostly does so by then
_ONE_IN = 16  # of later blocks is searched for all that these lines may contain


class SeenStep(NamedTuple):
    """A message, its time in seconds since 1970, and where its line came from."""

    step: Step
    at_s: float | None
    origin: Origin


class HttpcoreScanner:
    """Finds httpcore's and httpx's lines in blocks of whole lines.

    Attributes:
        lines: how many were found.
        began_late: the first of them may not be the first of the log.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.began_late = False
        self._clock = Clock()
        self._prefixes = Prefixes(range)
        self._bytes = 0
        self._blocks = 0

    @property
    def knows_zone(self) -> bool:
        """Whether some time so far says what its zone is."""
        return self._clock.knows_zone

    def seen(self, block: bytes) -> list[SeenStep]:
        """The messages in a block, in order."""
        if not self._may_have_any(block):
            return []
        found: list[SeenStep] = []
        line_end = 0
        for at, step in steps_in(block):
            if at < line_end:  # within a line that has been read
                continue
            start = block.rfind(b"\n", 0, at) + 1
            line_end = block.find(b"\n", at)
            at_s, origin = self._where(block[start:line_end], at - start)
            found.append(SeenStep(step, at_s, origin))
        self.lines += len(found)
        return found

    def _may_have_any(self, block: bytes) -> bool:
        self._bytes += len(block)
        self._blocks += 1
        if NEEDLE in block:
            any_is_there = True
        elif self.lines:
            any_is_there = any(needle in block for needle in (*NEEDLES[1:], *LATER_NEEDLES))
        elif self._bytes <= _SEARCHED or not self._blocks % _ONE_IN:
            any_is_there = any(needle in block for needle in NEEDLES[1:])
        else:
            any_is_there = False
        if any_is_there and not self.lines and self._bytes > _SEARCHED:
            self.began_late = True
        return any_is_there

    def _where(self, line: bytes, at: int) -> tuple[float | None, Origin]:
        """The time of a line and its origin, from what stands before its message."""
        if line.lstrip().startswith(b"{"):
            record, _ = record_of(line.strip(), self._clock)
            if record is not None:
                return record.at_s, self._prefixes.of(record.prefix)
        prefix = line[max(0, at - LONGEST_PREFIX) : at]
        at_s = None
        if timed := found_in(prefix):
            at_s = self._clock.seconds(timed)
            prefix = prefix[: timed.start()] + prefix[timed.end() :]
        return at_s, self._prefixes.of(prefix)
