"""The bytes of a log: from a file that may grow and be rotated, unpacked, as UTF-8."""

from __future__ import annotations

import codecs
import itertools
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

PAUSE_S = 0.2  # between two looks at a log that has not grown
_BLOCK = 256 * 1024
_NO_TEXT = bytes({*range(32), 127} - set(b"\t\n\r\f\b\x1b"))


def decoded(pieces: Iterator[bytes], damaged: Callable[[], None]) -> Iterator[bytes]:
    """The log as it was written: unpacked if it is gzip's, and as UTF-8 if it was UTF-16."""
    head, pieces = _with_head(pieces)
    if head.startswith(b"\x1f\x8b"):
        head, pieces = _with_head(_unpacked(pieces, damaged))
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # PowerShell's ">"
        decoder = codecs.getincrementaldecoder("utf-16")("replace")
        return (decoder.decode(piece).encode("utf-8", "replace") for piece in pieces)
    return pieces


def is_binary(piece: bytes) -> bool:
    """Whether this is no text, in whatever encoding: more than one byte in a hundred controls."""
    text = piece[:_BLOCK].lstrip(b"\0")  # a log that was truncated under its writer has a hole
    return len(text) - len(text.translate(None, _NO_TEXT)) > len(text) / 100


def _with_head(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    head = b""
    while len(head) < 2 and (piece := next(pieces, b"")):
        head += piece
    return head[:2], itertools.chain([head], pieces) if head else iter(())


def _unpacked(pieces: Iterator[bytes], damaged: Callable[[], None]) -> Iterator[bytes]:
    unpacker, fresh = zlib.decompressobj(31), True
    for packed in pieces:
        rest = packed
        while rest:
            if fresh and not (rest := rest.lstrip(b"\0")):  # padding between members, or after
                break
            fresh = False
            try:
                piece = unpacker.decompress(rest, _BLOCK)
            except zlib.error:
                damaged()
                return
            if piece:
                yield piece
            rest = unpacker.unconsumed_tail
            if unpacker.eof:
                rest, unpacker, fresh = unpacker.unused_data, zlib.decompressobj(31), True
    if not fresh:
        damaged()


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    # read1: what is there, without waiting for a whole block
    read = getattr(stream, "read1", stream.read)
    while piece := read(_BLOCK):
        yield piece


class Source:
    """Where a log comes from: a path, followed or not, "-" for standard input, or a stream."""

    def __init__(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        until: Callable[[], bool] | None,
        wait: Callable[[float], None],
    ) -> None:
        self._source = source
        self._until = until
        self._wait = wait
        self._over = False

    @property
    def name(self) -> str:
        """What to call it."""
        return "standard input" if self._source == "-" else str(self._source)

    def files(self) -> Iterator[Iterator[bytes]]:
        """The log's files, one after another, each in pieces."""
        if not isinstance(self._source, str | os.PathLike):
            yield _pieces(self._source)
        elif self._source == "-":
            yield _pieces(sys.stdin.buffer)
        else:
            with Path(self._source).open("rb", buffering=0) as file:
                yield self._growing(file, self._until) if self._until else _pieces(file)
            while self._until and not self._over:
                yield from self._next_file(Path(self._source), self._until)

    def _next_file(self, path: Path, until: Callable[[], bool]) -> Iterator[Iterator[bytes]]:
        try:
            with path.open("rb", buffering=0) as file:
                yield self._growing(file, until)
        except FileNotFoundError:  # between a rotation's two steps
            self._over = until()
            if not self._over:
                self._wait(PAUSE_S)

    def _growing(self, file: BinaryIO, until: Callable[[], bool]) -> Iterator[bytes]:
        """What is in the file, and comes into it, until another takes its place or it shrinks."""
        while True:
            # first asked, then read: what was written before the end is part of it
            over = until()
            yield from _pieces(file)
            if self._replaced(file):
                yield from _pieces(file)  # what came between the last look and the rotation
                return
            if over:
                self._over = True
                return
            self._wait(PAUSE_S)

    def _replaced(self, file: BinaryIO) -> bool:
        mine = os.fstat(file.fileno())
        if mine.st_size < file.tell():
            return True
        try:
            now = Path(str(self._source)).stat()
        except FileNotFoundError:
            return False
        return (now.st_ino, now.st_dev) != (mine.st_ino, mine.st_dev)
