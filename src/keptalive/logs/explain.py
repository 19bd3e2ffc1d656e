"""Explaining a debug log: it is read to its end, and becomes a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from keptalive.causes.findings.environment import http2_finding
from keptalive.errors import UsageError
from keptalive.logs import rotation
from keptalive.logs.accounting import LogLedger
from keptalive.logs.following import followed_pieces
from keptalive.logs.httpcore.accounting import HttpcoreLedger
from keptalive.logs.httpcore.report import with_httpcore
from keptalive.logs.live import live_pieces
from keptalive.logs.messages import is_redacted
from keptalive.logs.reader import Reading, read
from keptalive.logs.report import report
from keptalive.logs.rotation import Turns
from keptalive.quantities import listed
from keptalive.records.report import Report

HOW_TO_LOG = (
    'Next: logging.getLogger("urllib3").setLevel("DEBUG"), of httpx "httpcore", where the program '
    "sets up its logging, or keptalive run PROGRAM."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """How much of a log has been read, and what was in it."""

    lines: int
    requests: int
    opened: int


def explained(
    *logs: str, show: Callable[[SoFar], None] = lambda _: None, follows: bool = False
) -> Report:
    """The report of a log: a path, or "-" for standard input; or of the parts of a rotated one.

    A pipe is read as it comes, until it ends or Ctrl-C is pressed.

    Args:
        logs: where it is; parts in any order.
        show: called now and then while a pipe is open, or a file is followed.
        follows: the file, or the newest of several, is read on as it grows, until Ctrl-C.

    Raises:
        UsageError: it cannot be read, or has nothing of urllib3's or httpx's pools that can be
            read.
    """
    turns = rotation.ordered(logs)
    ledger, httpcore = LogLedger(), HttpcoreLedger()

    def show_so_far() -> None:
        totals = zip(ledger.totals(), httpcore.totals(), strict=True)
        requests, opened = map(sum, totals)
        show(SoFar(lines=reading.lines, requests=requests, opened=opened))

    def pieces(stream: BinaryIO) -> Iterator[bytes]:
        is_newest = len(turns.names) == 1 or stream.name == turns.names[-1]
        return (followed_pieces if follows and is_newest else live_pieces)(stream, show_so_far)

    reading = read(*turns.names, pieces=pieces)
    for seen in reading:
        ledger.record(seen, knows_threads=reading.knows_threads)
        if reading.steps:
            httpcore.record(reading.steps)
    mostly_broken = reading.skipped * 2 > reading.urllib3_lines and not ledger.responses
    of_urllib3 = reading.urllib3_lines and not mostly_broken
    if not of_urllib3 and not reading.httpcore.lines:
        raise UsageError(nothing_in(reading))
    warnings = (*_of_parts(reading, turns), *_warnings(reading, ledger))
    return _report(reading, ledger if of_urllib3 else None, httpcore, warnings)


def _report(
    reading: Reading, ledger: LogLedger | None, httpcore: HttpcoreLedger, warnings: tuple[str, ...]
) -> Report:
    """The report of what was read, of urllib3's lines (if there are any) and of httpcore's."""
    explained = Report(source="log", warnings=warnings)
    if ledger is not None:
        explained = report(
            ledger,
            knows_threads=reading.knows_threads,
            knows_zone=reading.knows_zone,
            warnings=warnings,
        )
        explained = _with_http2(explained, reading)
    if not reading.httpcore.lines:
        return explained
    return with_httpcore(
        explained,
        httpcore,
        knows_zone=reading.httpcore.knows_zone,
        began_late=reading.httpcore.began_late,
    )


def _with_http2(report: Report, reading: Reading) -> Report:
    return (
        replace(report, findings=(*report.findings, http2_finding({}))) if reading.http2 else report
    )


def nothing_in(reading: Reading) -> str:
    """Why there is nothing to explain, and what to do."""
    if reading.parts > 1:
        return (
            f"None of these {reading.parts} logs has a line of urllib3's or httpcore's that can be "
            f"read (lines: {reading.lines}).\n{HOW_TO_LOG}"
        )
    if not reading.bytes and not reading.ended_early:
        return f"{reading.name} is empty.\n{HOW_TO_LOG}"
    if reading.ended_early and not reading.lines:
        return f"{reading.name} is a damaged gzip file.\nNext: name one that gzip -t finds whole."
    if reading.binary:
        return f"{reading.name} is no log but a binary file.\nNext: name a debug log, text or gzip."
    if reading.urllib3_lines:
        return (
            f"No response could be read in {reading.name}: {reading.skipped} of "
            f"{reading.urllib3_lines} lines of urllib3's are broken.\nNext: log whole lines of "
            "plain text, or JSON as json.dumps makes it; or keptalive run PROGRAM."
        )
    return (
        f"{reading.name} has no line of urllib3's or httpcore's among its {reading.lines}.\n"
        f"{HOW_TO_LOG}"
    )


def _of_parts(reading: Reading, turns: Turns) -> Iterator[str]:
    """What is to be said of several logs."""
    if turns.as_given:
        yield (
            "Not all of these logs have times, so they were read in the order given: "
            f"{listed(turns.names)}."
        )
    for first, second in reading.overlapping:
        yield (
            f"{second} begins before {first} ends: they are not parts of one log, and what was "
            "read as one is not certain. Next: explain each alone."
        )


def _warnings(reading: Reading, ledger: LogLedger) -> Iterator[str]:
    if reading.skipped:
        yield f"Lines of urllib3's that could not be read: {reading.skipped}."
    for name in reading.damaged:
        which = "The compressed log" if reading.parts == 1 else name
        yield f"{which} is damaged, or has no end: the rest is missing."
    if reading.newest_first:
        yield "This log has its newest line first: it was read from its end."
    yield from _of_copies(reading, *ledger.totals())
    if any(is_redacted(host.bare) for host in ledger.hosts):
        yield "Names of hosts are removed from this log: one of them may stand for several hosts."


def _of_copies(reading: Reading, requests: int, opened: int) -> Iterator[str]:
    copies = reading.copies
    if copies.removed:
        stands = "Each record stands" if _all_are_copied(reading) else "Records stand"
        up_to = "" if copies.least == copies.most else "up to "
        said = f"{stands} here {up_to}{_times(copies.most)}; counted once."
        if copies.assumed:
            said += (
                " This is an assumption, since neither threads nor milliseconds tell copies from "
                f"equal requests at once: there were {requests} to {requests + copies.responses} "
                f"requests on {opened} to {opened + copies.openings} connections."
            )
        yield said
    elif copies.unclear > 1:
        yield (
            f"Each record stands here {_times(copies.unclear)}, and nothing tells copies from "
            f"equal requests: there were {requests // copies.unclear} to {requests} requests."
        )


def _all_are_copied(reading: Reading) -> bool:
    copies = reading.copies
    left = reading.urllib3_lines - reading.skipped - copies.removed
    return copies.least == copies.most and copies.removed >= left * (copies.least - 1)


def _times(number: int) -> str:
    return "twice" if number == 2 else f"{number} times"
