"""All output of commands: it is made harmless, and secrets are hidden, before it is printed.

`Screen` is the console of all commands. It cleans text before the layout, so that the layout cannot
bring anything back. `cleaning` cleans what other code prints.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from keptalive.cli.cleaning import Styled, cleaned, guard_of
from keptalive.redaction import without_secrets
from keptalive.text import as_json, harmless


class Screen(Console):
    """A console that cleans text, and shows it without markup and emoji names.

    Args:
        stderr: print on standard error instead of standard output.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        stream = guard_of(sys.stderr if stderr else sys.stdout)
        super().__init__(
            file=None if stream is None else Styled(stream),  # type: ignore[arg-type]
            stderr=stderr,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def on_broken_pipe(self) -> None:
        """Nobody reads it any more: print nothing more.

        Rich would exit, and send standard output to /dev/null, though standard error broke.
        """
        self.quiet = True

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
    guard_of(sys.stderr if stderr else sys.stdout).write_command(command)
