"""One route's report: what perfect reuse would have opened and saved, and the causes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from statistics import median
from typing import Any

from keptalive.causes import failure_facts, failure_sentences, sentences
from keptalive.causes.catalogue import CATALOGUE, Row
from keptalive.causes.counted import counted_before, counted_now, not_recorded
from keptalive.causes.cures import cure, libraries
from keptalive.causes.facts import Opening, peer
from keptalive.causes.patterns import Pattern
from keptalive.causes.rules import Judged
from keptalive.records.counts import HostCounts, perfect_reuse, total
from keptalive.records.process import SettledCause
from keptalive.records.report import (
    FAILURES,
    UNAVOIDABLE,
    Cause,
    Finding,
    HostReport,
    Range,
    Spread,
)

# What a report has as it was counted
COUNTED = (
    *("host", "via", "requests", "attempts", "connects", "opened", "opened_unanswered", "reopened"),
    *("reused", "unanswered", "in_flight", "begun", "discarded", "pool_size", "most_at_once"),
    *("seconds_opening", "seconds_waiting_for_pool", "seconds_lost"),
)
WORTH_SAVING_S = 0.005  # less than this is nothing to change a program for


def host_report(
    counts: Sequence[HostCounts],
    judged: Sequence[Judged],
    pattern: Pattern,
    *,
    listed: Set[int],
    lifetimes_s: Sequence[float],
    more_perhaps: int | None = None,
    settled: Sequence[SettledCause] = (),
) -> HostReport:
    """One route, over all processes.

    Args:
        counts: of each process.
        judged: its recorded connections and attempts, with their causes.
        pattern: what they show together.
        listed: ids of the connections that the report will list.
        lifetimes_s: how long each connection lived on which a response came.
        more_perhaps: how many more may have been necessary than was seen, if the record of a
            process that used this route ends early.
        settled: the causes that the watch has counted already.
    """
    sums = total(counts)
    perfect = perfect_reuse(counts)
    most = None if perfect is None else perfect + (more_perhaps or 0)
    causes = _causes(sums, judged, pattern, listed, counted_before(settled))
    if perfect is not None and sums.opened == perfect:
        causes = [cause if cause.cause in FAILURES else replace(cause, cure="") for cause in causes]
    served = [float(one.opening.connection.served) for one in judged]
    return HostReport(
        **{name: getattr(sums, name) for name in COUNTED},
        origins=tuple(sums.origins),
        errors=dict(sums.errors),
        phases=dict(sums.phases),
        perfect=None if perfect is None or most is None else Range(least=perfect, most=most),
        is_lower_bound=more_perhaps is not None,
        seconds_saved=seconds_saved(causes, sums.opened, most),
        requests_per_connection=_spread([number for number in served if number]),
        connection_lifetime_s=_spread(lifetimes_s),
        causes=tuple(causes),
    )


def seconds_saved(causes: Iterable[Cause], opened: int | None, perfect: int | None) -> float | None:
    """What perfect reuse would have saved of what opening the avoidable connections took.

    All of it, if ``opened - perfect`` of them are avoidable; else in that proportion.
    """
    if opened is None or perfect is None:
        return None
    avoidable = [cause for cause in causes if cause.cause not in UNAVOIDABLE and cause.count]
    number = sum(cause.count for cause in avoidable)
    if not number:
        return 0.0
    if any(cause.seconds is None for cause in avoidable):
        return None
    # What was never answered was not opened: its share of the seconds is not counted
    seconds = sum(
        (cause.seconds or 0.0) * cause.count / (cause.count + cause.unanswered)
        for cause in avoidable
    )
    return seconds * min(1.0, (opened - perfect) / number)


def nothing_to_save(host: HostReport) -> bool:
    """Whether no connection to this route was superfluous, or they cost next to nothing."""
    if host.opened is None or host.perfect is None or host.perfect.least != host.perfect.most:
        return False
    if not host.opened and not host.reused:
        return False  # nothing ever answered: no word on reuse
    if host.opened == host.perfect.most:
        return True
    return host.seconds_saved is not None and host.seconds_saved < WORTH_SAVING_S


def nothing_to_change(host: HostReport, findings: Iterable[Finding]) -> bool:
    """Whether the verdict on a route is "Nothing to change".

    There is nothing to save, no request failed on a connection, no finding of it costs more or is
    no matter of time, and no pool was too small: urllib3 itself has warned of it.
    """
    if any(cause.cause == "pool-too-small" and cause.cure for cause in host.causes):
        return False
    if any(cause.cause in FAILURES for cause in host.causes):
        return False
    if (host.seconds_lost or 0.0) >= WORTH_SAVING_S:
        return False
    return nothing_to_save(host) and not any(
        is_costly(finding) for finding in findings if finding.host == host.host
    )


def is_costly(finding: Finding) -> bool:
    """Whether a finding is worth to change a program for, or is no matter of time."""
    is_failure = finding.finding in FAILURES
    return is_failure or finding.seconds is None or finding.seconds >= WORTH_SAVING_S


def _causes(
    sums: HostCounts,
    judged: Sequence[Judged],
    pattern: Pattern,
    listed: Set[int],
    settled: Mapping[str, Cause],
) -> list[Cause]:
    """The most expensive first, unavoidable ones last; their counts are those of the route."""
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        if one.cause is not None:
            groups.setdefault(one.cause, []).append(one)
    for name in settled:
        groups.setdefault(name, [])
    missing = not_recorded(sums, judged, settled)
    if missing is not None:
        groups.setdefault("unknown", [])
    causes = []
    for name, group in groups.items():
        beside = [settled[name]] if name in settled else []
        if missing is not None and name == "unknown":
            beside.append(missing)
        causes.append(_cause(name, group, pattern, listed, beside))
    causes.sort(key=lambda c: (c.cause in UNAVOIDABLE, -cost_of(c), c.cause))
    return causes


def cost_of(cause: Cause) -> float:
    """Seconds that it cost: for opening connections, and for requests that failed before."""
    lost_s: float = cause.facts.get("seconds_lost", 0.0)
    return (cause.seconds or 0.0) + lost_s


def _cause(
    name: str,
    group: Sequence[Judged],
    pattern: Pattern,
    listed: Set[int],
    beside: Sequence[Cause],
) -> Cause:
    row = CATALOGUE[name]
    openings = [one.opening for one in group]
    counted = counted_now(name, group)
    facts: dict[str, Any] = row.facts(openings, pattern) if openings else {}
    facts.update(libraries(openings))
    if openings and row.mended_by == "server":
        facts.update(peer(openings))
    retried = {} if name in FAILURES else failure_facts.retried(openings)
    facts |= retried
    if unlisted := sum(one.facts.get("not_recorded", 0) for one in beside):
        facts["not_recorded"] = unlisted
    if shared := sum(one.predecessor is not None and one.predecessor.shared for one in openings):
        facts["shared_after_fork"] = shared
    return Cause(
        cause=name,
        count=counted.count + sum(one.count for one in beside),
        unanswered=counted.unanswered + sum(one.unanswered for one in beside),
        seconds=(counted.seconds or 0.0) + sum(one.seconds or 0.0 for one in beside),
        facts=facts,
        evidence=_evidence(row, facts, retried),
        cure=sentences.SHARED_CURE
        if _is_of_the_fork(row, facts, openings)
        else cure(name, facts, row.cure(facts)),
        connections=tuple(o.connection.id for o in openings if o.connection.id in listed),
    )


def _is_of_the_fork(row: Row, facts: Mapping[str, Any], openings: Sequence[Opening]) -> bool:
    """Whether all of them replace connections that two processes had broken between them."""
    return row.mended_by == "server" and 0 < len(openings) == facts.get("shared_after_fork")


def _evidence(row: Row, facts: dict[str, Any], retried: Mapping[str, Any]) -> str:
    said = (row.evidence(facts), sentences.shared(facts), failure_sentences.retried(retried))
    return " ".join(filter(None, said))


def _spread(values: Sequence[float]) -> Spread | None:
    return Spread(median=median(values), most=max(values)) if values else None


def counts_by_route(
    several: Iterable[Sequence[HostCounts]],
) -> Mapping[tuple[str, str | None], list[HostCounts]]:
    """The counts of each process, by route."""
    routes: dict[tuple[str, str | None], list[HostCounts]] = {}
    for hosts in several:
        for one in hosts:
            routes.setdefault((one.host, one.via), []).append(one)
    return routes
