"""Standard streams that a command can write to whatever has become of them.

A reader that has left (`| head`), a full disk, a stream that was closed: the command goes on to its
end, saves what it has and gives its verdict. Only then is said what could not be written.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, TextIO, cast


class Forgiving:
    """A text stream, but writing to it does not fail.

    Attributes:
        failure: the first error that writing met, if any; from then on all goes nowhere.
    """

    def __init__(self, stream: TextIO, *, closed: bool = False) -> None:
        self._stream = stream
        self._closed = closed
        self.failure: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # past which click would write where the encoding is ASCII
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
        # always: the interpreter does so at its end, and would say that it failed
        try:
            self._stream.flush()
        except OSError as error:
            self.failure = self.failure or error


def forgive() -> None:
    """Put such streams in the place of standard output and error, and open what is closed.

    A closed one is opened onto nothing, for this process alone: else the next file or socket would
    get its number.
    """
    for number in range(3):
        if _is_closed(number):
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    if sys.stdin is None:
        sys.stdin = _onto(0, "r")
    sys.stdout = _forgiving(sys.stdout, 1)
    sys.stderr = _forgiving(sys.stderr, 2)


def lost(stream: object) -> OSError | None:
    """Flush this stream; the error that kept it from being written, if any.

    That of a reader who has left is none: it has seen what it wanted.
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
