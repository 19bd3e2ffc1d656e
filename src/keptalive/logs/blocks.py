"""A log as blocks of whole lines, whatever pieces it comes in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from keptalive.logs.source import is_binary

LONGEST_LINE = 256 * 1024


@dataclass
class Tally:
    """Counts of a log that is read: see `reader.Reading`."""

    lines: int = 0
    urllib3_lines: int = 0
    skipped: int = 0
    bytes: int = 0
    ended_early: bool = False
    binary: bool = False


def blocks(
    pieces: Iterator[bytes], tally: Tally, too_long: Callable[[bytes], None]
) -> Iterator[bytes]:
    """Whole lines, many at a time; an empty block for an empty piece: nothing comes for a moment.

    Args:
        pieces: the log.
        tally: where its bytes are counted.
        too_long: gets the beginning of a line that is longer than `LONGEST_LINE`; the blocks have
            an empty line instead.
    """
    rest, skipping = b"", False
    for piece in pieces:
        if not piece:
            yield b""
            continue
        if not tally.bytes:
            tally.binary = is_binary(piece)
        tally.bytes += len(piece)
        if skipping:
            end = piece.find(b"\n")
            if end < 0:
                continue
            data, skipping = piece[end:], False
        else:
            data = rest + piece
        end = data.rfind(b"\n") + 1
        # a log that is truncated under its writer begins with a hole
        rest = data[end:].lstrip(b"\0")
        if len(rest) > LONGEST_LINE:
            too_long(rest[:LONGEST_LINE])
            rest, skipping = b"", True
        if end:
            yield data[:end]
    if rest or skipping:
        yield rest + b"\n"
