"""The bytes of a log: from a file or a pipe, unpacked, as UTF-8."""

from __future__ import annotations

import codecs
import itertools
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

BLOCK = 256 * 1024
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
    text = piece[:BLOCK].lstrip(b"\0")  # a log that was truncated under its writer has a hole
    return len(text) - len(text.translate(None, _NO_TEXT)) > len(text) / 100


def _with_head(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    head = b""
    while len(head) < 2 and (piece := next(pieces, None)) is not None:
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
                piece = unpacker.decompress(rest, BLOCK)
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


def pieces_of(stream: BinaryIO) -> Iterator[bytes]:
    """What is in a stream, as it comes."""
    # read1: what is there, without waiting for a whole block
    read = getattr(stream, "read1", stream.read)
    while piece := read(BLOCK):
        yield piece


@contextmanager
def opened(source: str | os.PathLike[str] | BinaryIO) -> Iterator[BinaryIO]:
    """A log's stream: a path's, "-" for standard input, or one that is open already."""
    if not isinstance(source, str | os.PathLike):
        yield source
    elif source == "-":
        yield sys.stdin.buffer
    else:
        with Path(source).open("rb", buffering=0) as file:
            yield file
