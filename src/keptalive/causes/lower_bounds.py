"""What is not known of processes whose records end early: killed, or still running. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keptalive.records.counts import HostCounts
from keptalive.records.process import ProcessRecord

Route = tuple[str, str | None]


def beyond(records: Sequence[ProcessRecord]) -> Mapping[Route, int]:
    """How many more connections may have been necessary, by route; 0 where none of them can.

    An interim report was written at the last new connection. After it, at most as many requests
    can have been in flight at once as connections were open then.
    """
    found: dict[Route, int] = {}
    for record in records:
        for counts in () if record.is_whole else record.hosts:
            route = (counts.host, counts.via)
            found[route] = found.get(route, 0) + _beyond(counts, _still_open(record, route))
    return found


def _still_open(record: ProcessRecord, route: Route) -> int:
    return sum(one.end is None and (one.host, one.via) == route for one in record.connections)


def _beyond(counts: HostCounts, still_open: int) -> int:
    if counts.opened is None or counts.most_at_once is None:
        return 0
    least = min(counts.opened, max(1, counts.most_at_once))
    return max(0, min(counts.opened, still_open) - least)
