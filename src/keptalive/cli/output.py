"""What commands print goes through here, and so through `keptalive.text` and `keptalive.redaction`.

Two gates. `Screen` is the one console of all commands: what it is given is cleaned before it is
laid out, and so neither width nor wrapping brings anything back. `guarded` stands around every
command: whatever else writes to the standard streams meanwhile (a library's warning, a log line of
urllib3's, the command line's own help) is cleaned as it is written. Only the commands' own colours
and cursor movements pass, and the one workflow command that is meant.
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
    """With both standard streams guarded; as they were afterwards."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_guard_of, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _guard_of(stream: Any) -> Any:
    return stream if stream is None or isinstance(stream, Guard) else Guard(stream)


def unguarded(stream: Any) -> Any:
    """The stream that a guard stands before."""
    return stream.stream if isinstance(stream, Guard) else stream


@contextmanager
def own_colours() -> Iterator[None]:
    """With colours let through: for the help, whose text is ours and whose console is typer's."""
    before = sys.stdout
    if isinstance(before, Guard):
        sys.stdout = _Styled(before)
    try:
        yield
    finally:
        sys.stdout = before


def cleaned(text: str) -> str:
    """The text without secrets in use, and with nothing to obey."""
    return harmless(IN_USE.hide(text))


class Screen(Console):
    """A console that shows text as it is: no markup, no emoji names, nothing to obey.

    Args:
        stderr: whether it is standard error.
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
        """Make rich's text of a string: as every string that is printed or measured is made."""
        return super().render_str(cleaned(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Render anything: everything that is printed comes by here, before it is laid out."""
        if isinstance(renderable, Text):
            renderable = _cleaned_text(renderable)
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(harmless(text), style)


def _cleaned_text(text: Text) -> Text:
    plain = cleaned(text.plain)
    if plain == text.plain:
        return text
    # the places of its styles are no longer known
    return Text(
        plain,
        style=text.style,
        justify=text.justify,
        overflow=text.overflow,
        no_wrap=text.no_wrap,
        end=text.end,
    )


def print_json(value: Any) -> None:
    """Print the value on standard output, without secrets; it reads back as it was."""
    sys.stdout.write(as_json(without_secrets(value)) + "\n")


def print_command(command: str, *, stderr: bool = False) -> None:
    """Print a workflow command for the CI."""
    _guard_of(sys.stderr if stderr else sys.stdout).write_command(command)
