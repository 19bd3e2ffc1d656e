"""Reading a log from its first byte to its last event."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
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


class Reading(Tally):
    """Iterates over what urllib3's lines in one log mean, a list for each block of the log.

    The counts are those so far. ``lines`` and ``bytes`` are the log's, unpacked; ``urllib3_lines``
    those of its pools, whether or not they are an event; ``skipped`` those of them that are cut off
    or cannot be read. ``ended_early`` says that a compressed log is damaged, or has no end;
    ``binary`` that what is read does not begin as text does; ``newest_first`` that it was read from
    its end, since its times fall; ``copies`` which records it has several times. ``steps`` are what
    httpcore's and httpx's lines say in the block of the last list; ``httpcore`` counts them.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        *,
        pieces: Callable[[BinaryIO], Iterator[bytes]] = pieces_of,
    ) -> None:
        super().__init__()
        self._source = source
        self._pieces = pieces
        self._threads = Threads()
        self.copies = Copies()
        self.newest_first = False
        self._scanner = Scanner(self, self._threads, self.copies)
        self.httpcore = HttpcoreScanner()
        self.steps: list[SeenStep] = []
        self._seen = self._read()

    def __iter__(self) -> Iterator[list[Seen]]:
        return self._seen

    def __next__(self) -> list[Seen]:
        return next(self._seen)

    @property
    def name(self) -> str:
        """What to call the log."""
        return "standard input" if self._source == "-" else str(self._source)

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
            with opened(self._source) as stream:
                pieces = decoded(self._pieces(stream), self._damaged)
                pieces = in_order(pieces, stream, self._on_reversed)
                for block in blocks(pieces, self, self._scanner.too_long):
                    self.steps = self.httpcore.seen(block) if block else []
                    yield self._scanner.seen(block) if block else self._scanner.pause()
                self.steps = []
                yield self._scanner.finish()
        except OSError as error:
            raise UsageError(
                f"The log cannot be read: {self.name}: {error.strerror or error}."
            ) from error

    def _on_reversed(self) -> None:
        self.newest_first = True

    def _damaged(self) -> None:
        self.ended_early = True


def read(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    pieces: Callable[[BinaryIO], Iterator[bytes]] = pieces_of,
) -> Reading:
    """Read a debug log: a path, "-" for standard input, or a binary stream; gzip is unpacked.

    Args:
        source: what to read.
        pieces: how, once it is open.

    Raises:
        UsageError: while iterating, if the log cannot be read.
    """
    return Reading(source, pieces=pieces)
