"""Run somebody's program under watch, and get the records of each Python process that took part.

The program runs as without us: an interpreter of its own, with our standard streams, process group
and working directory. Two things differ: a folder in front of PYTHONPATH, whose `sitecustomize`
starts the watcher in every Python that inherits it and then makes way for an existing one, and the
variables `KEPTALIVE_*`. So whatever starts Python is covered, in whatever virtual environment.

Not watched are processes that do not inherit PYTHONPATH or ignore it (``-E``, ``-I``, ``-S``), and
those where somebody else's `sitecustomize` stands in front and does not run the next one. Of the
process that was started this is said; of its children it is not known. Python's own options do what
they do without us, except that ``-v`` and ``-X importtime`` list our modules too.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from keptalive.errors import UsageError
from keptalive.run.command import command_words, module_words
from keptalive.run.folder import await_late_ones, make_folder
from keptalive.run.process import OURS, Streams, environment, folder_of, run_to_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keptalive.run.collect import Ran


def run(
    command: Sequence[str],
    *,
    module: bool = False,
    watcher: str,
    timeline: bool = False,
    on_usr1: Callable[[Ran], None] | None = None,
    tuned: bool = False,
    variables: Mapping[str, str] | None = None,
    streams: Streams = OURS,
) -> Ran:
    """Run a script, a module or a command to its end.

    Args:
        command: what to run, and its arguments.
        module: its first word is the name of a module, as after ``python -m``.
        watcher: the dotted name of a callable. Each process calls it once at its start, without
            arguments; it returns an object whose `report()` is a `ProcessRecord` as plain data,
            which is read at the process's end. After a fork the child calls `after_fork()` of that
            object if it has such a method, and else the callable again: its report is about the
            child alone. If it has a method `on_change(note)`, it may call `note()` after each
            change, holding no lock of its own: then a process that gets killed leaves an interim
            report.
        timeline: each process is to record its requests too.
        on_usr1: called with what was recorded so far when this process gets SIGUSR1; without it,
            that signal goes to the program. It must not raise.
        tuned: each process is to tune the adapters of requests (`tuned_adapters`).
        variables: of its environment, beside our own.
        streams: for its standard streams.

    Raises:
        UsageError: nothing like that can be run.
    """
    words, python = _words(command, module=module)
    source = folder_of(watcher.partition(".")[0])
    folder = make_folder()
    try:
        base = {**os.environ, **(variables or {})}
        whole = environment(base, folder, watcher, source, timeline=timeline, tuned=tuned)
        ended = run_to_end(words, whole, streams, on_usr1=_reporting(folder, python, on_usr1))
        running = await_late_ones(folder)
        from keptalive.run.collect import collected  # what it imports would delay the program

        return replace(collected(folder, ended, running), python=python)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reporting(
    folder: Path, python: str, on_usr1: Callable[[Ran], None] | None
) -> Callable[[float], None] | None:
    """What to do at SIGUSR1, so many seconds after the start: ask the processes, and report."""
    if on_usr1 is None:
        return None

    def report(seconds: float) -> None:
        from keptalive.run.so_far import so_far

        on_usr1(so_far(folder, seconds=seconds, python=python))

    return report


def _words(command: Sequence[str], *, module: bool) -> tuple[list[str], str]:
    try:
        return module_words(command) if module else command_words(command)
    except OSError as error:  # a name that is too long, a working directory that is gone
        raise UsageError(
            f"{command[0]:.80} cannot be looked for: {error.strerror}. "
            "Next: check the path, and the working directory."
        ) from None
