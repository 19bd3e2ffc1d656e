"""What a report says of everything together, in one sentence. Pure text, no layout."""

from __future__ import annotations

from collections.abc import Sequence

from keptalive.causes.judge import is_costly, nothing_to_change
from keptalive.quantities import (
    SHORTEST_S,
    duration,
    host_name,
    listed,
    many,
    number,
    of_time,
)
from keptalive.records.report import Finding, HostReport, Range, Report

SHORTEST_LOST_S = 0.05  # less is not worth a word in the verdict

NOTHING_TO_CHANGE = "Nothing to change."
NOTHING_SEEN = "No request through requests or urllib3 was seen; other clients are not watched."
NOTHING_IN_LOG = "This log shows no connection and no request."


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
        return _of_a_poor_log(report) if report.source == "log" else _nothing_seen(report)
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


def _nothing_seen(report: Report) -> str:
    answers = sum(finding.facts.get("answers", 0) for finding in report.findings)
    copies = [one.facts["package"] for one in report.findings if "package" in one.facts]
    if answers:
        return "No connection was opened: no answer came from a socket."
    if copies:
        return f"No request through requests or urllib3 was seen, but {listed(copies)} was used."
    return NOTHING_SEEN


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
    within = "Within each process, connections" if _of_processes(report) else "Connections"
    fine = f"{within} are reused as they should be"
    if opened > 1 and not any(host.reused for host in report.hosts):
        fine = f"All {many(opened, 'connection')} were necessary"
    return f"{fine}{also}{see if cured else ''}."


def _of_processes(report: Report) -> bool:
    """Whether what is to be changed lies between processes."""
    return any(
        finding.finding in ("session-after-fork", "short-lived-processes")
        for finding in report.findings
    )
