"""A comparison, or the error instead of one, for a CI: a summary and an annotation.

GitHub Actions reads workflow commands from both streams (its ScriptHandler gives each an
OutputManager); beside JSON, standard output is not ours.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keptalive.cli.output import Screen, print_command
from keptalive.compare.findings import FINE, Findings
from keptalive.errors import UsageError
from keptalive.redaction import redact
from keptalive.render import github_actions as github
from keptalive.render import markdown, sentences

SUMMARY_BYTES = 1024 * 1024  # more of a step's summary, and GitHub Actions drops all of it


def report_to_ci(findings: Findings, *, as_json: bool) -> None:
    """Add to the job's summary, and make one annotation where something fails."""
    _summarise(markdown.comparison(findings))
    if _in_github() and findings.outcome != FINE:
        message = redact("\n".join(sentences.in_full(findings)))
        command = github.error(sentences.headline(findings), message)
        print_command(command, stderr=as_json)


@contextmanager
def errors_reported_to_ci() -> Iterator[None]:
    """Report wrong usage and unreadable input too: a gate without a baseline is no gate."""
    try:
        yield
    except UsageError as error:
        _summarise(markdown.no_comparison(str(error)))
        if _in_github():
            command = github.error("keptalive compare: no comparison", redact(str(error)))
            print_command(command, stderr=True)
        raise


def _in_github() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


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
