"""A log file that is still being written: read to its end, then as it grows, until Ctrl-C.

As `tail -F` does: a file that was truncated is read from its beginning again, and one that was
renamed away, as logrotate does, is read to its end, and then the new one of its name.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from keptalive.logs.live import AGAIN_S, QUIET_S, ctrl_c, live_pieces, readable
from keptalive.logs.source import BLOCK


def followed_pieces(stream: BinaryIO, show: Callable[[], None]) -> Iterator[bytes]:
    """What is in a file, and what is written to it until Ctrl-C; a pipe as `live_pieces` has it.

    An empty piece says that nothing has come for a moment. A second Ctrl-C acts as before.

    Args:
        stream: of an open file descriptor, not buffered; its ``name`` is its path, if it has one.
        show: called when nothing has come for a moment, and every half a second.

    Raises:
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        yield from live_pieces(stream, show)
        return
    path = Path(stream.name) if isinstance(stream.name, str) else None
    shown_s, is_quiet = time.monotonic(), False
    with ExitStack() as opened, ctrl_c() as pressed:
        while True:
            piece = os.read(stream.fileno(), BLOCK)
            if not piece and (newer := _newer(path, stream)):
                yield from _rest(stream)  # of before it was renamed
                stream = opened.enter_context(newer)
                continue
            if not piece and _is_shorter(stream):
                os.lseek(stream.fileno(), 0, os.SEEK_SET)
                continue
            if piece or not is_quiet:
                yield piece
            if not (piece or is_quiet) or time.monotonic() > shown_s + AGAIN_S:
                show()
                shown_s = time.monotonic()
            is_quiet = not piece
            if is_quiet and readable([pressed], QUIET_S):
                return


def _rest(stream: BinaryIO) -> Iterator[bytes]:
    while piece := os.read(stream.fileno(), BLOCK):
        yield piece


def _newer(path: Path | None, stream: BinaryIO) -> BinaryIO | None:
    """The file that has this name now, if it is another one than this."""
    if path is not None:
        with suppress(OSError):  # gone, until the program writes a new one
            now, known = path.stat(), os.fstat(stream.fileno())
            if (now.st_dev, now.st_ino) != (known.st_dev, known.st_ino):
                return path.open("rb", buffering=0)
    return None


def _is_shorter(stream: BinaryIO) -> bool:
    """Whether it was truncated: by ``> LOG``, or logrotate's copytruncate."""
    at = os.lseek(stream.fileno(), 0, os.SEEK_CUR)
    return os.fstat(stream.fileno()).st_size < at
