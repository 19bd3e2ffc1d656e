"""What the processes of a run have left in its folder, and what there is to say of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keptalive.watching.inject import _keptalive_names as inside

_OF_A_POOL = "PoolWorker-"  # as multiprocessing names them: ForkPoolWorker-1
_POOLS_WAY = " (Pool terminates its workers: close() and join() let them end)"
_GRACE_S = 1.0  # for those that end just after the program, as multiprocessing's helpers do


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A program that has ended, and what its processes reported.

    Attributes:
        exit_code: the program's own; 128 + N where signal N ended it.
        reports: of each process that gave one, in the order they started: a dict with `pid`,
            `parent`, `program`, `python`, `ended` ("exit", "os._exit", "exec"; None where a process
            was killed or still runs: an interim report), `warnings`, and the watcher's own under
            `report`.
        processes_without_report: Python processes that took part and gave none.
        warnings: what was not seen, or not for certain.
    """

    exit_code: int
    reports: tuple[dict[str, Any], ...]
    processes_without_report: int
    warnings: tuple[str, ...]


def await_late_ones(folder: Path) -> frozenset[str]:
    """Wait a little for processes that still run; say which do, by the stems of their files."""
    give_up = time.monotonic() + _GRACE_S
    while running := frozenset(stem for stem in _silent(folder) if _runs(_pid(stem))):
        if time.monotonic() > give_up:
            break
        time.sleep(0.01)
    return running


def _stems(folder: Path, kind: str) -> dict[str, Path]:
    return {path.stem: path for path in folder.glob(f"*{kind}")}


def _pid(stem: str) -> int:
    return int(stem.split("-")[0])


def _silent(folder: Path) -> list[str]:
    """The processes that started and have not reported their end."""
    return sorted(_stems(folder, inside.STARTED).keys() - _stems(folder, inside.REPORT).keys())


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    with suppress(OSError, IndexError):  # Linux: dead, but nobody has asked for its exit code
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return True


def collected(folder: Path, exit_code: int, running: frozenset[str]) -> Ran:
    """Read what they have left; those that are silent and not `running` were killed."""
    latest = _stems(folder, inside.INTERIM) | _stems(folder, inside.REPORT)
    by_start = sorted(latest, key=lambda stem: stem.split("-")[1])
    left = {stem: json.loads(latest[stem].read_text()) for stem in by_start}
    reports = tuple(one for one in left.values() if isinstance(one["report"], dict))
    silent = _silent(folder)
    unwatched = _stems(folder, inside.UNWATCHED)
    without = sum(stem not in left for stem in silent) + len(left) - len(reports) + len(unwatched)
    notes = [
        *(f"{_who(one)}: {warning}" for one in left.values() for warning in one["warnings"]),
        *(f"process {pid} was not watched: {why.read_text()}" for pid, why in unwatched.items()),
        *_of_the_killed(
            [left.get(stem) for stem in silent if stem not in running],
            hint=_POOLS_WAY if any(_OF_A_POOL in one["program"] for one in left.values()) else "",
        ),
    ]
    if running:
        notes.append(
            f"{len(running)} of its processes still run: what they do from here on is not seen"
        )
    if not reports and not without:
        notes.append(
            "no Python process took part, or none that heeds PYTHONPATH (-E, -I and -S do not)"
        )
    return Ran(
        exit_code=exit_code,
        reports=reports,
        processes_without_report=without,
        warnings=tuple(dict.fromkeys(notes)),
    )


def _of_the_killed(interims: Sequence[Mapping[str, Any] | None], hint: str) -> Iterator[str]:
    """What is to be said of processes that did not come to report their end."""
    noted = [_who(one) for one in interims if one is not None]
    why = f"killed before the end, or kept from reporting it{hint}"
    if noted:
        yield f"{_these(noted)} {why}: what came after the last new connection is not counted"
    if silent := len(interims) - len(noted):
        yield f"{_these(['a process'] * silent)} {why}: no new connection was noted"


def _these(processes: Sequence[str]) -> str:
    return f"{processes[0]} was" if len(processes) == 1 else f"{len(processes)} processes were"


def _who(contents: Mapping[str, Any]) -> str:
    return f"process {contents['pid']} ({contents['program']}, Python {contents['python']})"
