"""The report of a program that still runs: its processes are asked for what they have recorded.

A process is asked by SIGUSR1, if it has said that it answers (`inject._keptalive_asked`) and the
system confirms that the signal does not end it. Of all others there is what they noted at their
last new connection.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from keptalive.quantities import many
from keptalive.run.collect import Ran
from keptalive.run.folder import looks, pid_of, runs, silent_in, started_ns_of
from keptalive.run.inject import _keptalive_names as names
from keptalive.run.process_reports import left_in

_PATIENCE_S = 1.0  # for a process whose main thread is within code written in C
_START_TIME = 19  # in /proc/PID/stat, behind the name: proc(5), (22) starttime
_CLOCKS_DIFFER_S = 2.0  # the wall clock is set now and then
_GOES_ON = "not yet"  # how a process ended that has answered: its record is whole until now
_STALE = "what came after the last new connection is not counted"


def so_far(folder: Path, *, seconds: float, python: str = "") -> Ran:
    """Ask the processes of this run, and gather what they have recorded until now.

    Args:
        folder: that of the run.
        seconds: since the program started.
        python: as in `Ran`.
    """
    running = [stem for stem in silent_in(folder) if runs(pid_of(stem))]
    asked = {stem for stem in running if _ask(folder, stem)}
    unanswered = _await_answers(folder, asked)
    left = left_in(folder)
    silent = unanswered.intersection(left.silent)  # but not those that have ended in order since
    reports = tuple(
        replace(one, ended=_GOES_ON) if stem in asked - silent and one.ended is None else one
        for stem, one in left.latest.items()
        if one.report is not None
    )
    return Ran(
        exit_code=0,
        seconds=seconds,
        cpu_seconds=0.0,
        processes=reports,
        processes_without_report=len(left.processes) - len(reports) + len(left.unwatched),
        lost=(),
        warnings=tuple(_warnings(len(running) - len(asked), len(silent))),
        python=python,
    )


def _warnings(left_alone: int, silent: int) -> Iterator[str]:
    if left_alone:
        handle, were = ("handles", "was") if left_alone == 1 else ("handle", "were")
        yield (
            f"{many(left_alone, 'process')} {handle} {names.SIGNAL} otherwise, and {were} not "
            f"asked: {_STALE}"
        )
    if silent:
        yield f"{many(silent, 'process')} did not answer: {_STALE}"


def _ask(folder: Path, stem: str) -> bool:
    """Send the signal, if this process answers it."""
    number = getattr(signal, names.SIGNAL, None)
    asked, pid = folder / (stem + names.ASKED), pid_of(stem)
    if number is None or not (folder / (stem + names.ASKABLE)).exists():
        return False
    if asked.exists():
        return True  # it has not answered yet
    with suppress(OSError):
        asked.touch(mode=0o600)  # first: without it the signal ends the process
        if catches(pid, number) and not began_after(pid, started_ns_of(stem)):
            os.kill(pid, number)
            return True
        asked.unlink()
    return False


def catches(pid: int, number: int) -> bool:
    """Whether a handler in this process gets this signal, as far as the system tells."""
    if not Path("/proc/self/status").exists():
        return True  # macOS
    masks = {}
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("SigBlk", "SigCgt"):
                masks[name] = int(value, 16) >> (number - 1) & 1
    return masks == {"SigBlk": 0, "SigCgt": 1}


def began_after(pid: int, started_ns: int) -> bool:
    """Whether this process began later, so that it is another one with the id of one that ended.

    Args:
        pid: of a process that runs.
        started_ns: when ours said that it had begun, by the wall clock.

    Returns:
        False where the system does not tell.
    """
    with suppress(OSError, ValueError, IndexError, AttributeError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        since_boot_s = int(fields[_START_TIME]) / os.sysconf("SC_CLK_TCK")
        booted_s = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return booted_s + since_boot_s > started_ns / 1e9 + _CLOCKS_DIFFER_S
    return False


def _await_answers(folder: Path, stems: set[str]) -> set[str]:
    """Those that have not answered after a while; the files of these stay, since they may yet."""
    waiting = stems
    for _ in looks(_PATIENCE_S):
        waiting = {stem for stem in stems if (folder / (stem + names.ASKED)).exists()}
        if not any(runs(pid_of(stem)) for stem in waiting):
            break
    return waiting
