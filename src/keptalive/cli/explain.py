"""`keptalive explain`: what a debug log shows of connections."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from keptalive.anonymizing.report import anonymized
from keptalive.bounded import refuse_device
from keptalive.cli.live_line import live_line
from keptalive.cli.output import Screen, print_json
from keptalive.logs import explain as explaining
from keptalive.logs.explain import SoFar
from keptalive.quantities import many
from keptalive.records.plain import as_plain, with_texts
from keptalive.redaction import shown
from keptalive.render.report_sentences import About
from keptalive.render.terminal import report as report_screen

HOSTS_SHOWN = 20


def explain(
    logs: Annotated[
        list[str],
        typer.Argument(
            metavar="LOG...",
            help="A debug log, gzip too; - reads standard input. Of a rotated log, all its files: "
            "they are read in the order of their times.",
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON instead.")
    ] = False,
    anonymize: Annotated[
        bool,
        typer.Option("--anonymize", help="Rename hosts and paths in the report."),
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Read on as the log grows, until Ctrl-C.")
    ] = False,
) -> None:
    """Explain from a debug log why connections were opened, as far as a log shows it.

    The log is that of urllib3, or of httpx and httpcore. Any logging format will do, of several
    processes and threads. For certainty, and for what each
    connection cost, run the program under keptalive run.

    With --follow, and while a pipe is read, Ctrl-C stops and prints the report.
    """
    for log in logs:
        with suppress(OSError, ValueError):  # reported where it is opened
            if log != "-":
                refuse_device(Path(log).stat().st_mode, f"The log {log}", "name a debug log")
    with live_line(_counted) as show:
        report = explaining.explained(*logs, show=show, follows=follow)
    if anonymize:
        report = anonymized(report)
    if as_json:
        print_json(as_plain(report))
    else:
        about = About(name=shown("a log" if anonymize else _named(logs)))
        report = with_texts(report, shown)
        Screen().print(report_screen.screen(report, hosts_shown=HOSTS_SHOWN, about=about))


def _named(logs: list[str]) -> str:
    """What to call these, in the title."""
    first = "standard input" if logs[0] == "-" else Path(logs[0]).name
    return first if len(logs) == 1 else f"{first} and {many(len(logs) - 1, 'more log')}"


def _counted(so_far: SoFar) -> Text:
    parts = (
        many(so_far.lines, "line"),
        many(so_far.requests, "request"),
        f"{many(so_far.opened, 'connection')} opened. Ctrl-C prints the report.",
    )
    return Text(", ".join(parts), style="dim", no_wrap=True, overflow="ellipsis")
