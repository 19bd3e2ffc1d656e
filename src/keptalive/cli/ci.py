"""What a command says to a CI, or the error instead: a summary of the job and an annotation.

GitHub Actions reads workflow commands from both streams (its ScriptHandler gives each an
OutputManager); beside JSON, and beside a program's own output, standard output is not ours.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from keptalive.cli.output import Screen, print_command
from keptalive.errors import UsageError
from keptalive.redaction import redact
from keptalive.render import github_actions as github
from keptalive.render import markdown_text as markdown

SUMMARY_BYTES = 1024 * 1024  # more of a step's summary, and GitHub Actions drops all of it
_PLACE = re.compile(r"(?P<file>[^:]+):(?P<line>\d+)")


class Annotation(NamedTuple):
    """What is wrong, for the list of a job's errors, and for the line of code that it is about.

    Attributes:
        place: ``file:line``, the file as seen from the working directory; empty if unknown.
    """

    title: str
    message: str
    place: str = ""


def report_to_ci(summary: str, annotation: Annotation | None, *, stderr: bool) -> None:
    """Add Markdown to the job's summary, and make one annotation where something fails.

    Args:
        summary: the Markdown.
        annotation: None if nothing fails.
        stderr: standard output is not ours.
    """
    _summarise(summary)
    if annotation is not None and _in_github():
        file, line = _in_repository(annotation.place)
        command = github.error(annotation.title, redact(annotation.message), file=file, line=line)
        print_command(command, stderr=stderr)


@contextmanager
def errors_reported_to_ci(command: str, nothing: str) -> Iterator[None]:
    """Report wrong usage and unreadable input too: a gate that was not there is no gate.

    Args:
        command: the command's name, for a title.
        nothing: what there is not because of the error: "no comparison".
    """
    try:
        yield
    except UsageError as error:
        report_error_to_ci(error, command, nothing)
        raise


def report_error_to_ci(error: UsageError, command: str, nothing: str) -> None:
    """Report this error, as `errors_reported_to_ci` does."""
    summary = markdown.failed(nothing.capitalize(), str(error))
    report_to_ci(summary, Annotation(f"{command}: {nothing}", str(error)), stderr=True)


def _in_github() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _in_repository(place: str) -> tuple[str | None, int | None]:
    """The place as GitHub names it, from the root of the repository; None if it is not in there."""
    if (found := _PLACE.fullmatch(place)) is None:
        return None, None
    root = Path(os.environ.get("GITHUB_WORKSPACE") or ".").resolve()
    try:
        file = Path(found["file"]).resolve(strict=True).relative_to(root)
    except (OSError, ValueError):
        return None, None
    return file.as_posix(), int(found["line"])


def _summarise(text: str) -> None:
    if not (named := os.environ.get("GITHUB_STEP_SUMMARY")):
        return
    file = Path(named)
    try:
        there = file.stat().st_size if file.exists() else 0
        with file.open("a", encoding="utf-8") as summary:
            summary.write(markdown.cut_to(text, SUMMARY_BYTES - there))
    except OSError as error:
        why = f"keptalive: GITHUB_STEP_SUMMARY: {file} cannot be written: {error.strerror}."
        Screen(stderr=True).print(why, style="yellow")
