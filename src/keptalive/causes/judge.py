"""The report: records of processes in, everything that was found out about them out. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, NamedTuple

from keptalive.causes.facts import by_frequency
from keptalive.causes.failures import with_failures
from keptalive.causes.findings import (
    findings_of,
    findings_of_openings,
    findings_of_processes,
    findings_of_program,
)
from keptalive.causes.findings.failures import at_the_end
from keptalive.causes.hosts import counts_by_route, host_report, is_costly, nothing_to_change
from keptalive.causes.lower_bounds import beyond
from keptalive.causes.merging import Merged, columns_of, each_once, merge
from keptalive.causes.patterns import Pattern, pattern_of
from keptalive.causes.rules import Judged, judge
from keptalive.quantities import many
from keptalive.records.connection import Connection, ConnectionEnd
from keptalive.records.counts import HostCounts, total
from keptalive.records.process import CONNECTIONS_KEPT, ProcessRecord, SettledCause
from keptalive.records.report import (
    ConnectionReport,
    EndReport,
    ExchangeColumns,
    Finding,
    HostReport,
    Report,
)

__all__ = ["is_costly", "nothing_to_change", "report"]

Source = Literal["run", "watch", "log", "bench"]
Route = tuple[str, str | None]
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def report(
    records: Sequence[ProcessRecord],
    *,
    source: Source,
    command: Sequence[str] = (),
    environment: Mapping[str, Any] | None = None,
    warnings: Iterable[str] = (),
) -> Report:
    """What was found out about one program: its processes on one time line, every cause judged.

    Args:
        records: one for each process.
        source: who recorded them.
        command: what was run.
        environment: versions and settings, as plain data.
        warnings: what is to be said beside what the processes themselves warn of.
    """
    merged = merge(records)
    counts = counts_by_route(record.hosts for record in records)
    routes = _judged(merged, counts)
    ordered = sorted(
        (one for route in routes.values() for one in route.judged),
        key=lambda one: one.opening.connection.id,
    )
    listed = ordered[:CONNECTIONS_KEPT]
    ids = {one.opening.connection.id for one in listed}
    settled = [one for record in records for one in record.settled]
    hosts, findings = _hosts(merged, counts, routes, ids, beyond(records), settled)
    exchanges, places = _timeline(merged)
    missing = sum(record.connections_missing for record in records) + len(ordered) - len(listed)
    left = by_frequency(at for record in records for at in record.left_at)
    said = [warning for record in records for warning in record.warnings]
    return Report(
        source=source,
        command=tuple(command),
        started_at=_iso(merged.started_ns),
        seconds=merged.seconds,
        window_s=max((one.window_s for one in records if one.window_s), default=None),
        environment=dict(environment or {}),
        hosts=hosts,
        connections=(*_open_before(merged), *map(_listed, listed)),
        exchanges=exchanges,
        places=places,
        findings=(*findings_of_processes(records), *findings, *_of_all(hosts, ordered, records)),
        left_open=sum(record.left_open for record in records),
        left_at=tuple(left),
        left_each=tuple(left.values()),
        unclosed_at=_unclosed(merged),
        warnings=each_once([*said, *warnings, *_missing(missing, merged.exchanges_missing)]),
    )


def _unclosed(merged: Merged) -> dict[str, int]:
    """Where Sessions were made that were collected and never closed, the most frequent first."""
    return by_frequency(
        one.facts.session_location or one.facts.session_entered
        for connections in merged.connections
        for one in connections
        if one.end is not None and one.end.collected
    )


class _JudgedRoute(NamedTuple):
    """All connections to a route with their causes, and what they show together."""

    judged: list[Judged]
    pattern: Pattern


def _judged(
    merged: Merged, counts: Mapping[Route, Sequence[HostCounts]]
) -> dict[Route, _JudgedRoute]:
    """The connections of each route, over all processes."""
    processes = [_by_route(connections) for connections in merged.connections]
    judged: dict[Route, _JudgedRoute] = {}
    for route in dict.fromkeys([*counts, *(route for routes in processes for route in routes)]):
        several = [routes.get(route, []) for routes in processes]
        # of a window, those before it are evidence only
        since = zip(several, merged.starts_s, strict=True)
        # the end of a connection that two processes used says nothing of the server
        alone = [one for part in several for one in part if not one.shared]
        pattern = with_failures(pattern_of(alone, counts.get(route, ())), alone)
        causes = [
            one
            for part, start_s in since
            for one in judge(part, pattern)
            if (one.opening.connection.attempted_s or 0.0) >= start_s
        ]
        judged[route] = _JudgedRoute(causes, pattern)
    return judged


def _by_route(connections: Iterable[Connection]) -> dict[Route, list[Connection]]:
    routes: dict[Route, list[Connection]] = {}
    for connection in connections:
        routes.setdefault((connection.host, connection.via), []).append(connection)
    return routes


def _hosts(
    merged: Merged,
    counts: Mapping[Route, Sequence[HostCounts]],
    routes: Mapping[Route, _JudgedRoute],
    listed: set[int],
    more_perhaps: Mapping[Route, int],
    settled: Sequence[SettledCause],
) -> tuple[tuple[HostReport, ...], tuple[Finding, ...]]:
    """Each route's report, the most expensive first, and the findings of all in that order."""
    until_s = {
        one.id: end_s
        for connections, end_s in zip(merged.connections, merged.ends_s, strict=True)
        for one in connections
    }
    reports = []
    for route, of_processes in counts.items():
        judged, pattern = routes[route]
        connections = [one.opening.connection for one in judged]
        host = host_report(
            of_processes,
            judged,
            pattern,
            listed=listed,
            more_perhaps=more_perhaps.get(route),
            settled=[one for one in settled if (one.host, one.via) == route],
            lifetimes_s=[_lifetime_s(one, until_s[one.id]) for one in connections if one.served],
        )
        found = [*findings_of(host, total(of_processes)), *at_the_end(host, connections, pattern)]
        reports.append((host, found))
    reports.sort(key=lambda one: (-(one[0].seconds_opening or 0.0), one[0].host, one[0].via or ""))
    return tuple(host for host, _ in reports), tuple(f for _, found in reports for f in found)


