"""The timeline's data as columns: what the page draws, in as few bytes as it needs.

Times are whole microseconds since the report began; what is unknown is null. Texts that come again
and again (paths, places, causes) stand once, in a list of their own, and columns hold indexes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Generic, TypeVar

from keptalive.quantities import duration, host_name, number
from keptalive.records.report import ConnectionReport, ExchangeColumns, HostReport, Report
from keptalive.render.report_sentences import PHASES, ends_of, route

Key = TypeVar("Key", bound=Hashable)


class _Once(Generic[Key]):
    """Values in the order in which they first came, and the index of each."""

    def __init__(self, known: Iterable[Key] = ()) -> None:
        self.index: dict[Key, int] = {}
        for value in known:
            self.of(value)

    def of(self, value: Key) -> int:
        return self.index.setdefault(value, len(self.index))

    @property
    def values(self) -> list[Key]:
        return list(self.index)


def data(report: Report) -> dict[str, Any]:
    """What the page needs to draw this report's connections, and its requests if it has them."""
    routes = _Once((host.host, host.via) for host in report.hosts)
    causes: _Once[str] = _Once()
    ends: _Once[str] = _Once()
    places = _Once(report.places)
    ended = ends_of(report.connections)
    connections = {
        "id": [one.id for one in report.connections],
        "route": [routes.of((one.host, one.via)) for one in report.connections],
        "process": [one.process for one in report.connections],
        "port": [one.local_port for one in report.connections],
        "attempted": [_micros(one.attempted_s) for one in report.connections],
        "connected": [_micros(one.connected_s) for one in report.connections],
        "ended": [_micros(one.ended_s) for one in report.connections],
        "phases": [_phases(one) for one in report.connections],
        "served": [one.served for one in report.connections],
        "cause": [_index(causes, one.cause) for one in report.connections],
        "end": [_index(ends, ended.get(one.id)) for one in report.connections],
        "where": [_index(places, one.where) for one in report.connections],
    }
    hosts = {(host.host, host.via): host for host in report.hosts}
    return {
        "seconds": _length(report),
        "routes": [_route(key, hosts.get(key)) for key in routes.values],
        "causes": causes.values,
        "ends": ends.values,
        "connections": connections,
        "exchanges": None if report.exchanges is None else _exchanges(report.exchanges, report),
        "places": places.values,
    }


MOST_ROWS = 200


def table(report: Report) -> list[tuple[str, ...]]:
    """The first connections in words, for a page whose script does not run."""
    ended = ends_of(report.connections)
    until_s = _length(report)
    return [
        (
            f"#{one.id}",
            host_name(one.host),
            "before" if one.attempted_s is None else duration(one.attempted_s),
            duration(max(_or(one.ended_s, until_s) - (one.attempted_s or 0.0), 0.0)),
            number(one.served),
            one.cause or "–",
            ended.get(one.id, "–") if one.ended_s is not None else "still open",
            one.where or "–",
        )
        for one in report.connections[:MOST_ROWS]
    ]


def _or(time_s: float | None, else_s: float) -> float:
    return else_s if time_s is None else time_s


def _route(key: tuple[str, str | None], host: HostReport | None) -> dict[str, Any]:
    """One route: its name, and how many connections were opened and would have been enough."""
    if host is None:
        return {"name": host_name(key[0]), "opened": None, "enough": None}
    enough = None if host.perfect is None else host.perfect.least
    return {"name": route(host), "opened": host.opened, "enough": enough}


def _phases(one: ConnectionReport) -> list[int]:
    """Microseconds of each of `PHASES`; empty if nothing is known of them."""
    if not one.phases:
        return []
    return [round(one.phases.get(name, 0.0) * 1e6) for name in PHASES]


def _exchanges(columns: ExchangeColumns, report: Report) -> dict[str, Any]:
    """The requests: each starts some time after the one before it, which takes fewer digits."""
    by_id = {one.id: index for index, one in enumerate(report.connections)}
    paths: _Once[str] = _Once()
    kept = [number for number, id_ in enumerate(columns.connection) if id_ in by_id]
    started = [_micros(columns.started_s[number]) or 0 for number in kept]
    heads = [_micros(columns.head_s[number]) for number in kept]
    releases = [_micros(columns.released_s[number]) for number in kept]
    return {
        "connection": [by_id[columns.connection[number]] for number in kept],
        "started": [now - before for before, now in zip([0, *started], started, strict=False)],
        "head": [_after(start, head) for start, head in zip(started, heads, strict=True)],
        "released": [_after(start, end) for start, end in zip(started, releases, strict=True)],
        "path": [paths.of(f"{columns.method[n]} {columns.path[n]}") for n in kept],
        "status": [columns.status[number] for number in kept],
        "where": [columns.where[number] for number in kept],
        "paths": paths.values,
        # Of connections that are not listed
        "missing": len(columns.connection) - len(kept),
    }


def _after(start: int, time: int | None) -> int | None:
    return None if time is None else max(time - start, 0)


def _micros(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e6)


def _index(known: _Once[str], value: str | None) -> int | None:
    return None if value is None else known.of(value)


def _length(report: Report) -> float:
    """Seconds until the last thing that is drawn."""
    times = [report.seconds or 0.0]
    for one in report.connections:
        times += [time for time in (one.attempted_s, one.connected_s, one.ended_s) if time]
    if report.exchanges is not None:
        times += [time for time in report.exchanges.released_s if time]
    return round(max(times), 6)
