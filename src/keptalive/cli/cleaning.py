"""Standard streams that clean what is written to them, whoever writes.

`guarded` stands around every command: whatever is written to the standard streams meanwhile (a
library's warning, a log line of urllib3's, the command line's own help) passes `keptalive.text` and
`keptalive.redaction`. Only the commands' own colours and cursor movements pass, and the one
workflow command that is meant. It imports no rich, so that a command can begin before that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from keptalive.redaction import IN_USE
from keptalive.text import harmless, pending, without_commands


class Guard:
    """A standard stream, to which nothing gets that a terminal or a CI would obey.

    It has no ``buffer``: bytes would pass by.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.encoding = stream.encoding or "utf-8"
        self.errors = "backslashreplace"
        self._line = ""

    def write(self, text: str) -> int:
        """Write what is left of the text."""
        self._write(harmless(self._line + IN_USE.hide(text)))
        return len(text)

    def write_styled(self, text: str) -> None:
        """Write text whose escape sequences are the commands' own."""
        self._write(without_commands(self._line + IN_USE.hide(text)))

    def write_command(self, command: str) -> None:
        """Write a workflow command that is meant, on a line of its own."""
        self.stream.write(f"{harmless('x' + IN_USE.hide(command))[1:]}\n")
        self._line = ""

    def flush(self) -> None:
        """Hand on what was written."""
        self.stream.flush()

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return self.stream.isatty()

    def fileno(self) -> int:
        """The descriptor."""
        return self.stream.fileno()

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of them."""
        for line in lines:
            self.write(line)

    def _write(self, text: str) -> None:
        new, self._line = text[len(self._line) :], pending(text)
        self.stream.write(new.encode(self.encoding, self.errors).decode(self.encoding))


class Styled:
    """A guarded stream as `output.Screen` writes to it."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.encoding = guard.encoding
        self.flush, self.isatty, self.fileno = guard.flush, guard.isatty, guard.fileno

    def write(self, text: str) -> int:
        self._guard.write_styled(text)
        return len(text)


@contextmanager
def guarded() -> Iterator[None]:
    """With both standard streams guarded; as they were afterwards."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(guard_of, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def guard_of(stream: Any) -> Any:
    """A guard before this stream; the stream itself if it is one, or if there is no stream."""
    return stream if stream is None or isinstance(stream, Guard) else Guard(stream)


def unguarded(stream: Any) -> Any:
    """The stream that a guard stands before."""
    return stream.stream if isinstance(stream, Guard) else stream


@contextmanager
def own_colours() -> Iterator[None]:
    """With colours let through: for the help, whose text is ours and whose console is typer's."""
    before = sys.stdout
    if isinstance(before, Guard):
        sys.stdout = Styled(before)
    try:
        yield
    finally:
        sys.stdout = before


def print_line(text: str) -> None:
    """Print this text on standard output."""
    guard_of(sys.stdout).write(f"{text}\n")


def cleaned(text: str) -> str:
    """The text without secrets in use, and with nothing to obey."""
    return harmless(IN_USE.hide(text))