def _of_all(
    hosts: Sequence[HostReport], judged: Sequence[Judged], records: Iterable[ProcessRecord]
) -> tuple[Finding, ...]:
    """The findings over several routes: from all connections, and from what processes noted."""
    noted = [one for record in records for one in record.circumstances]
    return (*findings_of_openings(hosts, judged), *findings_of_program(hosts, noted))


def _lifetime_s(connection: Connection, until_s: float) -> float:
    """From the attempt to the end; of one that is still open, to the end of the watch."""
    ended_s = until_s if connection.ended_s is None else connection.ended_s
    return max(0.0, ended_s - (connection.attempted_s or 0.0))


def _open_before(merged: Merged) -> Iterator[ConnectionReport]:
    """Those of the timeline that were open before the watch, and carried requests in it."""
    used = {one.connection for one in merged.exchanges or ()}
    for connections in merged.connections:
        for one in connections:
            if one.attempted_s is None and one.id in used:
                yield _reported(one, None)


def _listed(judged: Judged) -> ConnectionReport:
    return _reported(judged.opening.connection, judged.cause)


def _reported(one: Connection, cause: str | None) -> ConnectionReport:
    return ConnectionReport(
        id=one.id,
        host=one.host,
        via=one.via,
        process=one.process,
        thread=one.thread,
        local_port=one.local_port,
        attempted_s=one.attempted_s,
        connected_s=one.connected_s,
        ended_s=one.ended_s,
        phases=dict(one.phases),
        served=one.served,
        cause=cause,
        end=_end(one.end),
        where=one.facts.where,
        through=one.facts.request_library,
        replaces=one.replaces,
    )


def _end(end: ConnectionEnd | None) -> EndReport | None:
    if end is None:
        return None
    return EndReport(
        how=end.how.value,
        idle_s=end.idle_s,
        error=end.error,
        beneath=end.beneath,
        answered=end.answered,
        method=end.method,
        lost_s=end.lost_s,
        sent_again=end.sent_again,
        acknowledged=end.acknowledged,
    )


def _timeline(merged: Merged) -> tuple[ExchangeColumns | None, tuple[str, ...]]:
    return (None, ()) if merged.exchanges is None else columns_of(merged.exchanges)


def _missing(connections: int, exchanges: int) -> Iterable[str]:
    if connections:
        are = f"{many(connections, 'connection')} {'is' if connections == 1 else 'are'}"
        yield f"{are} counted but not listed: there were too many."
    if exchanges:
        are = f"{many(exchanges, 'request')} {'is' if exchanges == 1 else 'are'}"
        yield f"{are} missing from the timeline: there were too many."


def _iso(started_ns: int | None) -> str | None:
    if started_ns is None:
        return None
    began = _EPOCH + timedelta(microseconds=started_ns // 1000)
    return began.isoformat(timespec="milliseconds")
