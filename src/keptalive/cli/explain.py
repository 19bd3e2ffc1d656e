"""`keptalive explain`: what a debug log tells of connections."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext, suppress
from typing import Annotated

import typer
from rich.console import Console

from keptalive.analysis.from_log import LogLedger
from keptalive.errors import UsageError
from keptalive.render import report as report_screen
from keptalive.watching import debug_log


def explain(
    log: Annotated[str, typer.Argument(help="A debug log, gzip too; - reads standard input.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON instead.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Read on while it grows; Ctrl-C ends it and tells.")
    ] = False,
) -> None:
    """Tell from a debug log why connections were opened, as far as a log can tell.

    Any logging format will do, of several processes and threads. For certainty, and for what each
    connection cost, run the program under keptalive run.
    """
    report = _explained(log, follow=follow)
    if as_json:
        sys.stdout.write(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    else:
        Console(highlight=False, markup=False).print(report_screen.screen(report))


def _explained(log: str, *, follow: bool) -> dict[str, object]:
    reading = debug_log.read(log, until=(lambda: False) if follow else None)
    ledger = LogLedger()
    with suppress(KeyboardInterrupt) if follow else nullcontext():
        for seen in reading:
            if isinstance(seen.event, debug_log.Discarding):
                ledger.discarding(seen.event.host)
            else:
                ledger.record(seen.event, seen.at_s)
    if not reading.urllib3_lines:
        raise UsageError(
            f"{log} has no line of urllib3's pool log among its {reading.lines}.\n"
            'Next: logging.getLogger("urllib3").setLevel(logging.DEBUG) in the program, or run it '
            "under keptalive run."
        )
    return ledger.report(warnings=_doubts(reading))


def _doubts(reading: debug_log.Reading) -> list[str]:
    doubts = []
    if reading.skipped:
        doubts.append(f"{reading.skipped} lines of urllib3's could not be read.")
    if reading.ended_early:
        doubts.append("The compressed log is damaged, or has no end: the rest is missing.")
    if not reading.tells_threads:
        doubts.append("The log does not tell threads apart: what they did at once may be mixed up.")
    return doubts
