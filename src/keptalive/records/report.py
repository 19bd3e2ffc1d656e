"""A report, as every renderer and every JSON output has it: field names are the JSON's keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA = 1

# Connections that perfect reuse would have opened too
UNAVOIDABLE = ("first-use", "concurrency")
# Those where a request had failed on a connection before: no matter of time alone
FAILURES = ("failed-request", "stale-connection", "silent-drop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A number that is known to lie between two; of everything but a log they are equal."""

    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How a number is spread over connections."""

    median: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why so many connections to one route were opened, what they cost, and what to change.

    Attributes:
        cause: a name of the catalogue; of a log, that of a set of causes may stand here.
        members: the causes of that set, the likeliest first; None for a single cause.
        count: connections of ``HostReport.opened`` that have it; they add up to ``opened``. Of a
            log without responses they are openings, and add up to ``begun``.
        unanswered: connections of ``opened_unanswered`` that have it.
        seconds: what opening them took; None if unknown.
        facts: the numbers and names of which the evidence speaks.
        evidence, cure: sentences.
        connections: the ids of those that are in ``Report.connections``.
    """

    cause: str
    members: tuple[str, ...] | None = None
    count: int
    unanswered: int = 0
    seconds: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    evidence: str = ""
    cure: str = ""
    connections: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """One route: its counts (`counts.HostCounts` explains them), its costs and its causes.

    Attributes:
        perfect: how many connections perfect reuse would have opened.
        is_lower_bound: a process that used this route was killed, or still ran: what it did after
            its last note is not counted, so all counts and ``perfect.least`` are lower bounds.
        seconds_saved: the share of ``seconds_opening`` that perfect reuse would have saved.
        requests_per_connection: of the connections on which a response came.
        connection_lifetime_s: of the connections that were opened, from the attempt to the end.
        causes: the most expensive first, unavoidable ones last.
    """

    host: str
    via: str | None = None
    origins: tuple[str, ...] = ()
    requests: int | None
    attempts: int | None
    connects: int | None
    opened: int | None
    opened_unanswered: int | None
    reopened: int | None
    reused: int | None
    unanswered: int | None
    in_flight: int | None
    errors: Mapping[str, int] = field(default_factory=dict)
    begun: int | None = None
    discarded: int | None = None
    pool_size: int | None = None
    perfect: Range | None
    is_lower_bound: bool = False
    most_at_once: int | None
    seconds_opening: float | None
    seconds_saved: float | None
    seconds_waiting_for_pool: float | None
    seconds_lost: float | None
    phases: Mapping[str, float] = field(default_factory=dict)
    requests_per_connection: Spread | None = None
    connection_lifetime_s: Spread | None = None
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndReport:
    """How a connection ended: `connection.ConnectionEnd`, in words that JSON has."""

    how: str
    idle_s: float | None = None
    error: str | None = None
    beneath: str | None = None
    answered: bool = False
    method: str | None = None
    lost_s: float | None = None
    sent_again: bool | None = None
    acknowledged: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionReport:
    """One connection or attempt: `connection.Connection`, with its cause.

    ``cause`` is None for an attempt that was never connected. ``attempted_s`` is None for one that
    was open before. ``where`` is the program's own line whose request opened it, or else a place
    that is named so: ``sync.py:12 (Session)``, ``pip/__main__.py:24 (library)``. ``through`` is the
    line of the library by which the request went.
    """

    id: int
    host: str
    via: str | None
    process: int
    thread: int
    local_port: int | None
    attempted_s: float | None
    connected_s: float | None
    ended_s: float | None
    phases: Mapping[str, float]
    served: int
    cause: str | None
    end: EndReport | None
    where: str | None
    through: str | None = None
    replaces: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeColumns:
    """A timeline: one value of each column for each request, in the order of their start.

    ``where`` holds indexes into ``Report.places``.
    """

    connection: tuple[int, ...]
    started_s: tuple[float, ...]
    head_s: tuple[float | None, ...]
    released_s: tuple[float | None, ...]
    method: tuple[str, ...]
    path: tuple[str, ...]
    status: tuple[int | None, ...]
    thread: tuple[int, ...]
    where: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something worth to be changed that is no cause of a connection: a name, evidence, a cure.

    Attributes:
        host: the host it is about; None if it is about several, or about none.
        seconds: what it cost, or what its cure would save; None if unknown.
    """

    finding: str
    host: str | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    evidence: str
    cure: str = ""
    seconds: float | None = None


LEFT = "left without a report"  # so a warning says it of lost processes


@dataclass(frozen=True, slots=True, kw_only=True)
class LostProcess:
    """A process that left without a report: killed, or ended by other means than Python's.

    Attributes:
        process: its id.
        program: the script, or the name of one of multiprocessing's processes; empty if unknown.
        seen: its connections are counted, up to its last note; else it had noted none.
        missed: how many new connections it had after that note; they are not counted.
    """

    process: int
    program: str = ""
    seen: bool = False
    missed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that was found out about one program, log or traced round.

    Attributes:
        command: the program that `keptalive run` ran, without its arguments; else empty.
        started_at: when the first process began, ISO 8601 with its zone; None of a log without
            times.
        seconds: how long it was watched; None if that is unknown.
        window_s: the report covers the last so many seconds of a longer watch, and up to a twelfth
            more; None if it covers the whole watch.
        hosts: one for each route, the most expensive first.
        connections: bounded; a warning says how many are missing.
        exchanges: None if no timeline was recorded.
        left_open: connections that were open at the end; None if unknown.
        left_at: where their Sessions were made, as far as that is known, the most frequent first.
        left_each: how many of these connections each such place has.
        unclosed_at: where Sessions were made that nobody closed before they were collected, and how
            many connections they had open.
        lost: the processes that left without a report.
        warnings: what limits the truth of all this, in sentences.
        doubts: those of them after which connections may be missing here.
    """

    schema: int = SCHEMA
    source: Literal["run", "watch", "log", "bench"]
    command: tuple[str, ...] = ()
    started_at: str | None = None
    seconds: float | None = None
    window_s: float | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    hosts: tuple[HostReport, ...] = ()
    connections: tuple[ConnectionReport, ...] = ()
    exchanges: ExchangeColumns | None = None
    places: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    left_open: int | None = None
    left_at: tuple[str, ...] = ()
    left_each: tuple[int, ...] = ()
    unclosed_at: Mapping[str, int] = field(default_factory=dict)
    lost: tuple[LostProcess, ...] = ()
    warnings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
