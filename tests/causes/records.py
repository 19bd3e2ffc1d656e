"""Connections and processes for tests, with as few words as a test needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keptalive.causes.judge import report
from keptalive.records.connection import (
    CloseReason,
    Connection,
    ConnectionEnd,
    OpeningFacts,
)
from keptalive.records.counts import HostCounts
from keptalive.records.process import ProcessRecord
from keptalive.records.report import HostReport, Report

HOST = "https://api.test:443"
OPENING_S = 0.1
STARTED_NS = 1_800_000_000_000_000_000  # 2027-01-15T08:00:00Z
_OF_CONNECTION = {
    "attempted_s",
    "served",
    "longest_idle_s",
    "replaces",
    "connected_s",
    "ended_s",
    "thread",
    "host",
}


def opened(
    number: int,
    *,
    how: CloseReason | None = None,
    end: dict[str, Any] | None = None,
    **values: Any,
) -> Connection:
    """The connection of that number, attempted in that second; other values are facts."""
    own = {name: values.pop(name) for name in _OF_CONNECTION & values.keys()}
    return Connection(
        **{
            "id": number,
            "process": 1,
            "thread": 1,
            "host": HOST,
            "attempted_s": float(number),
            "connected_s": number + OPENING_S,
            "served": 1,
            "phases": {"connect": OPENING_S},
            "end": None if how is None else ConnectionEnd(how=how, **(end or {})),
            **own,
        },
        facts=OpeningFacts(**{"owner": 1, "pool_is_new": number == 1, **values}),
    )


def counts_of(connections: list[Connection], **values: Any) -> HostCounts:
    """The counts that a source has of these connections; reused follows from what they served."""
    served = [one.served for one in connections if one.served]
    connected = [one for one in connections if one.connected_s is not None]
    return HostCounts(
        **{
            "host": HOST,
            "requests": sum(served),
            "connects": len(connections),
            "opened": len(served),
            "opened_unanswered": len(connected) - len(served),
            "unanswered": len(connections) - len(served),
            "reused": sum(served) - len(served),
            "most_at_once": max((one.facts.most_at_once for one in connections), default=0),
            "seconds_opening": sum(one.seconds for one in connections),
            "longest_survived_s": max((one.longest_idle_s for one in connections), default=0.0),
            "most_served": max(served, default=0),
            **values,
        }
    )


def process(*connections: Connection, number: int = 1, **values: Any) -> ProcessRecord:
    """The record of one process; values are counts."""
    return ProcessRecord(
        process=number,
        started_ns=STARTED_NS,
        seconds=100.0,
        hosts=(counts_of(list(connections), **values),),
        connections=tuple(replace(one, process=number) for one in connections),
    )


def reported(*processes: ProcessRecord) -> Report:
    """Their report."""
    return report(processes, source="watch")


def host_of(*connections: Connection, **values: Any) -> HostReport:
    """The report of the only route of one process."""
    (host,) = reported(process(*connections, **values)).hosts
    return host


def causes(*connections: Connection, **values: Any) -> list[str | None]:
    """The cause of each connection, in the order of their numbers."""
    return [one.cause for one in reported(process(*connections, **values)).connections]
