"""A log that has been read, as a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

from keptalive.causes.log_sets import SETS
from keptalive.logs.accounting import HOSTS_KEPT, LogLedger
from keptalive.logs.host import LogHost, report_of
from keptalive.records.report import Finding, HostReport, Report

CANNOT = "A log does not show which of several causes it was: keptalive run PROGRAM does."
HOW_TO_LOG = (
    'To see more: logging.getLogger("urllib3").setLevel("DEBUG") where the program sets up its '
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
    has_responses = ledger.responses > 0
    hosts = [
        report_of(host, has_responses=has_responses) for host in ledger.hosts if _is_shown(host)
    ]
    hosts.sort(key=_most_opened_first)
    first_s, last_s = ledger.first_s, ledger.last_s
    has_times = first_s is not None and last_s is not None
    return Report(
        source="log",
        started_at=_iso(first_s) if first_s is not None and knows_zone else None,
        seconds=max(last_s - first_s, 0.0) if has_times else None,  # type: ignore[operator]
        hosts=tuple(hosts),
        findings=() if has_responses else tuple(_findings(ledger, knows_threads)),
        warnings=(*warnings, *_warnings(ledger, has_responses)),
    )


def _is_shown(host: LogHost) -> bool:
    return bool(host.connects or host.reused or host.discarded)


def _most_opened_first(host: HostReport) -> tuple[int, int, str]:
    return -(host.opened or host.begun or 0), -(host.requests or host.discarded or 0), host.host


def _iso(at_s: float) -> str | None:
    try:
        return datetime.fromtimestamp(at_s, timezone.utc).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):  # a year that no clock has
        return None


# -- A log without any response ------------------------------------------------------------------


def _findings(ledger: LogLedger, knows_threads: bool) -> Iterator[Finding]:
    for host in ledger.hosts:
        if host.discarded:
            yield _full_pool(host, knows_threads)
    if ledger.errors:
        names = ", ".join(f"{times} × {name}" for name, times in ledger.errors.items())
        yield Finding(
            finding="failed-tries",
            host=None,
            facts={"errors": dict(ledger.errors)},
            evidence=f"Tries that failed and were repeated: {names}.",
            cure="Find out why they failed.",
        )


def _full_pool(host: LogHost, knows_threads: bool) -> Finding:
    """What is known from "Connection pool is full" alone."""
    least = None if host.pool_size is None else host.pool_size + 1
    threads = len(host.warned) if knows_threads else None
    said = f'"Connection pool is full": {host.discarded} times.'
    if least is not None:
        said += f" At least {least} connections were in use at once"
        said += f"; {threads} threads are named." if threads is not None else "."
    enough = max(least or 0, threads or 0)
    number = str(enough) if threads is not None else "N"
    at_least = "" if threads is not None else f", N at least {enough}" * bool(enough)
    return Finding(
        finding="full-pool",
        host=host.name,
        facts={
            "discarded": host.discarded,
            "pool_size": host.pool_size,
            "most_at_once_least": least,
            "threads": threads,
        },
        evidence=said,
        cure=f"HTTPAdapter(pool_maxsize={number}) or tuned_session(threads={number}){at_least}.",
    )


# -- What limits the truth of it -----------------------------------------------------------------


def _warnings(ledger: LogLedger, has_responses: bool) -> Iterator[str]:
    if not has_responses:
        yield f"{_missing(ledger)} {HOW_TO_LOG}"
        return
    unanswered = sum(host.connects - host.opened for host in ledger.hosts)
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
    if any(cause in SETS for host in ledger.hosts for cause in host.causes):
        yield CANNOT


def _missing(ledger: LogLedger) -> str:
    if any(host.connects for host in ledger.hosts):
        return (
            "This log has no line of a response: of the connections that were begun, it does not "
            "show how many were opened."
        )
    return (
        "This log has warnings of urllib3's only: how many connections were opened, and why, is "
        "not in it."
    )
