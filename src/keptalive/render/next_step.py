"""What to do next after a report: one line, or none. Pure text, no layout."""

from __future__ import annotations

from collections.abc import Sequence

from keptalive.causes.hosts import nothing_to_save
from keptalive.records.report import HostReport, Report
from keptalive.render import verdict
from keptalive.render.report_sentences import NOTHING_ELSE, About

LONGEST = 60  # characters of a program that is repeated


def next_step(report: Report, about: About = NOTHING_ELSE) -> str:
    """The next command, for a report of `run` or of a log; empty where none would help."""
    if (
        about.goes_on
        or about.failed  # what it would do when mended is not known
        or not report.hosts
        or any("keptalive run " in warning for warning in report.warnings)
    ):
        return ""  # the verdict, or that warning, says it
    is_fine = all(verdict.is_fine(host, report) for host in report.hosts)
    if report.source == "log" and not is_fine:
        return "Next: keptalive run PROGRAM shows each cause for certain, and its cost."
    if report.source != "run" or not report.command:
        return ""
    if is_fine and (about.is_limited or not all(map(_is_perfect, report.hosts))):
        return ""  # of what costs little, a limit would allow too much
    if is_fine:
        most = max(host.opened or 0 for host in report.hosts)
        program = " ".join(report.command)
        return (
            f"Next: in CI, keptalive run --max-opened {most} {_short(program)} [ARGS] "
            "fails if more are opened."
        )
    if not _tuned_may_gain(report):
        return ""
    return (
        f"Next: keptalive bench --program '{_short(_as_typed(report.command))} [ARGS]' times it "
        "as it is, and with tuned Sessions."
    )


def _is_perfect(host: HostReport) -> bool:
    perfect = host.perfect
    return host.opened is None or perfect is None or host.opened <= perfect.most


def _tuned_may_gain(report: Report) -> bool:
    """Whether it is about opening connections, which is all that tuned Sessions change."""
    return not all(map(nothing_to_save, report.hosts)) or any(
        finding.finding == "ca-bundle" for finding in report.findings
    )


def _short(program: str) -> str:
    return program if len(program) <= LONGEST else "PROGRAM"


def _as_typed(command: Sequence[str]) -> str:
    """The program as a shell would run it: what `keptalive run` starts with Python names it."""
    is_pythons = command[0] == "-m" or command[0].endswith((".py", ".pyw", ".pyz"))
    return " ".join(["python", *command] if is_pythons else command)
