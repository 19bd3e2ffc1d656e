"""What one process recorded: the unit that sources hand to the judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keptalive.records.connection import Connection, Exchange
from keptalive.records.counts import HostCounts

CONNECTIONS_KEPT = 20_000
EXCHANGES_KEPT = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstance:
    """Something that a process noted of the program beside its connections.

    Attributes:
        kind: what it is: the name of the finding that tells it.
        host: of which host, or None.
        where: where in the program, or None.
        detail: a name that belongs to it, of a package or an error perhaps.
        other: a second one, with which the first is compared.
        count: how often.
    """

    kind: str
    host: str | None = None
    where: str | None = None
    detail: str | None = None
    other: str | None = None
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledCause:
    """Connections that the watch has judged and counted already: see `watching.ledger`.

    Attributes:
        host, via: the route, as in `connection.Connection`.
        count, unanswered: how many had a response, and how many never had one.
        seconds: what opening them took.
    """

    host: str
    via: str | None
    cause: str
    count: int = 0
    unanswered: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord:
    """The records of one process, as plain data: it may cross a file.

    Attributes:
        process: its id.
        started_ns: the wall clock, in nanoseconds since 1970, at second 0 of all its times.
        seconds: how long it was watched.
        earlier_s: how long the process had run by then, as far as that is known.
        hosts: the counts of each route.
        connections: the first `CONNECTIONS_KEPT`, in the order of their attempts; each `replaces`
            names an earlier one of them.
        connections_missing: how many more there were.
        exchanges: the first `EXCHANGES_KEPT`; None if no timeline was asked for.
        exchanges_missing: how many more there were.
        circumstances: what was noted beside the connections.
        left_open: connections that are open now, or were when the watch ended.
        left_at: where in the program their Sessions were made: a place for each connection.
        warnings: what is to be said of the watch itself, in sentences.
        is_whole: the record reaches to the end of its process; else to its last new connection: it
            was killed, or still runs.
        settled: causes that the watch has counted already; those connections need not be listed.
        window_s: the record covers the last so many seconds of a longer watch: what was attempted
            before second 0 is evidence only. None if it covers the whole watch.
        witnessed: what others have counted of the same connections, by their names.
    """

    process: int
    started_ns: int
    seconds: float
    earlier_s: float = 0.0
    hosts: tuple[HostCounts, ...] = ()
    connections: tuple[Connection, ...] = ()
    connections_missing: int = 0
    exchanges: tuple[Exchange, ...] | None = None
    exchanges_missing: int = 0
    circumstances: tuple[Circumstance, ...] = ()
    left_open: int = 0
    left_at: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    is_whole: bool = True
    settled: tuple[SettledCause, ...] = ()
    window_s: float | None = None
    witnessed: Mapping[str, int] = field(default_factory=dict)
