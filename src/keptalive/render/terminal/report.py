"""A report as a person reads it, of `run`, `watch`, `explain` or a traced round: one screen.

The verdict in a sentence; then for each route its numbers, what they cost, and why its connections
were opened: the most expensive cause first, those that were necessary last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keptalive.causes.hosts import cost_of
from keptalive.causes.meaning import meaning_of
from keptalive.quantities import SHORTEST_S, duration, host_name, many, number
from keptalive.records.report import UNAVOIDABLE, Cause, Finding, HostReport, Report
from keptalive.render import report_sentences as sentences
from keptalive.render import verdict
from keptalive.render.next_step import next_step
from keptalive.render.report_sentences import NOTHING_ELSE, About
from keptalive.render.terminal.lanes import Lanes
from keptalive.render.terminal.layout import INDENT, Fitted, Hanging, Headline, indented

MOST_FINE = 5  # routes that nothing is to be changed for, by name


def screen(
    report: Report, *, hosts_shown: int | None = None, about: About = NOTHING_ELSE
) -> RenderableType:
    """Everything that a person sees of a report.

    Args:
        report: what was found.
        hosts_shown: so many of its routes are shown, the verdict is of all.
        about: what the report does not say itself.
    """
    hosts = report.hosts[:hosts_shown]
    only = len(report.hosts) == 1
    fine = [host for host in hosts if not only and verdict.is_fine(host, report)]
    parts: list[RenderableType] = [*_beginning(report, about)]
    for host in hosts:
        if host not in fine:
            parts += _route(host, only=only, cures=not verdict.is_fine(host, report))
    is_said = len(fine) == len(report.hosts) or any(
        verdict.concerns(finding, fine) for finding in report.findings
    )
    parts += [*_fine(fine, is_said=is_said)]
    parts += [*_more(report.hosts[len(hosts) :])]
    if any(host.perfect and host.perfect.least < host.perfect.most for host in hosts):
        of_log = report.source == "log"
        why = sentences.RANGE if of_log else sentences.RANGE_OF_LOST
        parts += [Text(why, style="dim"), ""]
    parts += [*_findings(report.findings, several=not only)]
    if not all(verdict.is_fine(host, report) for host in report.hosts):
        parts.append(Lanes(report))
    parts += [*_end(report, about)]
    return Group(*parts)


def _beginning(report: Report, about: About) -> Iterator[RenderableType]:
    if title := sentences.title(report, about):
        yield Hanging(Text(title, style="dim"))
    said = verdict.verdict(report)
    if said:
        is_good = said.startswith(verdict.NOTHING_TO_CHANGE)
        yield Text(said, style="bold green" if is_good else "bold")
    if title or said:
        yield ""


# -- Routes --------------------------------------------------------------------------------------


def _route(host: HostReport, *, only: bool, cures: bool) -> Iterator[RenderableType]:
    """A route with its costs and causes.

    Args:
        host: the route.
        only: there is no other, so the verdict has said what could be saved.
        cures: whether anything is to be changed.
    """
    yield _headline(host)
    if cost := sentences.cost(host, with_saved=not only):
        yield Text(cost)
    yield ""
    necessary = False
    for cause in host.causes:
        necessary = cause.cause in UNAVOIDABLE
        yield from _necessary(cause) if necessary else _cause(cause, with_cure=cures)
    if necessary:
        yield ""


def _headline(host: HostReport, more: str = "") -> Headline:
    return Headline(Text(sentences.route(host), "bold"), Text(f"{sentences.numbers(host)}{more}"))


def _fine(hosts: Sequence[HostReport], *, is_said: bool) -> Iterator[RenderableType]:
    """Routes whose connections are reused as they should be, a line each.

    Args:
        hosts: these routes.
        is_said: the verdict, or a finding over several of them, says whether anything is to be
            changed.
    """
    for host in hosts[:MOST_FINE]:
        yield _headline(host, sentences.causes(host))
    if len(hosts) > MOST_FINE:
        yield Text(f"and {many(len(hosts) - MOST_FINE, 'more host')}.")
    if hosts and not is_said:
        yield Text(verdict.little_to_save(hosts), style="green")
    if hosts:
        yield ""


def _more(hosts: Sequence[HostReport]) -> Iterator[RenderableType]:
    """Routes that are not shown."""
    if hosts:
        opened = sum(host.opened or 0 for host in hosts)
        yield Text(
            f"{many(len(hosts), 'more host')} with {many(opened, 'connection')}: --json has them."
        )
        yield ""


# -- Causes and findings -------------------------------------------------------------------------


def _cause(cause: Cause, *, with_cure: bool) -> Iterator[RenderableType]:
    words = Text.assemble((cause.cause, "bold"), f": {meaning_of(cause.cause, cause.facts)}")
    yield _line(_times(cause), words, None if cause.seconds is None else cost_of(cause))
    if cause.evidence:
        yield indented(Text(cause.evidence))
    if cause.members:
        yield indented(Fitted(partial(_likeliest, cause.members)))
    if cause.unanswered:
        yield indented(Text(_never_answered(cause)))
    if cause.cure and with_cure:
        yield _cure(cause.cure)
    yield ""


def _necessary(cause: Cause) -> Iterator[RenderableType]:
    words = Text.assemble((cause.cause, "bold"), " (necessary)")
    yield _line(_times(cause), words, cause.seconds)


def _times(cause: Cause) -> str:
    return f"{number(cause.count or cause.unanswered)} ×"


def _likeliest(members: Sequence[str], width: int) -> str:
    return sentences.likeliest(members, longest=width)


def _cure(cure: str) -> RenderableType:
    return indented(Hanging(Text(f"→ {cure}", style="cyan")))


def _never_answered(cause: Cause) -> str:
    if not cause.count:
        return "Connected, but no response came."
    return f"And {number(cause.unanswered)} more, which connected but never got a response."


def _line(number: str, words: Text, seconds: float | None) -> Table:
    line = Table.grid(padding=(0, 2), expand=True)
    line.add_column(justify="right", min_width=INDENT - 2)
    line.add_column(ratio=1)
    line.add_column(justify="right", no_wrap=True)
    line.add_row(number, words, "" if seconds is None else duration(seconds))
    return line


def _findings(findings: Sequence[Finding], *, several: bool) -> Iterator[RenderableType]:
    for finding in findings:
        names_host = finding.host is not None and finding.host in finding.evidence
        at = f" ({host_name(finding.host)})" if several and finding.host and not names_host else ""
        words = Text.assemble((finding.finding, "bold"), f": {finding.evidence}{at}")
        cost = finding.seconds or 0.0
        yield _line("also", words, cost if cost >= SHORTEST_S else None)
        if finding.cure:
            yield _cure(finding.cure)
        yield ""


def _end(report: Report, about: About) -> Iterator[RenderableType]:
    left = "" if about.goes_on else sentences.left_open(report)
    if left:
        yield Hanging(Text(left))
    for warning in report.warnings:
        yield Hanging(Text(f"! {warning}", style="yellow"))
    if step := next_step(report, about):
        if left or report.warnings:
            yield ""
        yield Hanging(Text(step, style="dim"))
