"""A log that comes through a pipe and is still being written: read to its end, or until Ctrl-C.

So `tail -F LOG | keptalive explain -` follows a log: Ctrl-C ends `tail` as well.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import BinaryIO

from keptalive.logs.source import BLOCK, pieces_of

QUIET_S = 0.1  # nothing came for so long: it is time to show how far we are
AGAIN_S = 0.5  # and after so long in any case
_GRACE_S = 0.2  # after Ctrl-C, for what the writer is still writing
_PIPE_BYTES = 1024 * 1024  # what a pipe holds at most: Linux, /proc/sys/fs/pipe-max-size


def live_pieces(stream: BinaryIO, show: Callable[[], None]) -> Iterator[bytes]:
    """What comes out of a pipe or a terminal, as it comes; of a file, what is in it.

    An empty piece says that nothing has come for a moment: whoever holds pieces back may let them
    go.

    The first Ctrl-C is the end of a pipe, once what is in it has been read; so a writer that does
    not end by Ctrl-C is left behind. A second one, and one while a file is read, acts as before.

    Args:
        stream: of an open file descriptor.
        show: called when nothing has come for a moment, and every half a second otherwise; not for
            a file.

    Raises:
        OSError: it cannot be read.
    """
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        yield from pieces_of(stream)
        return
    with ctrl_c() as pressed:
        yield from _until_pressed(stream.fileno(), pressed, show)
        yield from _what_is_left(stream.fileno())


def _until_pressed(descriptor: int, pressed: int, show: Callable[[], None]) -> Iterator[bytes]:
    shown_s = time.monotonic()
    while True:
        ready = readable([descriptor, pressed], QUIET_S)
        if not ready:
            yield b""
        if not ready or time.monotonic() > shown_s + AGAIN_S:
            show()
            shown_s = time.monotonic()
        ready = ready or readable([descriptor, pressed], None)
        if pressed in ready or not (piece := os.read(descriptor, BLOCK)):
            return
        yield piece


def _what_is_left(descriptor: int) -> Iterator[bytes]:
    """Nothing, where the end has been reached already."""
    give_up_s = time.monotonic() + _GRACE_S
    left = _PIPE_BYTES
    while left > 0 and readable([descriptor], max(0.0, give_up_s - time.monotonic())):
        piece = os.read(descriptor, BLOCK)
        if not piece:
            return
        left -= len(piece)
        yield piece


def readable(descriptors: list[int], seconds: float | None) -> list[int]:
    """Those of these descriptors that can be read, after so many seconds at most."""
    return select.select(descriptors, [], [], seconds)[0]


@contextmanager
def ctrl_c() -> Iterator[int]:
    """A descriptor that can be read once Ctrl-C was pressed; the next Ctrl-C acts as before.

    A handler that raised could strike between a read and what is done with it.
    """
    reader, writer = os.pipe()
    before = signal.getsignal(signal.SIGINT)

    def press(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        os.write(writer, b"\0")

    ours = before != signal.SIG_IGN and threading.current_thread() is threading.main_thread()
    if ours:
        signal.signal(signal.SIGINT, press)
    try:
        yield reader
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)
        os.close(reader)
        os.close(writer)
