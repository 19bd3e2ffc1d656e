"""The order of a log: one that has its newest line first is read from its end.

What lies within one line, or belongs to the line before, stays as it is. A file is read backwards
piece by piece; what cannot be (a pipe, a compressed file) is kept in memory, up to `MOST_HELD`.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from keptalive.errors import UsageError
from keptalive.logs.json_lines import record_of
from keptalive.logs.source import BLOCK
from keptalive.logs.time_forms import found_in
from keptalive.logs.timestamps import Clock

MOST_HELD = 64 * 1024 * 1024
_LOOKED_AT = 400  # lines, as long as neither direction is sure
_SURE = 8  # steps
_MOST_UNSURE = 4 * BLOCK  # bytes, of lines without an end perhaps
_TIMELESS = 16  # lines: then it is a log without times
_PREFIX = 256  # of a line: here its time is
_LONGEST_RECORD = 4 * BLOCK
_ATTEMPT = re.compile(rb"Starting new HTTPS? connection|Resetting dropped connection")
_RESPONSE = re.compile(rb"HTTP/[\d.]+\W+\d{3} ")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+\Z")
_ENCODED = (b"\x1f\x8b", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Direction:
    """Tells from the first lines of a log whether their times rise or fall.

    Attributes:
        ties_rise: lines with one time are in the order in which they were written, though times
            fall: an attempt to connect comes before its response.
    """

    def __init__(self) -> None:
        self._clock = Clock()
        self._rises = self._falls = self._lines = self._timed = 0
        self._fall_s = 0.0
        self._last_s: float | None = None
        self._last_line = self._rest = b""
        self._ties = 0

    @property
    def ties_rise(self) -> bool:
        return self._ties > 0

    def look(self, piece: bytes) -> bool | None:
        """Whether times fall, by this piece and those before; None if that is open."""
        *lines, rest = (self._rest + piece).split(b"\n", _LOOKED_AT)
        self._rest = rest[:BLOCK] if len(lines) < _LOOKED_AT else b""
        for line in lines:
            self._step(line)
            if self._falls >= _SURE and self._falls > 4 * self._rises:
                return True
            if self._rises >= _SURE and self._lines > 2 * _SURE:
                return False
        if self._lines >= _LOOKED_AT or (self._lines >= _TIMELESS and not self._timed):
            return self.falls
        return False if self._rises and self._rises >= self._falls else None

    @property
    def falls(self) -> bool:
        """Whether times fall, if there are no more lines than those that were looked at."""
        if self._falls == 1:
            return not self._rises and self._fall_s >= 1
        return self._falls > 4 * self._rises

    def _step(self, line: bytes) -> None:
        self._lines += 1
        at_s = time_of(line, self._clock)
        if at_s is None:
            return
        self._timed += 1
        if self._last_s is not None:
            self._rises += at_s > self._last_s
            self._falls += at_s < self._last_s
            self._fall_s = max(self._fall_s, self._last_s - at_s)
            if at_s == self._last_s:
                before, line_is = self._last_line, line
                self._ties += bool(_ATTEMPT.search(before) and _RESPONSE.search(line_is))
                self._ties -= bool(_RESPONSE.search(before) and _ATTEMPT.search(line_is))
        self._last_s, self._last_line = at_s, line


def time_of(line: bytes, clock: Clock) -> float | None:
    """When this line was written, by its beginning; None if that does not say it."""
    if line.startswith(b"{"):
        record, _ = record_of(line, clock)
        return record.at_s if record is not None else None
    found = found_in(line[:_PREFIX])
    return clock.seconds(found) if found is not None else None


def in_order(
    pieces: Iterator[bytes], stream: BinaryIO, on_reversed: Callable[[], None]
) -> Iterator[bytes]:
    """The pieces of a log with the oldest line first.

    Args:
        pieces: as it is, decoded; an empty one where nothing has come for a moment.
        stream: from which they come.
        on_reversed: called if its newest line is first.

    Raises:
        UsageError: it would have to be read from its end, but cannot, and is too long to be kept.
    """
    direction, head, size = Direction(), list[bytes](), 0
    falls: bool | None = None
    for piece in pieces:
        head.append(piece)
        size += len(piece)
        falls = direction.look(piece)
        # what still grows is written as things happen; only an export has its newest line first
        if falls is None and not direction.falls and (not piece or size > _MOST_UNSURE):
            falls = False
        if falls is not None:
            break
    if falls is None:
        falls = direction.falls
    if not falls:
        yield from head
        yield from pieces
        return
    on_reversed()
    yield from oldest_first(_from_end(stream, head, pieces), by_time=direction.ties_rise)


def _from_end(stream: BinaryIO, head: list[bytes], pieces: Iterator[bytes]) -> Iterator[bytes]:
    if stream.seekable():
        at = stream.tell()
        stream.seek(0)
        if not stream.read(2).startswith(_ENCODED):
            yield from _file_from_end(stream)
            return
        stream.seek(at)
    yield _held(head, pieces)


def _file_from_end(file: BinaryIO) -> Iterator[bytes]:
    end = file.seek(0, 2)
    while end > 0:
        begin = max(0, end - BLOCK)
        file.seek(begin)
        piece = b""
        while len(piece) < end - begin and (more := file.read(end - begin - len(piece))):
            piece += more
        yield piece
        end = begin


def _held(head: list[bytes], pieces: Iterator[bytes]) -> bytes:
    held, size = list[bytes](), 0
    for piece in itertools.chain(head, pieces):
        held.append(piece)
        size += len(piece)
        if size > MOST_HELD:
            raise UsageError(
                "The log has its newest line first, and is longer than "
                f"{MOST_HELD // 1024**2} MB: only a file can be read from its end.\n"
                "Next: write it into a file, uncompressed, and name that."
            )
    return b"".join(held)


def oldest_first(pieces_from_end: Iterator[bytes], *, by_time: bool = False) -> Iterator[bytes]:
    """A log whose newest record is first, turned round: whole records.

    A record is a line with a time and those without one that follow.

    Args:
        pieces_from_end: of the log, the last one first.
        by_time: records with one and the same time stay in their order.
    """
    rest = b""
    for piece in pieces_from_end:
        data = piece + rest
        begin = data.find(b"\n") + 1
        records = _records(data[begin:], by_time=by_time) if begin else []
        if len(records) < 2 and len(data) <= _LONGEST_RECORD:
            rest = data  # the first record may begin before
            continue
        if len(records) < 2:  # there is no time: then lines are all there is
            records = _LINE.findall(data[begin:])
            rest = data[: begin or BLOCK]
        else:
            rest = data[:begin] + records.pop(0)
        yield b"".join(map(_ended, reversed(records)))
    if rest:
        yield b"".join(map(_ended, reversed(_records(rest, by_time=by_time))))


def _records(data: bytes, *, by_time: bool) -> list[bytes]:
    records: list[list[bytes]] = []
    last = b""
    for line in _LINE.findall(data):
        stamp = b"" if line[:1].isspace() else _stamp(line)
        if records and (not stamp or (by_time and stamp == last)):
            records[-1].append(line)
        else:
            records.append([line])
            last = stamp
    return [b"".join(record) for record in records]


def _stamp(line: bytes) -> bytes:
    if line.startswith(b"{"):
        return line[:_PREFIX]
    found = found_in(line[:_PREFIX])
    return found[0] if found is not None else b""


def _ended(record: bytes) -> bytes:
    return record if record.endswith(b"\n") else record + b"\n"
