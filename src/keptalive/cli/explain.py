"""`keptalive explain`: what a debug log tells of connections."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from keptalive import explaining
from keptalive.bounded import refuse_device
from keptalive.cli.output import Screen, print_json
from keptalive.redaction import shown
from keptalive.render import report as report_screen
from keptalive.text import each_text


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
    if log != "-":
        with suppress(OSError, ValueError):  # told of where it is opened
            refuse_device(Path(log).stat().st_mode, f"The log {log}", "name a debug log")
    report = _followed(log) if follow and log != "-" else explaining.explained(log)
    if as_json:
        print_json(report)
    else:
        told = explaining.for_screen(each_text(report, shown))
        Screen().print(report_screen.screen(told))


def _followed(log: str) -> dict[str, Any]:
    narrator = Screen(stderr=True)
    seen = narrator.is_terminal and not narrator.is_dumb_terminal
    with explaining.until_ctrl_c() as until:
        if seen:
            narrator.print(f"Following {log}: Ctrl-C ends it.", style="dim", soft_wrap=True)
        report = explaining.explained(log, until=until)
        if seen:
            narrator.print()  # behind the terminal's ^C
        return report
