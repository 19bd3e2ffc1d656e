"""Explaining a debug log: it is read to its end, and told as a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from keptalive import logs
from keptalive.causes.log_sets import SETS, kind_of, likeliest, members_of
from keptalive.causes.reporting import OWED
from keptalive.errors import UsageError
from keptalive.logs.accounting import LogLedger
from keptalive.logs.live import live_pieces

HOSTS_SHOWN = 20
RANGE = (
    "Perfect reuse is a range where a log leaves open whether a connection was needed: the most "
    "if all were, as by threads that ask at once."
)
_LINE = 72  # of 80 columns, indented by 8
HOW_TO_LOG = (
    'Next: logging.getLogger("urllib3").setLevel("DEBUG") where the program sets up its logging, '
    "or keptalive run PROGRAM."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """How much of a log has been read, and what was in it."""

    lines: int
    requests: int
    opened: int


def explained(log: str, *, tell: Callable[[SoFar], None] = lambda _: None) -> dict[str, Any]:
    """The report of a log: a path, or "-" for standard input.

    A pipe is read as it comes, until it ends or Ctrl-C is pressed.

    Args:
        log: where it is.
        tell: called now and then while a pipe is open.

    Raises:
        UsageError: it cannot be read, or has nothing of urllib3's pools, or no answer is readable.
    """
    ledger = LogLedger()

    def tell_so_far() -> None:
        requests, opened = ledger.totals()
        tell(SoFar(lines=reading.lines, requests=requests, opened=opened))

    reading = logs.read(log, pieces=lambda stream: live_pieces(stream, tell_so_far))
    _record(reading, ledger)
    if not reading.urllib3_lines or (reading.skipped and not ledger.answers):
        raise UsageError(nothing_in(reading))
    return ledger.report(warnings=_doubts(reading))


def _record(reading: logs.Reading, ledger: LogLedger) -> None:
    for event, _, at_s, process, _ in reading:
        if isinstance(event, logs.Discarding):
            ledger.discarding(event.thread, event.host)
        else:
            ledger.record(event, at_s, process=process, told=reading.tells_threads)


def for_screen(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report with fewer words: of a set of causes the likeliest; for `HOSTS_SHOWN` hosts."""
    shown, rest = report["hosts"][:HOSTS_SHOWN], report["hosts"][HOSTS_SHOWN:]
    hosts = [{**host, "causes": [*map(_shortened, host["causes"])]} for host in report["hosts"]]
    opened = sum(host["opened"] for host in rest)
    more = f"{len(rest)} more hosts, {opened} connections opened: --json tells of them."
    warnings = [
        *[more] * bool(rest),
        *[RANGE] * any(map(_is_range, shown)),
        *report["warnings"],
    ]
    return {**report, "hosts": hosts, "warnings": warnings}


def _shortened(cause: Mapping[str, Any]) -> dict[str, Any]:
    kind = kind_of(cause["cause"])
    if kind not in SETS:
        return dict(cause)
    lines = filter(None, [cause["evidence"], likeliest(kind, longest=_LINE)])
    return {**cause, "cause": kind, "evidence": "\n".join(lines)}


def _is_range(host: Mapping[str, Any]) -> bool:
    """Whether perfect reuse depends on which cause of a set it was."""
    owed = sum(c["count"] for c in host["causes"] if c["cause"] in OWED)
    perhaps = sum(c["count"] for c in host["causes"] if {*members_of(c["cause"])} & {*OWED})
    return bool(perhaps > max(owed, 1))


def nothing_in(reading: logs.Reading) -> str:
    """Why there is nothing to explain, and what to do."""
    if not reading.bytes and not reading.ended_early:
        return f"{reading.name} is empty.\n{HOW_TO_LOG}"
    if reading.ended_early and not reading.lines:
        return f"{reading.name} is a damaged gzip file.\nNext: name one that gzip -t finds whole."
    if reading.binary:
        return f"{reading.name} is no log but a binary file.\nNext: name a debug log, text or gzip."
    if reading.urllib3_lines:
        return (
            f"No answer could be read in {reading.name}: {reading.skipped} of "
            f"{reading.urllib3_lines} lines of urllib3's are broken.\nNext: log whole lines of "
            "plain text, or JSON as json.dumps makes it; or keptalive run PROGRAM."
        )
    return (
        f"{reading.name} has no line of urllib3's pool log among its {reading.lines}.\n{HOW_TO_LOG}"
    )


def _doubts(reading: logs.Reading) -> list[str]:
    doubts = []
    if reading.skipped:
        doubts.append(f"Lines of urllib3's that could not be read: {reading.skipped}.")
    if reading.ended_early:
        doubts.append("The compressed log is damaged, or has no end: the rest is missing.")
    return doubts
