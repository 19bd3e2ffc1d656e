"""Reading a log, or the parts of one, from its first byte to its last event."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from keptalive.errors import UsageError
from keptalive.logs.blocks import Tally, blocks
from keptalive.logs.copies import Copies
from keptalive.logs.events import Seen
from keptalive.logs.httpcore.scanner import HttpcoreScanner, SeenStep
from keptalive.logs.order import in_order
from keptalive.logs.scanner import Scanner
from keptalive.logs.source import decoded, opened, pieces_of
from keptalive.logs.threads import Threads

Source = str | os.PathLike[str] | BinaryIO

_HTTP2 = re.compile(rb'://[^\s"]+ \\{0,7}"[A-Z]+ [^\s"]+ HTTP/2\\{0,7}" \d{3} ')
_OUT_OF_ORDER_S = 5.0  # what lines of several threads or processes are out of order by, at most


class Reading(Tally):
    """Iterates over what urllib3's lines in one log mean, a list for each block of the log.

    The counts are those so far. ``lines`` and ``bytes`` are the log's, unpacked; ``urllib3_lines``
    those of its pools, whether or not they are an event; ``skipped`` those of them that are cut off
    or cannot be read. ``ended_early`` says that a compressed log is damaged, or has no end;
    ``binary`` that what is read does not begin as text does; ``newest_first`` that it was read from
    its end, since its times fall; ``copies`` which records it has several times. ``steps`` are what
    httpcore's and httpx's lines say in the block of the last list; ``httpcore`` counts them.
    ``http2`` says that responses came by urllib3's own HTTP/2. Of several logs, ``damaged``
    names those that ended early, and ``overlapping`` the pairs of which the second begins before
    the first has ended.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        pieces: Callable[[BinaryIO], Iterator[bytes]] = pieces_of,
    ) -> None:
        super().__init__()
        self._sources = sources
        self._pieces = pieces
        self._threads = Threads()
        self.copies = Copies()
        self.newest_first = self.http2 = False
        self._scanner = Scanner(self, self._threads, self.copies)
        self.httpcore = HttpcoreScanner()
        self.steps: list[SeenStep] = []
        self.damaged: list[str] = []
        self.overlapping: list[tuple[str, str]] = []
        self._part = self._last_part = 0
        self._last_s: float | None = None
        self._seen = self._read()

    def __iter__(self) -> Iterator[list[Seen]]:
        return self._seen

    def __next__(self) -> list[Seen]:
        return next(self._seen)

    @property
    def name(self) -> str:
        """What to call the log; of several, the part that is read just now."""
        return _name_of(self._sources[self._part])

    @property
    def parts(self) -> int:
        """How many logs are read, one after the other."""
        return len(self._sources)

    @property
    def knows_threads(self) -> bool:
        """Whether every event so far is known to be of the one thread that its number stands for.

        If not, then what two threads did at once may have one number.
        """
        return self.urllib3_lines > 0 and self._threads.all_known

    @property
    def knows_zone(self) -> bool:
        """Whether some time so far says what its zone is."""
        return self._scanner.clock.knows_zone

    def _read(self) -> Iterator[list[Seen]]:
        try:
            for block in blocks(self._all_pieces(), self, self._scanner.too_long):
                self.steps = self.httpcore.seen(block) if block else []
                seen = self._scanner.seen(block) if block else self._scanner.pause()
                if len(self._sources) > 1:
                    self._look_for_overlap(seen)
                self.http2 = self.http2 or (b"HTTP/2" in block and bool(_HTTP2.search(block)))
                yield seen
            self.steps = []
            yield self._scanner.finish()
        except OSError as error:
            raise unreadable(self.name, error) from error

    def _all_pieces(self) -> Iterator[bytes]:
        """Of all parts: each ends with whole lines, so that no block has lines of two."""
        for part, source in enumerate(self._sources):
            self._part, last = part, b""
            with opened(source) as stream:
                pieces = decoded(self._pieces(stream), self._damaged)
                for piece in in_order(pieces, stream, self._on_reversed):
                    last = piece[-1:] or last
                    yield piece
            if last not in (b"", b"\n") and part < len(self._sources) - 1:
                yield b"\n"

    def _look_for_overlap(self, seen: Sequence[Seen]) -> None:
        times = [at_s for _, at_s, _ in seen] + [step.at_s for step in self.steps]
        known = [at_s for at_s in times if at_s is not None]
        if not known:
            return
        last_s = max(known) if self._last_s is None else max(self._last_s, *known)
        began_s = min(known) if self._part != self._last_part else last_s
        if self._last_s is not None and began_s < self._last_s - _OUT_OF_ORDER_S:
            first, second = self._sources[self._last_part], self._sources[self._part]
            self.overlapping.append((_name_of(first), _name_of(second)))
        self._last_part, self._last_s = self._part, last_s

    def _on_reversed(self) -> None:
        self.newest_first = True

    def _damaged(self) -> None:
        self.ended_early = True
        self.damaged.append(self.name)


def unreadable(name: str, error: OSError) -> UsageError:
    """What to raise for a log of this name that cannot be read."""
    return UsageError(
        f"The log cannot be read: {name}: {error.strerror or error}. "
        "Next: name a file that can be read."
    )


def _name_of(source: Source) -> str:
    return "standard input" if source == "-" else str(source)


def read(
    *sources: Source,
    pieces: Callable[[BinaryIO], Iterator[bytes]] = pieces_of,
) -> Reading:
    """Read a debug log: a path, "-" for standard input, or a binary stream; gzip is unpacked.

    Args:
        sources: what to read; of several, the oldest first.
        pieces: how, once it is open.

    Raises:
        UsageError: while iterating, if a log cannot be read.
    """
    return Reading(sources, pieces=pieces)
