"""What commands print goes through here, and so through `keptalive.text` and `keptalive.redaction`.

`Screen` is the one console of all commands: what it is given is cleaned before it is laid out, and
so neither width nor wrapping brings anything back. What anybody else prints, `cleaning` cleans.
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
    """A console that shows text as it is: no markup, no emoji names, nothing to obey.

    Args:
        stderr: whether it is standard error.
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
    guard_of(sys.stderr if stderr else sys.stdout).write_command(command)
