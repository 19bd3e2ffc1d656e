"""How lines of a screen are broken: what follows a first line is indented."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

INDENT = 8  # of what explains a numbered line: its number has that much room


@dataclass(frozen=True, slots=True)
class Hanging:
    """Text on one line if there is room, else on several, the later ones indented."""

    text: Text
    indent: int = 2

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Break the text at the width that there is."""
        if self.text.cell_len <= options.max_width:
            yield self.text
            return
        first, *rest = self.text.wrap(console, max(options.max_width - self.indent, 1))
        for line in (first, *rest):
            line.rstrip()
        yield first
        for line in rest:
            yield Padding(line, (0, 0, 0, self.indent), expand=False)


@dataclass(frozen=True, slots=True)
class Headline:
    """A name and what is said of it: beside it if there is room, else below."""

    name: Text
    said: Text

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Put it where there is room."""
        if self.name.cell_len + len(_BESIDE) + self.said.cell_len <= options.max_width:
            yield Text.assemble(self.name, _BESIDE if self.said else "", self.said)
        else:
            yield self.name
            yield Padding(self.said, (0, 0, 0, len(_BESIDE)), expand=False)


_BESIDE = "   "


@dataclass(frozen=True, slots=True)
class Fitted:
    """Text that is written to the width that there is."""

    write: Callable[[int], str]

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Write it."""
        yield Text(self.write(options.max_width))


def indented(line: RenderableType) -> Padding:
    """The line beneath a numbered one."""
    return Padding(line, (0, 0, 0, INDENT), expand=False)
