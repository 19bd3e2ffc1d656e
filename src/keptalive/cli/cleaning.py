"""Standard streams that make text harmless and hide secrets, whatever code writes to them.

`guarded` wraps every command: text that is written to the standard streams meanwhile (a library's
warning, a log line of urllib3, the help) is cleaned. Only our own colours, cursor movements and
workflow commands pass. It does not import rich, so that a command can begin before that import.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from keptalive.redaction import IN_USE
from keptalive.text import harmless, pending, without_commands


class Guard:
    """A standard stream that removes what a terminal or a CI would execute.

    It has no ``buffer``, because bytes would not be cleaned.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.encoding = stream.encoding or "utf-8"
        self.errors = "backslashreplace"
        self._line = ""

    def write(self, text: str) -> int:
        """Clean the text and write it."""
        self._write(harmless(self._line + IN_USE.hide(text)))
        return len(text)

    def write_styled(self, text: str) -> None:
        """Write text whose escape sequences are our own."""
        self._write(without_commands(self._line + IN_USE.hide(text)))

    def write_command(self, command: str) -> None:
        """Write a workflow command of our own, on a line of its own."""
        self.stream.write(f"{harmless('x' + IN_USE.hide(command))[1:]}\n")
        self._line = ""

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self.stream.isatty()

    def fileno(self) -> int:
        """Its file descriptor."""
        return self.stream.fileno()

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of these."""
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
    """Guard both standard streams within the block."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(guard_of, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def guard_of(stream: Any) -> Any:
    """A guard for this stream; a guard, or None, is returned as it is."""
    return stream if stream is None or isinstance(stream, Guard) else Guard(stream)


def unguarded(stream: Any) -> Any:
    """The stream behind a guard."""
    return stream.stream if isinstance(stream, Guard) else stream


@contextmanager
def own_colours() -> Iterator[None]:
    """Let colours through within the block: for the help, which typer prints."""
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
    """The text without secrets in use, and harmless."""
    return harmless(IN_USE.hide(text))
