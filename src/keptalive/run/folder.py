"""Read what the processes of a run have left in its folder, whatever else lies there."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keptalive.run.inject import _keptalive_names as names

# What `run` puts there first: if it is gone, somebody has cleared the folder
_SEAL = "keptalive"
_STEM = re.compile(r"[1-9]\d{0,9}-[0-9a-f]{1,20}")  # process id, time of its start in nanoseconds
_PID = re.compile(r"[1-9]\d{0,9}")
_LARGEST = 200_000_000  # bytes of a report: several times one of 20,000 connections
_LONGEST = 300  # characters of a reason
_TYPES = {"pid": int, "parent": int, "program": str, "python": str, "warnings": list}


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What was in the folder of a run when it was read.

    Attributes:
        latest: the last readable report of each process, by the stem of its files, in the order in
            which the processes started.
        processes: the stems of all that took part.
        silent: of those that started and have not reported their end.
        unwatched: why a process could not be watched, by its process id.
        unreadable: how many reports were cut short, or cannot be read.
        foreign: how many other files were there.
        is_cleared: the folder, or what was in it first, has been deleted.
    """

    latest: Mapping[str, Mapping[str, Any]]
    processes: frozenset[str]
    silent: tuple[str, ...]
    unwatched: Mapping[str, str]
    unreadable: int
    foreign: int
    is_cleared: bool


def seal(folder: Path) -> None:
    """Mark a folder that is still empty, so that `left_in` sees whether it was cleared."""
    (folder / _SEAL).touch(mode=0o600)


def silent_in(folder: Path) -> tuple[str, ...]:
    """The stems of the processes that started and have not reported their end."""
    files = _files(folder)
    return tuple(sorted(_stems(files, names.STARTED) - _stems(files, names.REPORT)))


def pid_of(stem: str) -> int:
    """The process whose files have this stem."""
    return int(stem.partition("-")[0])


def left_in(folder: Path) -> Left:
    """Read this folder; what is wrong with it is said in the result, and never an error."""
    files = _files(folder)
    ours = {kind: _stems(files, kind) for kind in (names.STARTED, names.INTERIM, names.REPORT)}
    latest, unreadable = {}, 0
    for stem in sorted(ours[names.INTERIM] | ours[names.REPORT], key=_started):
        readable = None
        for kind in (names.REPORT, names.INTERIM):
            if readable is None and stem in ours[kind]:
                readable = _report(files[stem + kind])
                unreadable += readable is None
        if readable is not None:
            latest[stem] = readable
    unwatched = [
        name.removesuffix(names.UNWATCHED) for name in files if name.endswith(names.UNWATCHED)
    ]
    processes = frozenset[str]().union(*ours.values())
    return Left(
        latest=latest,
        processes=processes,
        silent=tuple(sorted(ours[names.STARTED] - ours[names.REPORT])),
        unwatched={pid: _reason(files[pid + names.UNWATCHED]) for pid in unwatched if _is_pid(pid)},
        unreadable=unreadable,
        foreign=sum(not _is_ours(name, processes) for name in files),
        is_cleared=_SEAL not in files,
    )


def _files(folder: Path) -> dict[str, Path]:
    with suppress(OSError):
        return {path.name: path for path in sorted(folder.iterdir())}
    return {}


def _stems(files: Mapping[str, Path], kind: str) -> set[str]:
    stems = {name.removesuffix(kind) for name in files if name.endswith(kind)}
    return {stem for stem in stems if _STEM.fullmatch(stem)}


def _started(stem: str) -> int:
    return int(stem.partition("-")[2], 16)


def _is_pid(text: str) -> bool:
    return _PID.fullmatch(text) is not None


def _is_ours(name: str, stems: frozenset[str]) -> bool:
    """Whether we wrote it: half a report, of a process that was killed, ends with a thread's id."""
    stem, _, kind = name.partition(".")
    return name == _SEAL or stem in stems or (_is_pid(stem) and f".{kind}" == names.UNWATCHED)


def _text(path: Path) -> str | None:
    """What is in this file, if it is one: to read a pipe would not end."""
    with suppress(OSError, ValueError, MemoryError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST:
            return path.read_text(encoding="utf-8")
    return None


def _report(path: Path) -> dict[str, Any] | None:
    text = _text(path)
    if text is None:
        return None
    try:
        contents = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return contents if _is_report(contents) else None


def _is_report(contents: object) -> bool:
    return (
        isinstance(contents, dict)
        and all(isinstance(contents.get(name), kind) for name, kind in _TYPES.items())
        and all(isinstance(line, str) for line in contents["warnings"])
        and isinstance(contents.get("report"), (dict, type(None)))
        and isinstance(contents.get("ended"), (str, type(None)))
    )


def _reason(path: Path) -> str:
    lines = (_text(path) or "").splitlines()
    return lines[0][:_LONGEST] if lines else "the reason cannot be read"
