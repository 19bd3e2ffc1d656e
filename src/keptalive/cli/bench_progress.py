"""How far a benchmark is: a bar on a terminal, a line for each round where a bar cannot move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn

from keptalive.bench import runner as benching
from keptalive.cli.output import Screen

Show = Callable[[benching.Progress], None]


@contextmanager
def shown_progress(*, wanted: bool) -> Iterator[Show]:
    """What to call after each trial, on standard error.

    A terminal that can move its cursor has a bar; another terminal (``TERM=dumb``) has lines.
    Where there is no terminal, lines are printed only if they are ``wanted``.
    """
    console = Screen(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal:
        with _bar(console) as show:
            yield show
    elif console.is_terminal or wanted:
        yield lambda progress: _print_round(console, progress)
    else:
        yield lambda _: None


@contextmanager
def _bar(console: Screen) -> Iterator[Show]:
    # It moves between trials only: a thread that redraws would run on the trials' time
    left = TextColumn("{task.fields[left]}", markup=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), left)
    with Progress(
        *columns,
        console=console,
        auto_refresh=False,
        transient=True,
        # rich would read the colours of what others print meanwhile, and show them
        redirect_stdout=False,
        redirect_stderr=False,
    ) as bar:
        task = bar.add_task("warm-up", total=None, left="")

        def show(progress: benching.Progress) -> None:
            left = progress.seconds_left
            bar.update(
                task,
                description=_round_in_words(progress),
                completed=progress.elapsed_s,
                total=None if left is None else progress.elapsed_s + left,
                left=_left_in_words(progress),
                refresh=True,
            )

        yield show


def _print_round(console: Screen, progress: benching.Progress) -> None:
    """A line when a round has ended."""
    if progress.trial < progress.trials_a_round:
        return
    left = "" if progress.traced else _left_in_words(progress)
    console.print(
        f"{_round_in_words(progress)} done after {progress.elapsed_s:.0f} s{left and f', {left}'}"
    )


def _round_in_words(progress: benching.Progress) -> str:
    if progress.traced:
        return "traced round"
    return f"round {progress.round}" if progress.round else "warm-up"


def _left_in_words(progress: benching.Progress) -> str:
    left = progress.seconds_left
    return "" if left is None else f"at most {left:.0f} s left"
