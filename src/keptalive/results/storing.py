"""Where results are kept: written whole or not at all, found again by name or as the newest."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from keptalive.errors import UsageError
from keptalive.records.report import Report
from keptalive.text import as_json

RESULTS = Path("results")
BASELINE = RESULTS / "baseline"
REPORT = "run-"  # how the names of reports begin; those of results of bench begin with their time
IGNORING = ".gitignore"
_IGNORED = f"# Reports of keptalive run: they name hosts and files.\n{REPORT}*.json\n"

# -- Writing -------------------------------------------------------------------------------------


def check_writable(
    folder: Path, *, next_step: str = "--results FOLDER, where you may write"
) -> None:
    """Find out before a minute's measuring, rather than after, that nothing can be saved.

    Raises:
        UsageError: the folder cannot be made, or not be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"Results cannot be written to {folder}: {error.strerror}. Next: {next_step}."
        ) from None


def save(contents: Mapping[str, Any], folder: Path) -> Path:
    """Write the file, named after its time, whole or not at all; say where.

    Raises:
        UsageError: it cannot be written there; if the system's folder for temporary files takes
            it, the sentence says where it is.
    """
    text = as_json(contents) + "\n"
    stamp = str(contents["datetime"])[:19].replace(":", "")
    try:
        return _write(text, folder, stamp)
    except OSError as error:
        kept = _keep_elsewhere(text, stamp)
        raise UsageError(
            f"The result cannot be written to {folder}: {error.strerror}. {kept}"
        ) from None


def save_report(report: Report, folder: Path) -> Path:
    """Write a report to ``run-TIME.json``, whole or not at all; say where.

    Git ignores it: a folder without a ``.gitignore`` gets one.

    Raises:
        UsageError: as of `save`.
    """
    from keptalive.results.reports import to_json  # results do without it

    text = to_json(report) + "\n"
    stamp = f"{REPORT}{datetime.now(timezone.utc):%Y-%m-%dT%H%M%S}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _ignore_reports(folder / IGNORING)
        return _write(text, folder, stamp)
    except OSError as error:
        kept = _keep_elsewhere(text, stamp)
        raise UsageError(
            f"The report cannot be written to {folder}: {error.strerror}. {kept}"
        ) from None


def _ignore_reports(file: Path) -> None:
    with suppress(FileExistsError), file.open("x", encoding="utf-8") as ignored:
        ignored.write(_IGNORED)


def _keep_elsewhere(text: str, stamp: str) -> str:
    elsewhere = Path(tempfile.gettempdir())
    try:
        return f"It is kept as {_write(text, elsewhere, f'keptalive-{stamp}')}."
    except OSError as error:
        return f"Nor to {elsewhere}: {error.strerror}. Next: make room, and use --json."


def _write(text: str, folder: Path, stem: str) -> Path:
    """Through a temporary file, and never over an older result."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=folder, prefix=".", suffix=".json", delete=False
    ) as unfinished:
        try:
            unfinished.write(text)
            unfinished.flush()
            os.fsync(unfinished.fileno())
            os.fchmod(unfinished.fileno(), 0o644)
            return _link_under_free_name(Path(unfinished.name), folder, stem)
        finally:
            Path(unfinished.name).unlink()


def _link_under_free_name(unfinished: Path, folder: Path, stem: str) -> Path:
    number = 1
    while True:
        path = folder / (f"{stem}.json" if number == 1 else f"{stem}-{number}.json")
        try:
            path.hardlink_to(unfinished)
        except FileExistsError:
            number += 1
        else:
            return path


# -- Finding -------------------------------------------------------------------------------------


def find(named: Path, *, reports: bool | None = None) -> Path:
    """The file that is meant: a file, the newest one in a folder, or a name in ``results/``.

    Args:
        named: what the user wrote.
        reports: of a folder, whether it is the newest report of `save_report` that is wanted, or
            the newest result of ``bench``; None for the newest of both.

    Raises:
        UsageError: there is nothing of that name, or nothing like that in that folder.
    """
    place = locate(named)
    return newest_in(place, reports=reports) if place.is_dir() else place


def locate(named: Path) -> Path:
    """The file or the folder of this name, or of this name in ``results/``.

    Raises:
        UsageError: there is none.
    """
    candidates = (named, RESULTS / named, RESULTS / f"{named}.json")
    try:
        found = next((path for path in candidates if path.exists()), None)
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise UsageError(f"{named} cannot be read: {error.strerror}.") from None
    if found is None:
        raise UsageError(f"There is no result {named}. Next: {_next_step(named)}")
    return found


def newest_in(folder: Path, *, reports: bool | None = None) -> Path:
    """The newest file in a folder.

    Args:
        folder: where.
        reports: the newest report of `save_report` is wanted, or the newest result of ``bench``;
            None for the newest of both.

    Raises:
        UsageError: there is none, or the folder cannot be read.
    """
    for path in files_in(folder):
        if reports in (None, is_named_as_report(path)):
            return path
    if reports:
        raise UsageError(
            f"There is no report in {folder}. Next: keptalive run --save PROGRAM saves one."
        )
    raise UsageError(f"There is no result in {folder}. Next: {_next_step(folder)}")


def is_named_as_report(path: Path) -> bool:
    """Whether the file has the name of a saved report."""
    return path.name.startswith(REPORT)


def files_in(folder: Path) -> list[Path]:
    """The results and reports in a folder, the newest first.

    Raises:
        UsageError: the folder cannot be read.
    """
    try:
        files = [path for path in folder.glob("*.json") if not path.name.startswith(".")]
        return sorted(files, key=_made, reverse=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}.") from None


def _next_step(named: Path) -> str:
    if named == BASELINE:
        return (
            f"keptalive bench --results {BASELINE} makes a baseline; of your own program, "
            "keptalive run --json FILE makes a report to name here."
        )
    return "keptalive bench makes one, or keptalive run --json FILE."


_STAMP = re.compile(rf"(?:{REPORT})?(\d{{4}}-\d\d-\d\dT\d{{6}})(?:-(\d+))?")


def _made(path: Path) -> tuple[str, int]:
    """When it was made, by its name; a file that was renamed, by its time of change."""
    if stamp := _STAMP.fullmatch(path.stem):
        return stamp[1], int(stamp[2] or 1)
    changed = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
    return f"{changed:%Y-%m-%dT%H%M%S}", 1
