"""One line on a terminal's standard error that says how far a command is, and then goes away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.live import Live
from rich.text import Text

from keptalive.cli.output import Screen

P = TypeVar("P")


@contextmanager
def live_line(words: Callable[[P], Text]) -> Iterator[Callable[[P], None]]:
    """Gives a function that shows progress, in these words; where no line can be shown, nothing."""
    console = Screen(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield lambda _: None
        return
    line = Live(
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )

    def show(progress: P) -> None:
        line.start()
        line.update(words(progress), refresh=True)

    try:
        yield show
    finally:
        line.stop()
