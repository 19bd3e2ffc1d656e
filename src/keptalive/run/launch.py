"""Run somebody's program under watch, and get a report from each Python process that took part.

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
import tempfile
from collections.abc import Sequence
from pathlib import Path

from keptalive.errors import UsageError
from keptalive.run.collect import Ran, await_late_ones, collected
from keptalive.run.command import command_words, module_words
from keptalive.run.folder import seal
from keptalive.run.process import environment, folder_of, run_to_end

__all__ = ["Ran", "run"]


def run(command: Sequence[str], *, module: bool = False, watcher: str) -> Ran:
    """Run a script, a module or a command to its end.

    Args:
        command: what to run, and its arguments.
        module: its first word is the name of a module, as after ``python -m``.
        watcher: the dotted name of a callable. Each process calls it once at its start, without
            arguments; it returns an object whose `report()` is a JSON-able dict, asked for at the
            process's end. After a fork the child calls `after_fork()` of that object if it has
            such a method, and else the callable again: its report is to tell of the child alone.
            If it has a method `on_change(note)`, it may call `note()` after each change, holding
            no lock of its own: then a process that gets killed leaves an interim report.

    Raises:
        UsageError: nothing like that can be run.
    """
    try:
        words = module_words(command) if module else command_words(command)
    except OSError as error:  # a name that is too long, a working directory that is gone
        raise UsageError(
            f"{command[0]:.80} cannot be looked for: {error.strerror}. "
            "Next: check the path, and the working directory."
        ) from None
    source = folder_of(watcher.partition(".")[0])
    try:
        folder = Path(tempfile.mkdtemp(prefix="keptalive-run-"))  # 0700
        seal(folder)
    except OSError as error:
        raise UsageError(
            f"No temporary folder can be made: {error.strerror}. Next: set TMPDIR."
        ) from None
    try:
        ended = run_to_end(words, environment(os.environ, folder, watcher, source))
        running = await_late_ones(folder)
        return collected(folder, ended, running)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
