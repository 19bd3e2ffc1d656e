"""A report's requests as HAR 1.2: what the developer tools of Chrome and Firefox import. Pure.

The format is Jan Odvarko's, www.softwareishard.com/blog/har-12-spec. What keptalive does not record
is empty, 0 or -1, as the format asks for it: sizes, headers, cookies, MIME types, the version of
HTTP. `connection` is the connection's number in the report. Names that begin with an underscore are
additions that the format allows; `_initiator` is Chrome's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from keptalive.errors import UsageError
from keptalive.quantities import host_name
from keptalive.records.report import ConnectionReport, ExchangeColumns, HostReport, Report
from keptalive.version import VERSION

UNKNOWN = -1  # a size, or a timing that does not apply


def har(report: Report) -> dict[str, Any]:
    """The report's requests, in the order of their start.

    Raises:
        UsageError: it has no requests, because no timeline was recorded.
    """
    if report.exchanges is None or report.started_at is None:
        raise UsageError(
            "The report has no timeline, so a HAR file would be empty. "
            "Next: keptalive run --har FILE, or run --timeline --json FILE."
        )
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "keptalive", "version": VERSION},
            "pages": [],
            "entries": _entries(
                report, report.exchanges, datetime.fromisoformat(report.started_at)
            ),
        }
    }


def _entries(report: Report, exchanges: ExchangeColumns, began: datetime) -> list[dict[str, Any]]:
    connections = {one.id: one for one in report.connections}
    hosts = {(host.host, host.via): host for host in report.hosts}
    entries, seen = [], set()
    for number, id_ in enumerate(exchanges.connection):
        connection = connections.get(id_)
        opened = connection if id_ not in seen else None
        seen.add(id_)
        entries.append(_entry(report, exchanges, number, began, connection, opened, hosts))
    return entries


def _entry(
    report: Report,
    exchanges: ExchangeColumns,
    number: int,
    began: datetime,
    connection: ConnectionReport | None,
    opened: ConnectionReport | None,
    hosts: Mapping[tuple[str, str | None], HostReport],
) -> dict[str, Any]:
    started_s = exchanges.started_s[number]
    if not _opens(opened, started_s):
        opened = None
    elif opened is not None and opened.attempted_s is not None:
        started_s = min(started_s, opened.attempted_s)
    timings = _timings(started_s, exchanges.head_s[number], exchanges.released_s[number], opened)
    entry = {
        "startedDateTime": _moment(began, started_s),
        "time": round(sum(timings[name] for name in _ADDED_UP if timings[name] > 0), 3),
        "request": _request(exchanges, number, connection, hosts),
        "response": _response(exchanges.status[number]),
        "cache": {},
        "timings": timings,
        "connection": str(exchanges.connection[number]),
    }
    where = exchanges.where[number]
    if where is not None:
        entry["_initiator"] = _initiator(report.places[where])
    if exchanges.status[number] is None and connection is not None and connection.end is not None:
        entry["_error"] = connection.end.error or connection.end.how
    return entry


def _opens(connection: ConnectionReport | None, started_s: float) -> bool:
    """Whether a request that began then had to wait until this connection was opened."""
    if connection is None or connection.attempted_s is None:
        return False
    return connection.connected_s is None or connection.connected_s > started_s


# -- Times ---------------------------------------------------------------------------------------

# ``ssl`` is part of ``connect``
_ADDED_UP = ("blocked", "dns", "connect", "send", "wait", "receive")


def _timings(
    started_s: float,
    head_s: float | None,
    released_s: float | None,
    opened: ConnectionReport | None,
) -> dict[str, float]:
    """Milliseconds; -1 for what this request did not have to wait for.

    A connection is opened by the request that had taken it first. What it waited before that,
    for a slot of a pool that blocks or for a failed address, is ``blocked``.
    """
    free_s, phases = started_s, {}
    if opened is not None and opened.attempted_s is not None:
        free_s, phases = opened.attempted_s, dict(opened.phases)
    dns_s, tls_s = phases.get("dns", 0.0), phases.get("ca_bundle", 0.0) + phases.get("tls", 0.0)
    connect_s = phases.get("connect", 0.0) + phases.get("tunnel", 0.0) + tls_s
    sent_s = free_s + dns_s + connect_s
    end_s = max(sent_s, released_s if released_s is not None else head_s or sent_s)
    head_s = end_s if head_s is None else min(max(head_s, sent_s), end_s)
    return {
        "blocked": _ms(free_s - started_s) if free_s > started_s else UNKNOWN,
        "dns": _ms(dns_s) if dns_s else UNKNOWN,
        "connect": _ms(connect_s) if phases else UNKNOWN,
        "ssl": _ms(tls_s) if tls_s else UNKNOWN,
        "send": 0,
        "wait": _ms(head_s - sent_s),
        "receive": _ms(end_s - head_s),
    }


def _ms(seconds: float) -> float:
    return round(max(seconds, 0.0) * 1000, 3)


def _moment(began: datetime, seconds: float) -> str:
    return (began + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


# -- Request and response ------------------------------------------------------------------------


def _request(
    exchanges: ExchangeColumns,
    number: int,
    connection: ConnectionReport | None,
    hosts: Mapping[tuple[str, str | None], HostReport],
) -> dict[str, Any]:
    path, _, query = exchanges.path[number].partition("?")
    return {
        "method": exchanges.method[number],
        "url": f"{_origin(connection, hosts)}{_quoted(path)}{_query(query)}",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        # Values are never recorded
        "queryString": [{"name": name, "value": ""} for name in query.split("&") if name],
        "headersSize": UNKNOWN,
        "bodySize": UNKNOWN,
    }


_PATH = "/%:@!$&'()*+,;=~-._"


def _query(query: str) -> str:
    return f"?{_quoted(query)}" if query else ""


def _quoted(text: str) -> str:
    return quote(text, safe=_PATH, errors="replace")  # of a surrogate without its other half


def _origin(
    connection: ConnectionReport | None, hosts: Mapping[tuple[str, str | None], HostReport]
) -> str:
    """Where the request went: of a forward proxy, the one host that it was asked for, if so."""
    if connection is None:
        return "http://unknown.invalid"
    if connection.host.startswith("unix:"):
        return f"http+unix://{quote(connection.host.removeprefix('unix:'), safe='')}"
    host = hosts.get((connection.host, connection.via))
    origins = host.origins if host is not None else ()
    name = host_name(origins[0] if len(origins) == 1 else connection.host)
    return quote(name, safe=":/[]", errors="replace")


def _response(status: int | None) -> dict[str, Any]:
    return {
        "status": status or 0,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        "content": {"size": 0, "mimeType": ""},
        "redirectURL": "",
        "headersSize": UNKNOWN,
        "bodySize": UNKNOWN,
    }


def _initiator(place: str) -> dict[str, Any]:
    """As Chrome reads it: there, lines are counted from 0."""
    file, _, line = place.partition(" (")[0].rpartition(":")
    if not (file and line.isdecimal()):
        return {"type": "script", "url": place}
    return {"type": "script", "url": file, "lineNumber": int(line) - 1}
