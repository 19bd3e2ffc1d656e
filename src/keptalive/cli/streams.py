"""Standard streams that never fail: a command goes on if its output cannot be written.

The reader has gone (`| head`), the disk is full, or the stream is closed: the command still saves
its results and gives its verdict. Only then it reports what could not be written.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, TextIO, cast


class Forgiving:
    """A text stream whose ``write`` and ``flush`` raise no OSError.

    Attributes:
        failure: the first error, if any; text after it is dropped.
    """

    def __init__(self, stream: TextIO, *, closed: bool = False) -> None:
        self._stream = stream
        self._closed = closed
        self.failure: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # click would write to it if the encoding is ASCII
            raise AttributeError(name)
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if self._closed and text and self.failure is None:
            self.failure = OSError(errno.EBADF, "it is closed")
        if self.failure is None:
            try:
                return self._stream.write(text)
            except OSError as error:
                self.failure = error
        return len(text)

    def flush(self) -> None:
        # Always, after a failure too: the interpreter flushes at its end and would report an error
        try:
            self._stream.flush()
        except OSError as error:
            self.failure = self.failure or error


def forgive() -> None:
    """Replace standard output and error by such streams, and open the ones that are closed.

    A closed stream is opened on /dev/null: otherwise the next file or socket would get its number.
    """
    for number in range(3):
        if _is_closed(number):
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number, which is this one
    if sys.stdin is None:
        sys.stdin = _onto(0, "r")
    sys.stdout = _forgiving(sys.stdout, 1)
    sys.stderr = _forgiving(sys.stderr, 2)


def lost(stream: object) -> OSError | None:
    """Flush this stream, and return the error because of which output is lost, if any.

    A closed pipe is no error: its reader has read what it needs.
    """
    if not isinstance(stream, Forgiving):
        return None
    stream.flush()
    failure = stream.failure
    return None if isinstance(failure, BrokenPipeError) else failure


def _is_closed(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return True
    return False


def _forgiving(stream: TextIO | None, number: int) -> TextIO:
    if stream is not None:
        return cast("TextIO", Forgiving(stream))
    return cast("TextIO", Forgiving(_onto(number, "w"), closed=True))


def _onto(number: int, mode: str) -> TextIO:
    return cast("TextIO", open(number, mode, encoding="utf-8", closefd=False))
