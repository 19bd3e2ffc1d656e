"""A log that has been read, as a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

from keptalive.causes.log_sets import SETS
from keptalive.logs.accounting import LogLedger
from keptalive.logs.findings import of_host, of_log
from keptalive.logs.host import LogHost
from keptalive.logs.host_report import Known, is_counted, report_of
from keptalive.logs.hosts import HOSTS_KEPT
from keptalive.records.pool_events import LOGGER
from keptalive.records.report import HostReport, Report

CANNOT = "A log does not show which of several causes it was: keptalive run PROGRAM does."
HOW_TO_LOG = (
    'To see more: logging.getLogger("{}").setLevel(logging.DEBUG) where the program sets up its '
    "logging, or keptalive run PROGRAM."
)


def report(
    ledger: LogLedger, *, knows_threads: bool, knows_zone: bool, warnings: Sequence[str] = ()
) -> Report:
    """The report of a log that is over. Seconds of opening are not in a log.

    Args:
        ledger: what was counted; its `LogLedger.finish` is called.
        knows_threads: the log tells its threads apart.
        knows_zone: its times have a zone.
        warnings: what is to be said of the log itself.
    """
    ledger.finish()
    known = Known(threads=knows_threads, answering=ledger.answering)
    hosts = [(report_of(host, known), host) for host in ledger.hosts if _is_shown(host)]
    hosts.sort(key=lambda one: _most_opened_first(one[0]))
    findings = [found for one, host in hosts for found in of_host(host, one, known)]
    shown = tuple(one for one, _ in hosts)
    first_s, last_s = ledger.first_s, ledger.last_s
    has_times = first_s is not None and last_s is not None
    return Report(
        source="log",
        started_at=iso(first_s) if first_s is not None and knows_zone else None,
        seconds=max(last_s - first_s, 0.0) if has_times else None,  # type: ignore[operator]
        hosts=shown,
        findings=(*findings, *of_log(ledger.failures)),
        warnings=(*warnings, *_warnings(ledger, known, shown)),
    )


def _is_shown(host: LogHost) -> bool:
    return bool(host.connects or host.reused or host.discarded or host.failures.count)


def _most_opened_first(host: HostReport) -> tuple[int, int, str]:
    return -(host.opened or host.begun or 0), -(host.requests or host.discarded or 0), host.host


def iso(at_s: float) -> str | None:
    """A time in UTC; None if no clock has it."""
    try:
        return datetime.fromtimestamp(at_s, timezone.utc).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):  # a year that no clock has
        return None


# -- What limits the truth of it -----------------------------------------------------------------


def _warnings(ledger: LogLedger, known: Known, hosts: Sequence[HostReport]) -> Iterator[str]:
    if not ledger.responses:
        logger = next(iter(ledger.loggers), LOGGER).rpartition(".")[0]
        yield f"{_missing(ledger)} {HOW_TO_LOG.format(logger)}"
    unanswered = sum(
        host.connects - host.opened for host in ledger.hosts if is_counted(host, known)
    )
    if unanswered:
        yield f"Attempts to connect without a response: {unanswered}."
    if ledger.mixed:
        yield (
            f"Connections that were opened while others were: {ledger.mixed}. The log does not "
            "tell threads apart, so some may have failed. Put %(threadName)s into its format."
        )
    beyond = ledger.beyond
    if beyond.requests:
        yield (
            f"Hosts beyond the first {HOSTS_KEPT} are left out: {beyond.requests} requests, "
            f"{beyond.opened} connections."
        )
    if any(cause.cause in SETS for host in hosts for cause in host.causes):
        yield CANNOT


def _missing(ledger: LogLedger) -> str:
    if any(host.connects for host in ledger.hosts):
        return (
            "This log has no line of a response: of the connections that were begun, it does not "
            "show how many were opened."
        )
    if any(map(_is_shown, ledger.hosts)) or ledger.failures.count:
        return (
            "This log has warnings of urllib3's only: how many connections were opened, and why, "
            "is not in it."
        )
    return "No line of this log is about a connection, a response or an error."
