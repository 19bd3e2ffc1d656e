"""A report of a program in Markdown, for a CI's summary of a job: limits, hosts, causes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keptalive.causes.meaning import meaning_of
from keptalive.compare.forbidden import places_of
from keptalive.quantities import duration, host_name, listed, number
from keptalive.records.report import UNAVOIDABLE, Cause, HostReport, Report
from keptalive.render import report_sentences as sentences
from keptalive.render.markdown_text import HEADING, safe, table
from keptalive.render.verdict import verdict

HOSTS = 50  # routes; of the others only how many


def of_report(report: Report, limits: Sequence[str] = (), *, broken: bool = False) -> str:
    """The whole report; it begins with what became of the limits, and with the verdict.

    Args:
        report: of a program.
        limits: sentences about its limits, without a capital at their beginning; none without any.
        broken: one of them is: then the verdict is left out, which asks for time to save only.
    """
    hosts = report.hosts[:HOSTS]
    lines = [HEADING, ""]
    lines += [f"**{safe(line[:1].upper() + line[1:])}**  " for line in limits]
    lines += [] if broken else [safe(verdict(report))]
    lines += ["", f"`{name}`"] if (name := safe(sentences.title(report)).replace("`", "")) else []
    if hosts:
        lines += ["", *table("host|requests:|connections:|enough:|reused:", map(_host, hosts))]
    if more := len(report.hosts) - len(hosts):
        lines += ["", f"And {number(more)} more hosts."]
    if causes := [row for host in hosts for row in _causes(host)]:
        lines += ["", *table("opened:|because|where|seconds:|to host", causes)]
    said = [cure for host in hosts for cure in _cures(host)]
    said += [f"{one.finding}: {one.evidence} {one.cure}" for one in report.findings]
    lines += ["", *(f"- {safe(line)}" for line in dict.fromkeys(said))] if said else []
    lines += [line for warning in report.warnings for line in ("", f"> {safe(warning)}")]
    return "\n".join(lines) + "\n"


def _host(host: HostReport) -> list[str]:
    numbers = (host.requests, host.opened, _enough(host), host.reused)
    return [safe(sentences.route(host)), *("" if one is None else str(one) for one in numbers)]


def _enough(host: HostReport) -> str | None:
    if host.perfect is None:
        return None
    least, most = host.perfect.least, host.perfect.most
    return number(least) if least == most else f"{number(least)} to {number(most)}"


def _causes(host: HostReport) -> Iterator[list[str]]:
    for cause in host.causes:
        if cause.cause in UNAVOIDABLE or not cause.count + cause.unanswered:
            continue
        meaning = f"**{safe(cause.cause)}**: {safe(meaning_of(cause.cause, cause.facts))}"
        seconds = "" if cause.seconds is None else duration(cause.seconds)
        yield [
            number(cause.count + cause.unanswered),
            meaning,
            safe(_where(cause)),
            safe(seconds),
            safe(host_name(host.host)),
        ]


def _where(cause: Cause) -> str:
    return listed(places_of(cause))


def _cures(host: HostReport) -> Iterator[str]:
    for cause in host.causes:
        if cause.cure and cause.cause not in UNAVOIDABLE:
            yield f"{cause.cause}: {cause.cure}"
