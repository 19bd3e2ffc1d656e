"""All output of commands: it is made harmless, and secrets are hidden, before it is printed.

This happens twice. `Screen` is the console of all commands: it cleans text before the layout, so
that the layout cannot bring anything back. `guarded` wraps every command: other text that is
written to the standard streams (a library's warning, a log line of urllib3, the help) is cleaned
when it is written. Only our own colours and cursor movements pass, and our own workflow commands.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from keptalive.redaction import IN_USE, without_secrets
from keptalive.text import as_json, harmless, pending, without_commands


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


class _Styled:
    """A guarded stream as a `Screen` writes to it."""

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
    sys.stdout, sys.stderr = map(_guard_of, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _guard_of(stream: Any) -> Any:
    return stream if stream is None or isinstance(stream, Guard) else Guard(stream)


def unguarded(stream: Any) -> Any:
    """The stream behind a guard."""
    return stream.stream if isinstance(stream, Guard) else stream


@contextmanager
def own_colours() -> Iterator[None]:
    """Let colours through within the block: for the help, which typer prints."""
    before = sys.stdout
    if isinstance(before, Guard):
        sys.stdout = _Styled(before)
    try:
        yield
    finally:
        sys.stdout = before


def cleaned(text: str) -> str:
    """The text without secrets in use, and harmless."""
    return harmless(IN_USE.hide(text))


class Screen(Console):
    """A console that cleans text, and shows it without markup and emoji names.

    Args:
        stderr: print on standard error instead of standard output.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        stream = _guard_of(sys.stderr if stderr else sys.stdout)
        super().__init__(
            file=None if stream is None else _Styled(stream),  # type: ignore[arg-type]
            stderr=stderr,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def render_str(self, text: str, **options: Any) -> Text:
        """Rich's text for a string; rich calls this for every string that it prints or measures."""
        return super().render_str(cleaned(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Render anything; rich calls this for all that it prints, before the layout."""
        if isinstance(renderable, Text):
            renderable = _cleaned_text(renderable)
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(harmless(text), style)


def _cleaned_text(text: Text) -> Text:
    plain = cleaned(text.plain)
    if plain == text.plain:
        return text
    # the positions of its styles are no longer valid
    return Text(
        plain,
        style=text.style,
        justify=text.justify,
        overflow=text.overflow,
        no_wrap=text.no_wrap,
        end=text.end,
    )


def print_json(value: Any) -> None:
    """Print the value as JSON on standard output, without secrets."""
    sys.stdout.write(as_json(without_secrets(value)) + "\n")


def print_command(command: str, *, stderr: bool = False) -> None:
    """Print a workflow command for the CI."""
    _guard_of(sys.stderr if stderr else sys.stdout).write_command(command)
