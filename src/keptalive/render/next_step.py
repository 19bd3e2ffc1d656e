"""What to do next after a report: one line, or none. Pure text, no layout."""

from __future__ import annotations

from collections.abc import Sequence

from keptalive.records.report import Report
from keptalive.render import verdict
from keptalive.render.report_sentences import NOTHING_ELSE, About

LONGEST = 60  # characters of a program that is repeated


def next_step(report: Report, about: About = NOTHING_ELSE) -> str:
    """The next command, for a report of `run` or of a log; empty where none would help."""
    if (
        about.goes_on
        or not report.hosts
        or any("keptalive run " in warning for warning in report.warnings)
    ):
        return ""  # the verdict, or that warning, says it
    is_fine = all(verdict.is_fine(host, report) for host in report.hosts)
    if report.source == "log" and not is_fine:
        return "Next: keptalive run PROGRAM shows each cause for certain, and its cost."
    if report.source != "run" or not report.command:
        return ""
    if is_fine and about.is_limited:
        return ""
    if is_fine:
        most = max(host.opened or 0 for host in report.hosts)
        program = " ".join(report.command)
        return (
            f"Next: in CI, keptalive run --max-opened {most} {_short(program)} [ARGS] "
            "fails if more are opened."
        )
    return (
        f"Next: keptalive bench --program '{_short(_as_typed(report.command))} [ARGS]' times it "
        "as it is, and with tuned Sessions."
    )


def _short(program: str) -> str:
    return program if len(program) <= LONGEST else "PROGRAM"


def _as_typed(command: Sequence[str]) -> str:
    """The program as a shell would run it: what `keptalive run` starts with Python names it."""
    is_pythons = command[0] == "-m" or command[0].endswith((".py", ".pyw", ".pyz"))
    return " ".join(["python", *command] if is_pythons else command)
