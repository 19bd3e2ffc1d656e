"""Logs as text, and what `explain` makes of them."""

from __future__ import annotations

import io
from collections.abc import Iterable

from tests.logs import ledgers

from keptalive import logs
from keptalive.causes.log_sets import SETS
from keptalive.logs.accounting import LogLedger
from keptalive.logs.report import report
from keptalive.records.report import Cause, Finding, HostReport, Report

API = "https://api.example:443"
RESET = "Resetting dropped connection: api.example"


def opening(number: int, host: str = "api.example:443", scheme: str = "HTTPS") -> str:
    return f"Starting new {scheme} connection ({number}): {host}"


def response(host: str = API, path: str = "/a") -> str:
    return f'{host} "GET {path} HTTP/1.1" 200 12'


def full(host: str = "api.example", size: int | None = 10) -> str:
    said = f"Connection pool is full, discarding connection: {host}"
    return said if size is None else f"{said}. Connection pool size: {size}"


def retrying(error: str, path: str = "/v1/a", left: int = 2) -> str:
    retry = f"Retry(total={left}, connect=None, read=None, redirect=None, status=None)"
    return f"Retrying ({retry}) after connection broken by '{error}': {path}"


RESET_BY_PEER = "ProtocolError('Connection aborted.', ConnectionResetError(104, 'Reset by peer'))"


def at(
    second: float,
    message: str,
    *,
    thread: str = "MainThread",
    level: str = "DEBUG",
    logger: str = "urllib3.connectionpool",
) -> str:
    """A line with its time, thread, level and logger."""
    minutes, seconds = divmod(second, 60)
    time = f"2026-03-04 09:{int(minutes):02}:{int(seconds):02},{round(seconds % 1 * 1000):03}"
    return f"{time} {thread} {level} {logger} {message}"


def explained(lines: Iterable[str]) -> Report:
    """The report of a log."""
    reading = logs.read(io.BytesIO("".join(f"{line}\n" for line in lines).encode()))
    ledger = LogLedger()
    for seen in reading:
        ledger.record(seen, knows_threads=reading.knows_threads)
    return report(ledger, knows_threads=reading.knows_threads, knows_zone=reading.knows_zone)


def host_of(found: Report, name: str = API) -> HostReport:
    return ledgers.the_host(found, name)


def counts(found: Report, name: str = API) -> tuple[int | None, ...]:
    return ledgers.counts(found, name)


def causes(found: Report, name: str = API) -> dict[str, int]:
    return ledgers.causes(found, name)


def finding(found: Report, name: str) -> Finding:
    (one,) = (one for one in found.findings if one.finding == name)
    return one


def cause(found: Report, name: str) -> Cause:
    (one,) = (one for host in found.hosts for one in host.causes if one.cause == name)
    assert one.members is None or name in SETS
    return one
