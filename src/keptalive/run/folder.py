"""The folder of a run: its processes leave their files there, named after process and start.

Light on purpose: it is there before the program starts. `process_reports` reads what is in it.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from keptalive.errors import UsageError
from keptalive.run.inject import _keptalive_names as names

SEAL = "keptalive"  # the first file in it: if it is gone, somebody has cleared the folder
_STEM = re.compile(r"[1-9]\d{0,9}-[0-9a-f]{1,20}")  # process id, time of its start in nanoseconds
_GRACE_S = 1.0  # for those that end just after the program, as multiprocessing's helpers do
_BETWEEN_S = 0.01


def make_folder() -> Path:
    """A new folder that only this user can read, with the seal in it.

    Raises:
        UsageError: there is no room for temporary files.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="keptalive-run-"))  # 0700
        seal(folder)
    except OSError as error:
        raise UsageError(
            f"No temporary folder can be made: {error.strerror}. Next: set TMPDIR."
        ) from None
    return folder


def seal(folder: Path) -> None:
    """Mark a folder that is still empty, so that one who reads it sees whether it was cleared."""
    (folder / SEAL).touch(mode=0o600)


def files_in(folder: Path) -> dict[str, Path]:
    """All files in it, by their names; none if it is gone."""
    with suppress(OSError):
        return {path.name: path for path in sorted(folder.iterdir())}
    return {}


def stems_of(files: Mapping[str, Path], kind: str) -> set[str]:
    """What stands before this ending in the names of our files: one stem for each process."""
    stems = {name.removesuffix(kind) for name in files if name.endswith(kind)}
    return {stem for stem in stems if _STEM.fullmatch(stem)}


def pid_of(stem: str) -> int:
    """The process whose files have this stem."""
    return int(stem.partition("-")[0])


def started_ns_of(stem: str) -> int:
    """When that process started, by the wall clock."""
    return int(stem.partition("-")[2], 16)


def silent_in(folder: Path) -> tuple[str, ...]:
    """The stems of the processes that started and have not reported their end."""
    files = files_in(folder)
    return tuple(sorted(stems_of(files, names.STARTED) - stems_of(files, names.REPORT)))


def await_late_ones(folder: Path) -> frozenset[str]:
    """Wait up to a second for processes that still run; the stems of those that still do then."""
    running: frozenset[str] = frozenset()
    for _ in looks(_GRACE_S):
        running = frozenset(stem for stem in silent_in(folder) if runs(pid_of(stem)))
        if not running:
            break
    return running


def looks(seconds: float) -> Iterator[None]:
    """Times at which to look whether others have come so far: every 10 ms, for so many seconds.

    They are counted, not measured: where the whole machine stands still for a second, as virtual
    ones do, the others have had no time either.
    """
    for _ in range(round(seconds / _BETWEEN_S)):
        yield
        time.sleep(_BETWEEN_S)


def runs(pid: int) -> bool:
    """Whether this process has not ended."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    with suppress(OSError, IndexError):  # Linux: dead, but nobody has asked for its exit code
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return True
