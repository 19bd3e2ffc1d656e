"""What a report says, in sentences: the verdict, and each route in a line. Pure text, no layout.

A number that is None is unknown, and is not mentioned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, repeat

from keptalive.causes.judge import is_costly, nothing_to_change
from keptalive.causes.sentences import lines
from keptalive.records.report import UNAVOIDABLE, Finding, HostReport, Range, Report
from keptalive.render.numbers import duration, host_name, listed, many, number, of_time

NOTHING_TO_CHANGE = "Nothing to change."
NOTHING_SEEN = "No request through requests or urllib3 was seen; other clients are not watched."
NOTHING_IN_LOG = "This log shows no connection and no request."
RANGE = (
    "The log does not show whether these connections ran in parallel. Lower number: none did; "
    "higher: all did."
)
PHASES = {
    "ca_bundle": "CA bundle",
    "dns": "DNS",
    "connect": "connect",
    "tunnel": "tunnel",
    "tls": "TLS",
}
SMALLEST_SHARE = 1 / 20  # of the seconds of opening: a phase that is worth its name
SHORTEST_S = 0.001  # less cannot be noticed
SHORTEST_LOST_S = 0.05  # less is not worth a word in the verdict
COMMAND = 48  # characters of a command line, at most


def title(report: Report) -> str:
    """What was run, and for how long; empty unless it was a command."""
    if not report.command:
        return ""
    command = " ".join(report.command)
    command = command if len(command) <= COMMAND else f"{command[: COMMAND - 1]}…"
    lasted = "" if report.seconds is None else f", {duration(report.seconds)}"
    return f"keptalive: {command}{lasted}"


# -- The verdict ---------------------------------------------------------------------------------


def is_fine(host: HostReport, report: Report) -> bool:
    """Whether nothing is to be changed for this route."""
    return nothing_to_change(host, report.findings)


def concerns(finding: Finding, hosts: Sequence[HostReport]) -> bool:
    """Whether a finding over several routes is about one of these."""
    names = finding.facts.get("hosts", ())
    return finding.host is None and any(host.host in names for host in hosts)


def verdict(report: Report) -> str:
    """The report in one sentence; of a log that does not show much, what it shows."""
    hosts = report.hosts
    if not hosts:
        return _of_a_poor_log(report) if report.source == "log" else NOTHING_SEEN
    if all(is_fine(host, report) for host in hosts):
        if any(is_costly(finding) for finding in report.findings if finding.host is None):
            return _well_reused(report)
        return " ".join(filter(None, (NOTHING_TO_CHANGE, _would_save_little(hosts))))
    # What could be saved where nothing is to be changed is too little to speak of
    others = [host for host in hosts if host.perfect is not None and not is_fine(host, report)]
    too_many = Range(
        least=sum(_too_many(host).least for host in others),
        most=sum(_too_many(host).most for host in others),
    )
    if too_many.most:
        return f"{_of_all(too_many, hosts)}{_could_be_saved(others, report.seconds)}."
    failed = [host for host in others if not host.opened and not host.reused]
    if failed:
        return _failed(failed, every=len(failed) == len(hosts))
    return _well_reused(report) if others else _of_a_poor_log(report)


def _of_a_poor_log(report: Report) -> str:
    """Of a log that does not show how many connections were opened."""
    hosts = [host for host in report.hosts if host.opened is None]
    failed = sum(host.unanswered or sum(host.errors.values()) for host in hosts) + sum(
        sum(one.facts.get("errors", {}).values()) for one in report.findings if one.host is None
    )
    begun = sum(host.begun or 0 for host in hosts)
    requests = sum(host.requests or 0 for host in hosts)
    discarded = sum(host.discarded or 0 for host in hosts)
    parts = [f"{many(begun, 'opening')} begun"] if begun else []
    parts += [f"{many(failed, 'try')} failed"] if failed else []
    if requests:
        parts.append(f"the openings of connections to {_names(hosts)} are not in this log")
    elif begun:
        parts.append("this log has no responses")
    elif failed and not discarded:
        parts.append("this log shows nothing else")
    if discarded:
        pools = sum(host.discarded is not None for host in hosts)
        small = "A pool is too small" if pools == 1 else "Pools are too small"
        parts.insert(0, f"{small}: {many(discarded, 'connection')} discarded")
    said = "; ".join(parts)
    if not said:
        return "" if report.hosts else NOTHING_IN_LOG
    return f"{said[:1].upper()}{said[1:]}."


def _names(hosts: Sequence[HostReport]) -> str:
    return listed([host_name(host.host) for host in hosts if host.requests])


def _would_save_little(hosts: Sequence[HostReport]) -> str:
    saved = _saved(hosts)
    return f"Perfect reuse would save {duration(saved)} in all." if saved else ""


def little_to_save(hosts: Sequence[HostReport]) -> str:
    """That nothing is to be changed for some of several routes."""
    which = "this host" if len(hosts) == 1 else "these hosts"
    saved = _saved(hosts)
    more = f"; perfect reuse would save {duration(saved)}" if saved else ""
    return f"Nothing to change for {which}{more}."


def _saved(hosts: Sequence[HostReport]) -> float:
    return sum(host.seconds_saved or 0.0 for host in hosts if _too_many(host).most)


def _too_many(host: HostReport) -> Range:
    """Connections that perfect reuse would not have opened."""
    opened, perfect = host.opened or 0, host.perfect or Range(least=0, most=0)
    return Range(least=max(opened - perfect.most, 0), most=max(opened - perfect.least, 0))


def _of_all(too_many: Range, hosts: Sequence[HostReport]) -> str:
    opened = many(sum(host.opened or 0 for host in hosts), "connection")
    names = len({host.host for host in hosts if host.opened})
    to = f" to {many(names, 'host')}" if names > 1 else ""
    most = number(too_many.most)
    if too_many.least < too_many.most:
        most = f"{number(too_many.least)} to {most}" if too_many.least else f"Up to {most}"
    were = "was" if too_many.most == 1 else "were"
    return f"{most} of {opened}{to} {were} not necessary"


def _could_be_saved(hosts: Sequence[HostReport], lasted_s: float | None) -> str:
    saved, lost = _saved(hosts), sum(host.seconds_lost or 0.0 for host in hosts)
    if lost >= SHORTEST_LOST_S:
        also = f"{duration(saved)} could be saved, and " if saved >= SHORTEST_S else ""
        return f"; {also}{of_time(lost, lasted_s)} went into failed requests"
    return f"; {of_time(saved, lasted_s)} could be saved" if saved >= SHORTEST_S else ""


def _failed(hosts: Sequence[HostReport], *, every: bool) -> str:
    names = "" if every else f" from {listed([host_name(host.host) for host in hosts])}"
    tries = sum(host.unanswered or 0 for host in hosts)
    how_many = f": {many(tries, 'try')} failed" if tries else ""
    return f"No response came{names}{how_many}."


def _well_reused(report: Report) -> str:
    """That reuse is fine, and what the findings beside it would save."""
    cured = [finding for finding in report.findings if finding.cure]
    saved_s = sum(finding.seconds or 0.0 for finding in cured)
    also = f"; {of_time(saved_s, report.seconds)} could be saved otherwise" if cured else ""
    also = also if saved_s >= SHORTEST_S else ""
    see = f"{':' if also else ';'} see the other finding{'s' * (len(cured) > 1)} below"
    opened = sum(host.opened or 0 for host in report.hosts)
    fine = "Connections are reused as they should be"
    if opened > 1 and not any(host.reused for host in report.hosts):
        fine = f"All {many(opened, 'connection')} were necessary"
    return f"{fine}{also}{see if cured else ''}."


# -- One route -----------------------------------------------------------------------------------


def route(host: HostReport) -> str:
    """Where its connections lead: the host, the proxy of a tunnel, the hosts behind a proxy."""
    via = f" via {host_name(host.via)}" if host.via else ""
    behind = f" (proxy for {listed([*map(host_name, host.origins)])})" if host.origins else ""
    return f"{host_name(host.host)}{via}{behind}"


def numbers(host: HostReport) -> str:
    """Its requests and connections: "120 requests, 14 connections, 1 would be enough"."""
    return ", ".join(part for part in _numbers(host) if part)


def _numbers(host: HostReport) -> Iterator[str]:
    if host.requests is not None:
        more = host.attempts is not None and host.attempts > host.requests
        sent = f" ({number(host.attempts or 0)} sent in total)" if more else ""
        yield f"{many(host.requests, 'request')}{sent}"
    if host.opened is None:
        yield from _without_openings(host)
    else:
        yield from _connections(host, host.opened)
    if host.unanswered:
        yield f"{many(host.unanswered, 'try')} without a response{_errors(host)}"
    if host.in_flight:
        yield f"{number(host.in_flight)} still in flight"


def _connections(host: HostReport, opened: int) -> Iterator[str]:
    silent = host.opened_unanswered or 0
    if opened:
        yield many(opened, "connection")
        yield _enough(host, opened)
        yield f"{number(silent)} more never answered" if silent else ""
    elif silent:
        yield f"{many(silent, 'connection')} never answered"
    else:
        yield "no new connection" if host.reused else "no connection"


def _enough(host: HostReport, opened: int) -> str:
    perfect = host.perfect
    if perfect is None:
        return ""
    if perfect.least < perfect.most:
        return f"{number(perfect.least)} to {number(perfect.most)} would be enough"
    if perfect.least < opened:
        return f"{number(perfect.least)} would be enough"
    return "all necessary" if opened > 1 else ""


def _without_openings(host: HostReport) -> Iterator[str]:
    """Of a log that does not show how many connections were opened."""
    if host.requests is not None:
        yield "openings not in this log"
    elif host.errors:
        yield f"{many(sum(host.errors.values()), 'try')} failed{_errors(host)}"
    if host.begun:
        yield f"{many(host.begun, 'opening')} begun"
    if host.discarded:
        pool = f" of {host.pool_size}" if host.pool_size is not None else ""
        yield f"{many(host.discarded, 'connection')} discarded by a full pool{pool}"


def _errors(host: HostReport) -> str:
    if not host.errors:
        return ""
    if len(host.errors) == 1:
        return f" ({next(iter(host.errors))})"
    return f" ({listed([f'{number(count)} × {name}' for name, count in host.errors.items()])})"


def cost(host: HostReport, *, with_saved: bool) -> str:
    """What opening its connections took, by phases; empty if that is unknown or nothing."""
    seconds = host.seconds_opening
    if seconds is None or seconds < SHORTEST_S:
        return ""
    known = [(host.phases.get(name, 0.0), words) for name, words in PHASES.items()]
    largest = sorted((one for one in known if one[0] > seconds * SMALLEST_SHARE), reverse=True)
    phases = ", ".join(f"{words} {duration(took)}" for took, words in largest)
    of_them = f" ({phases})" if phases else ""
    saved = host.seconds_saved or 0.0
    more = f"; {duration(saved)} could be saved" if with_saved and saved >= SHORTEST_S else ""
    return f"{duration(seconds)} went into opening connections{of_them}{more}."


def causes(host: HostReport) -> str:
    """Its causes in a few words, where they say more than that its connections were necessary."""
    if all(cause.cause in UNAVOIDABLE for cause in host.causes):
        return ""
    return f" ({', '.join(f'{number(cause.count)} × {cause.cause}' for cause in host.causes)})"


def likeliest(members: Sequence[str], *, longest: int) -> str:
    """Causes of which one applies, in a line: "May be idle-timeout, retry or 3 others."."""
    *named, last = members
    line = f"May be {', '.join(named)} or {last}." if named else f"May be {last}."
    others = 1
    while named and len(line) > longest:
        named.pop()
        others += 1
        line = f"May be {', '.join(named)} or {others} others."
    return line if named or others == 1 else f"May be one of {others} causes."


def left_open(report: Report) -> str:
    """Connections that nobody closed, where their Sessions were made, and what closes them."""
    if not report.left_open:
        return ""
    at = lines(dict(zip(report.left_at, chain(report.left_each, repeat(1)), strict=False)))
    made = f" (Session made at {at})" if at else ""
    return (
        f"Left open at the end: {many(report.left_open, 'connection')}{made}. "
        "Use session.close(), or a with statement."
    )
