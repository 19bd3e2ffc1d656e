"""Read what the processes of a run have left in its folder, whatever else lies there."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from keptalive.records.process import ProcessRecord
from keptalive.run.folder import SEAL, files_in, pid_of, started_ns_of, stems_of
from keptalive.run.inject import _keptalive_names as names

_PID = re.compile(r"[1-9]\d{0,9}")
_LARGEST = 200_000_000  # bytes of a report: several times one of 20,000 connections
_LONGEST = 300  # characters of a reason
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a process has written about itself when it started.

    Attributes:
        pid, parent: process ids.
        program: the script, or the name of one of multiprocessing's processes.
        python: its version.
    """

    pid: int
    parent: int | None = None
    program: str = ""
    python: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReport:
    """What one process has written about itself; `inject._keptalive_process` writes it.

    Attributes:
        pid, parent, program, python: as in `About`.
        libraries: the versions of requests, urllib3 and OpenSSL, as far as they were imported.
        ended: "exit", "os._exit" or "exec"; None for an interim report, whose process was killed
            or still runs.
        warnings: why it could not be watched, in sentences.
        report: what its watcher recorded; None if there was none.
    """

    pid: int
    parent: int
    program: str
    python: str
    libraries: dict[str, str]
    ended: str | None
    warnings: tuple[str, ...]
    report: ProcessRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What was in the folder of a run when it was read.

    Attributes:
        latest: the last readable report of each process, by the stem of its files, in the order in
            which the processes started.
        processes: the stems of all that took part.
        silent: of those that started and have not reported their end.
        started: what these have said of themselves, by their stem.
        skipped: how many new connections of these came after their interim report, by stem.
        unwatched: why a process could not be watched, by its process id.
        unreadable: how many reports were cut short, or cannot be read.
        foreign: how many other files were there.
        is_cleared: the folder, or what was in it first, has been deleted.
    """

    latest: Mapping[str, ProcessReport]
    processes: frozenset[str]
    silent: tuple[str, ...]
    started: Mapping[str, About]
    skipped: Mapping[str, int]
    unwatched: Mapping[str, str]
    unreadable: int
    foreign: int
    is_cleared: bool


def left_in(folder: Path) -> Left:
    """Read this folder; what is wrong with it is said in the result, and never an error."""
    files = files_in(folder)
    ours = {kind: stems_of(files, kind) for kind in (names.STARTED, names.INTERIM, names.REPORT)}
    latest, unreadable = {}, 0
    for stem in sorted(ours[names.INTERIM] | ours[names.REPORT], key=started_ns_of):
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
    silent = tuple(sorted(ours[names.STARTED] - ours[names.REPORT]))
    return Left(
        latest=latest,
        processes=processes,
        silent=silent,
        started={stem: _about(stem, files[stem + names.STARTED]) for stem in silent},
        skipped={
            stem: _size(files[stem + names.SKIPPED])
            for stem in silent
            if stem + names.SKIPPED in files
        },
        unwatched={pid: _reason(files[pid + names.UNWATCHED]) for pid in unwatched if _is_pid(pid)},
        unreadable=unreadable,
        foreign=sum(not _is_ours(name, processes) for name in files),
        is_cleared=SEAL not in files,
    )


def _is_pid(text: str) -> bool:
    return _PID.fullmatch(text) is not None


def _is_ours(name: str, stems: frozenset[str]) -> bool:
    """Whether we wrote it: half a report, of a process that was killed, ends with a thread's id."""
    stem, _, kind = name.partition(".")
    return name == SEAL or stem in stems or (_is_pid(stem) and f".{kind}" == names.UNWATCHED)


def _content(path: Path) -> bytes | None:
    """What is in this file, if it is one: to read a pipe would not end."""
    with suppress(OSError, MemoryError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST:
            return path.read_bytes()
    return None


def _about(stem: str, path: Path) -> About:
    """What this process has written when it started; of one that could not, its id alone."""
    return _decoded(path, About) or About(pid=pid_of(stem))


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.lstat().st_size
    return 0


def _report(path: Path) -> ProcessReport | None:
    return _decoded(path, ProcessReport)


def _decoded(path: Path, kind: type[Kind]) -> Kind | None:
    content = _content(path)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=kind)
    except (ValueError, RecursionError, MemoryError):  # msgspec's errors are ValueErrors
        return None


def _reason(path: Path) -> str:
    with suppress(UnicodeDecodeError):
        lines = (_content(path) or b"").decode().splitlines()
        if lines:
            return lines[0][:_LONGEST]
    return "the reason cannot be read"
