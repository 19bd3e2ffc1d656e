"""A program, run once: its time, its connections, what it printed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from keptalive import interruption
from keptalive.run import launch
from keptalive.run.collect import Ran
from keptalive.run.process import Streams

LARGEST_OUTPUT = 16 * 1024 * 1024  # bytes that are read
_WATCHER = "keptalive.bench.programs.within.begin"
_TAIL = 4096  # bytes of standard error in which its last line is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What came of it.

    Attributes:
        ran: its end, and what its processes recorded.
        output: what it wrote to standard output, up to `LARGEST_OUTPUT`.
        last_error_line: the last line that it wrote to standard error; empty if there is none.
    """

    ran: Ran
    output: bytes
    last_error_line: str


def execute(words: Sequence[str], *, tuned: bool, variables: Mapping[str, str]) -> Execution:
    """Run this command to its end, with nothing to read and its output kept for us.

    Args:
        words: as after ``keptalive run``; ``-m MODULE`` runs a module.
        tuned: with tuned Sessions.
        variables: of its environment, beside our own.

    Raises:
        UsageError: nothing like that can be run.
        Interrupted: a signal came meanwhile.
    """
    module = words[0] == "-m"
    # files, since a child that lives on would keep a pipe open
    with (
        open("/dev/null", "rb") as nothing,  # noqa: PTH123
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        streams = Streams(stdin=nothing.fileno(), stdout=output.fileno(), stderr=errors.fileno())
        ran = launch.run(
            words[1:] if module else words,
            module=module,
            watcher=_WATCHER,
            tuned=tuned,
            variables=variables,
            streams=streams,
        )
        for number in ran.signals:
            interruption.note(number)
        with interruption.allowed():
            output.seek(0)
            return Execution(
                ran=ran, output=output.read(LARGEST_OUTPUT), last_error_line=_last_line(errors)
            )


def _last_line(file: IO[bytes]) -> str:
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL))
    lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
