"""Why a test broke its rule: what pytest shows of too many connections, or of forbidden causes.

Plain text, since it goes into assertion messages and through pytest's own terminal writer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from textwrap import fill

from keptalive import redaction
from keptalive.causes.meaning import meaning_of
from keptalive.compare.forbidden import ForbiddenOpening
from keptalive.compare.limits import Limit, opened_by_all
from keptalive.compare.rules import Rule, breach_of
from keptalive.quantities import listed, many, route_name
from keptalive.records.plain import with_texts
from keptalive.records.report import UNAVOIDABLE, Cause, HostReport, Report
from keptalive.text import harmless

WIDTH = 72  # with the "E       " that pytest puts before it, 80 columns
NAMED = 3  # hosts in a headline
# What the program got from elsewhere, or from a client that is not watched
_ELSEWHERE = ("mocked-answers", "cached-answers", "unwatched-client")


def refusal(rule: Rule, report: Report) -> str | None:
    """What is wrong, in a line, then the causes and cures; None if the rule was kept."""
    breach = breach_of(rule, report.hosts)
    if breach is None:
        return None
    breach = with_texts(breach, redaction.shown)
    forbidden = {one.cause for one in breach.forbidden}
    lines = [] if breach.limit is None else [_headline(breach.limit, breach.beyond)]
    lines += _of_causes(breach.forbidden)
    for host in breach.hosts:
        if len(breach.hosts) > 1 or breach.limit is None:
            lines.append(f"{route_name(host.host, host.via)}: {_opened(host)}")
        lines += [line for cause in host.causes for line in _cause(cause, forbidden)]
    mocks = [one.evidence for one in report.findings if one.finding == "mocked-answers"]
    said = [*mocks, *report.warnings]
    lines += [_indented(redaction.shown(one), "! ") for one in said]
    return harmless("\n".join(lines))


def nothing_seen(report: Report, marker: str) -> str | None:
    """Why a marker has checked nothing; None if any request was seen.

    Args:
        report: of the test.
        marker: as it is written.
    """
    if any(host.attempts for host in report.hosts):
        return None
    evidence = [one.evidence for one in report.findings if one.finding in _ELSEWHERE]
    why = [*evidence, *report.warnings]
    lines = [
        f"{marker} checked nothing: no connection was seen.",
        *(why or ["The test sent no request through requests or urllib3."]),
        "→ Use a real server, such as the fixture keepalive_server, or remove the marker.",
    ]
    filled = (
        fill(
            redaction.shown(line),
            WIDTH,
            subsequent_indent="  " if line.startswith("→") else "",
            break_on_hyphens=False,
        )
        for line in lines
    )
    return harmless("\n".join(filled))


def _opened(host: HostReport) -> str:
    return many(host.opened or 0, "connection")


def _of_causes(forbidden: Sequence[ForbiddenOpening]) -> list[str]:
    """For which forbidden cause how many were opened, and where: a line for each cause."""
    counts: dict[str, int] = {}
    places: dict[str, dict[str, None]] = {}
    for one in forbidden:
        counts[one.cause] = counts.get(one.cause, 0) + one.count
        places.setdefault(one.cause, {}).update(dict.fromkeys(one.places))
    return [
        f"opened {many(count, 'connection')} for {cause}, which is forbidden"
        + (f": {listed([*places[cause]])}" if places[cause] else "")
        for cause, count in counts.items()
    ]


def _cause(cause: Cause, forbidden: Set[str]) -> Iterator[str]:
    # Connections that were never answered count against no limit
    count = cause.count + (cause.unanswered if cause.cause in forbidden else 0)
    if not count:
        return
    name = f"{count} × {cause.cause}"
    if cause.cause in UNAVOIDABLE:
        yield f"{name} (necessary)"
        return
    meaning = meaning_of(cause.cause, cause.facts)
    together = f"{name}: {meaning}"
    yield together if len(together) <= WIDTH else f"{name}:\n{_indented(meaning)}"
    yield from map(_indented, filter(None, (cause.evidence, cause.cure and f"→ {cause.cure}")))


def _indented(text: str, first: str = "  ") -> str:
    return fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent="    " if text.startswith("→") else "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _headline(limit: Limit, hosts: Sequence[HostReport]) -> str:
    return f"opened {_what(limit, hosts)}, {_allowed(limit)}"


def _what(limit: Limit, hosts: Sequence[HostReport]) -> str:
    if not hosts:
        return "no connection"
    if len(hosts) > 1 and not limit.per_host:
        return f"{many(opened_by_all(hosts), 'connection')} to {len(hosts)} hosts"
    each = [f"{_opened(host)} to {route_name(host.host, host.via)}" for host in hosts[:NAMED]]
    if len(hosts) > NAMED:
        each.append(f"and to {many(len(hosts) - NAMED, 'more host')}")
    return ", ".join(each)


def _allowed(limit: Limit) -> str:
    each = " per host" if limit.per_host else ""
    if limit.exactly is None:
        return f"at most {limit.at_most}{each} allowed"
    return f"exactly {limit.exactly}{each} expected"
