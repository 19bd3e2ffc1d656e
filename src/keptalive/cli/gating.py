"""What became of the limits of `keptalive run`: a line, an exit code, and what a CI wants of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from rich.text import Text

from keptalive.anonymizing.report import Anonymizer
from keptalive.cli.ci import Annotation, report_to_ci
from keptalive.cli.exit_codes import GATE_FAILED, NOT_JUDGED
from keptalive.cli.output import Screen
from keptalive.compare.forbidden import ForbiddenOpening, places_of
from keptalive.compare.program_limits import Judgement, ProgramLimits, judge
from keptalive.records.report import UNAVOIDABLE, Report
from keptalive.redaction import shown
from keptalive.render import markdown_report
from keptalive.render import program_limits as sentences
from keptalive.render.terminal.layout import Hanging
from keptalive.run.collect import Ran


def gated(
    ran: Ran, report: Report, limits: ProgramLimits | None, names: Anonymizer | None = None
) -> int:
    """Judge a program's report, and say what became of it.

    Args:
        ran: how the program ended.
        report: of it.
        limits: None if nothing is limited: then only the CI's summary is written.
        names: the other names that hosts, files and paths have in all that is shown.

    Returns:
        the program's own exit code; if that is 0, 1 for a broken limit, 2 for one not judged.
    """
    seen = report if names is None else names.report
    if limits is None:
        report_to_ci(markdown_report.of_report(seen), None, stderr=True)
        return ran.exit_code
    judgement = judge(report, limits, ran.doubts)
    lines = sentences.lines(judgement, exit_code=ran.exit_code)
    cures, place = sentences.cures(judgement), _place(judgement)
    if names is not None:  # a CI would show the file of the place
        lines, cures, place = [*map(names.text, lines)], [*map(names.text, cures)], ""
    lines = [*map(shown, lines)]
    _print(lines, cures, "green" if judgement.holds else "red")
    summary = markdown_report.of_report(seen, lines, broken=bool(judgement.broken))
    report_to_ci(summary, _annotation(judgement, lines, place), stderr=True)
    if ran.exit_code or judgement.holds:
        return ran.exit_code
    return GATE_FAILED if judgement.broken else NOT_JUDGED


def _print(lines: Sequence[str], cures: Sequence[str], style: str) -> None:
    narrator = Screen(stderr=True)
    with suppress(OSError):
        for line in lines:  # a whole line where a log is searched; else no word is broken
            narrator.print(f"keptalive: {line}", style=style, soft_wrap=not narrator.is_terminal)
        for cure in cures:
            narrator.print(Hanging(Text(f"→ {shown(cure)}", style="cyan")))


def _annotation(judgement: Judgement, lines: list[str], place: str) -> Annotation | None:
    if judgement.holds:
        return None
    what = sentences.BROKEN if judgement.broken else sentences.UNJUDGED
    return Annotation(f"keptalive run: {what}", "\n".join(lines), place)


def _place(judgement: Judgement) -> str:
    """The line of code of what broke first; empty if none is known."""
    for one in judgement.broken[:1]:
        if isinstance(one, ForbiddenOpening):
            return next(iter(one.places), "")
        for cause in one.host.causes:
            if cause.cause not in UNAVOIDABLE and (places := places_of(cause)):
                return places[0]
    return ""
