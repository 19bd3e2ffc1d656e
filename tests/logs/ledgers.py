"""Events as logs have them, and the report that they make."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from keptalive.logs import Discarding
from keptalive.logs.accounting import LogLedger
from keptalive.logs.events import LogEvent
from keptalive.logs.prefix import Origin
from keptalive.logs.report import report as report_of
from keptalive.records.pool_events import Answered, Resetting, Retrying, RetryingStatus, Starting
from keptalive.records.report import Cause, HostReport, Report

HOST = "https://h:443"
RETRY_STATUS = RetryingStatus(thread=1)


def start(
    number: int | None = 1, *, thread: int = 1, host: str = "h", scheme: str = "https"
) -> Starting:
    port = 443 if scheme == "https" else 80
    return Starting(thread=thread, scheme=scheme, host=host, port=port, ordinal=number)


@cache  # since most responses of a log are one and the same event
def answer(
    *, thread: int = 1, host: str = "h", scheme: str = "https", status: int = 200
) -> Answered:
    port = 443 if scheme == "https" else 80
    return Answered(thread=thread, scheme=scheme, host=host, port=port, status=status)


def reset(*, thread: int = 1, host: str = "h") -> Resetting:
    return Resetting(thread=thread, host=host)


def retrying(*, thread: int = 1, error: str = "", **named) -> Retrying:
    return Retrying(thread=thread, error=error, **named)


def discarding(*, thread: int = 1, host: str = "h", pool_size: int | None = 10) -> Discarding:
    return Discarding(thread=thread, host=host, pool_size=pool_size)


def origin(process: int | None = None) -> Origin:
    return Origin(
        source="urllib3.connectionpool",
        named=True,
        process=process,
        threaded=True,
        who=(),
        words=[],
    )


def ledger_of(
    events: Iterable[LogEvent], *, knows_threads: bool = True, process: int | None = None
) -> LogLedger:
    ledger = LogLedger()
    ledger.record([(event, None, origin(process)) for event in events], knows_threads=knows_threads)
    return ledger


def finished(ledger: LogLedger, *, knows_threads: bool = True, knows_zone: bool = False) -> Report:
    return report_of(ledger, knows_threads=knows_threads, knows_zone=knows_zone)


def report(*events: LogEvent, knows_threads: bool = True) -> Report:
    ledger = ledger_of(events, knows_threads=knows_threads)
    return finished(ledger, knows_threads=knows_threads)


def timed(*events: tuple[float, LogEvent]) -> Report:
    ledger = LogLedger()
    ledger.record([(event, at_s, origin()) for at_s, event in events])
    return finished(ledger)


def the_host(found: Report, name: str = HOST) -> HostReport:
    (host,) = (host for host in found.hosts if host.host == name)
    return host


def counts(found: Report, name: str = HOST) -> tuple[int | None, ...]:
    """Requests, attempts, connects, opened, reopened, reused."""
    host = the_host(found, name)
    assert (
        host.attempts is None
        or host.opened is None
        or host.attempts
        == (
            host.opened + host.reused + host.unanswered  # nothing is in flight once a log is over
        )
    )
    return (
        *(host.requests, host.attempts, host.connects),
        *(host.opened, host.reopened, host.reused),
    )


def causes(found: Report, name: str = HOST) -> dict[str, int]:
    return {cause.cause: cause.count for cause in the_host(found, name).causes}


def only_cause(found: Report, name: str) -> Cause:
    (cause,) = (cause for cause in found.hosts[0].causes if cause.cause == name)
    return cause
