"""One response in words: was its connection reused, and if not, why was it opened? No I/O."""

from __future__ import annotations

from keptalive.causes.catalogue import CATALOGUE
from keptalive.causes.failures import with_failures
from keptalive.causes.hosts import counts_by_route
from keptalive.causes.meaning import meaning_of
from keptalive.causes.patterns import Pattern, pattern_of
from keptalive.causes.rules import Judged, judge
from keptalive.causes.sentences import capital
from keptalive.quantities import SHORTEST_S, duration, host_name, number
from keptalive.records.process import ProcessRecord
from keptalive.records.report import UNAVOIDABLE
from keptalive.records.response import ResponseReport

NOT_SEEN = ResponseReport(
    reused=None,
    sentence=(
        "Not seen: it came before this watch or after it, or over no connection of urllib3's "
        "(a cache, a mock, a file)."
    ),
)


def reused(host: str, count: int | None, idle_s: float | None) -> ResponseReport:
    """A response on a kept connection.

    Args:
        host: its route.
        count: it is the response with this number on its connection; None if that is not known.
        idle_s: how long the connection had been idle before; None if that is not known.
    """
    which = "" if count is None else f", response {number(count)} on this connection"
    idle = "" if idle_s is None else f", idle for {duration(idle_s)} before"
    before = " (it was open before this watch)" if count is None else ""
    return ResponseReport(
        reused=True,
        host=host,
        number=count,
        idle_s=idle_s,
        sentence=f"Reused a connection to {host_name(host)}{before}{which}{idle}.",
    )


def opened(record: ProcessRecord, id_: int) -> ResponseReport:
    """The first response on a connection that was opened for it.

    Args:
        record: of the process.
        id_: of this connection.
    """
    connection = next((one for one in record.connections if one.id == id_), None)
    if connection is None:
        missing = "A new connection; the record is full, and does not say why it was opened."
        return ResponseReport(reused=False, number=1, sentence=missing)
    judged, pattern = _judged(record, (connection.host, connection.via), id_)
    cause = None if judged is None else judged.cause
    took = sum(connection.phases.values())
    return ResponseReport(
        reused=False,
        host=connection.host,
        number=1,
        cause=cause,
        seconds=took,
        where=connection.facts.where,
        sentence=" ".join(
            part
            for part in (
                f"Opened a connection to {host_name(connection.host)}{_why(judged, pattern)}.",
                _evidence(judged, pattern),
                f"Opening it took {duration(took)}." if took >= SHORTEST_S else "",
            )
            if part
        ),
    )


def _judged(
    record: ProcessRecord, route: tuple[str, str | None], id_: int
) -> tuple[Judged | None, Pattern]:
    """This connection with its cause, as the report of all judges it."""
    part = [one for one in record.connections if (one.host, one.via) == route]
    alone = [one for one in part if not one.shared]
    counts = counts_by_route([record.hosts]).get(route, ())
    pattern = with_failures(pattern_of(alone, counts), alone)
    judged = (one for one in judge(part, pattern) if one.opening.connection.id == id_)
    return next(judged, None), pattern


def _why(judged: Judged | None, pattern: Pattern) -> str:
    if judged is None or judged.cause is None:
        return ""
    if judged.cause in UNAVOIDABLE:
        return f": {judged.cause} (necessary)"
    facts = CATALOGUE[judged.cause].facts([judged.opening], pattern)
    return f": {judged.cause}, {meaning_of(judged.cause, facts)}"


def _evidence(judged: Judged | None, pattern: Pattern) -> str:
    if judged is None or judged.cause is None or judged.cause in UNAVOIDABLE:
        return ""
    row = CATALOGUE[judged.cause]
    return capital(row.evidence(row.facts([judged.opening], pattern)))
