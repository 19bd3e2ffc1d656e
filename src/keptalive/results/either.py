"""The two sides of a comparison: each a result of `bench`, or reports of one program.

A folder means its newest result; of reports it means all, which are several runs of one program:
only in ``results/``, where each run of whatever program is saved, it is the newest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keptalive.errors import UsageError
from keptalive.records.report import Report
from keptalive.results.reading import LARGEST, Saved, json_in, no_collecting, result_in
from keptalive.results.reports import LARGEST as LARGEST_REPORT
from keptalive.results.reports import is_report, report_in
from keptalive.results.storage import StorageUrl, read_stored
from keptalive.results.storing import RESULTS, files_in, is_named_as_report, locate, newest_in

# As keptalive writes one; a file that begins otherwise may be as large as a result
_BEGINS_A_REPORT = re.compile(rb"\s*\{\s*\"schema\"\s*:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """Reports of one program, and where they are: a file, or a folder."""

    path: Path
    reports: tuple[Report, ...]


def read_both(
    baseline: Path | StorageUrl, candidate: Path | StorageUrl
) -> tuple[Saved, Saved] | tuple[Reports, Reports]:
    """What is compared. A folder on one side is searched for what the other side is.

    Args:
        baseline: a file, a folder, a name in ``results/``, or a result in a storage. If that has
            no name, it is the newest one that is not the candidate.
        candidate: likewise.

    Raises:
        UsageError: one of them is not there or cannot be read; or they are not of one kind.
    """
    if isinstance(baseline, StorageUrl) or isinstance(candidate, StorageUrl):
        return _both_of_results(baseline, candidate)
    before = _side(baseline, reports=_is_of_reports(candidate))
    after = _side(candidate, reports=isinstance(before, Reports))
    if before.path.resolve() == after.path.resolve() and locate(candidate).is_dir():
        raise UsageError(  # with itself it is equal, whatever the program does by now
            f"{after.path} is both baseline and candidate: {candidate} has nothing newer. "
            "Next: measure again, or name both sides."
        )
    if isinstance(before, Saved) and isinstance(after, Saved):
        return before, after
    if isinstance(before, Reports) and isinstance(after, Reports):
        return before, after
    result, report = (before, after) if isinstance(before, Saved) else (after, before)
    raise UsageError(
        f"{result.path} is a result of keptalive bench, {report.path} a report of a program: they "
        "cannot be compared. Next: name two results, or two reports."
    )


def _both_of_results(
    baseline: Path | StorageUrl, candidate: Path | StorageUrl
) -> tuple[Saved, Saved]:
    after = _result(candidate)
    before = _result(baseline, but=after)
    if before.made == after.made and before.run == after.run:
        raise UsageError(
            f"{baseline} and {candidate} are the same result. "
            "Next: measure again, or name another one after #."
        )
    return before, after


def _result(named: Path | StorageUrl, *, but: Saved | None = None) -> Saved:
    if isinstance(named, StorageUrl):
        return read_stored(named, but=but)
    side = _side(named, reports=False)
    if isinstance(side, Reports):
        raise UsageError(
            f"{side.path} is a report of a program; a storage has results of keptalive bench. "
            "Next: name two results, or two reports."
        )
    return side


def _is_of_reports(named: Path) -> bool | None:
    """Whether this is a report; None if it is a folder, or not there, as is said later."""
    try:
        place = locate(named)
    except UsageError:
        return None
    return None if place.is_dir() else _begins_a_report(place)


def _side(named: Path, *, reports: bool | None) -> Saved | Reports:
    place = locate(named)
    if not place.is_dir():
        return _alone(place)
    is_shared = place.resolve() == RESULTS.resolve()
    by_name = is_shared or any(is_named_as_report(path) == reports for path in files_in(place))
    newest = _alone(newest_in(place, reports=reports if by_name else None))
    if isinstance(newest, Saved) or is_shared:
        return newest
    others = [read(path) for path in files_in(place) if path != newest.path]
    return Reports(path=place, reports=_of_one_program(place, [*newest.reports, *others]))


def _alone(path: Path) -> Saved | Reports:
    found = read(path)
    return found if isinstance(found, Saved) else Reports(path=path, reports=(found,))


def _of_one_program(folder: Path, several: Sequence[Saved | Report]) -> tuple[Report, ...]:
    reports = tuple(one for one in several if isinstance(one, Report))
    if len(reports) < len(several):
        raise UsageError(
            f"{folder} has results of keptalive bench and reports of programs. Next: name a file."
        )
    programs = list(dict.fromkeys(" ".join(one.command) for one in reports))
    if len(programs) > 1:
        raise UsageError(
            f"{folder} has reports of several programs ({programs[0]:.40}, {programs[1]:.40}). "
            "Next: name a file, or use a folder for each program."
        )
    return reports


def read(path: Path) -> Saved | Report:
    """The result or the report in this file.

    Raises:
        UsageError: it cannot be read, is neither, or is damaged.
    """
    noun, largest = ("report", LARGEST_REPORT) if _begins_a_report(path) else ("result", LARGEST)
    with no_collecting():
        return found_in(path, json_in(path, noun=noun, largest=largest))


def found_in(path: Path, plain: Any) -> Saved | Report:
    """The result or the report in the JSON of a file.

    Raises:
        UsageError: it is neither, or is damaged.
    """
    return report_in(path, plain) if is_report(plain) else result_in(path, plain)


def _begins_a_report(path: Path) -> bool:
    if not path.is_file():  # of a pipe, what is read is gone
        return False
    try:
        with path.open("rb") as file:
            return _BEGINS_A_REPORT.match(file.read(64)) is not None
    except OSError:
        return False
