"""`keptalive report`: a result, a report or a comparison as a page to look at, or as a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from keptalive.cli.output import Screen
from keptalive.cli.pictures import Pictures, write
from keptalive.errors import UsageError
from keptalive.records.report import Report
from keptalive.redaction import shown
from keptalive.render.comparison_view import View
from keptalive.results.either import found_in
from keptalive.results.reading import Saved, json_in, no_collecting
from keptalive.results.reports import LARGEST

PAGE = Path("report.html")

FileArgument = Annotated[
    Path,
    typer.Argument(
        help="A result of bench, a report (run --json, watch().report(), explain --json), or a "
        "comparison (compare --json).",
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Where the page goes. [default: report.html]"),
]
HarOption = Annotated[
    Path | None,
    typer.Option("--har", help="Write the requests as HAR 1.2, for a browser's developer tools."),
]
PerfettoOption = Annotated[
    Path | None,
    typer.Option("--perfetto", help="Write a trace for ui.perfetto.dev (extra: trace)."),
]


def report(
    file: FileArgument,
    output: OutputOption = None,
    har: HarOption = None,
    perfetto: PerfettoOption = None,
) -> None:
    """Make one HTML page to look at: the verdict, a timeline of all connections, and the causes.

    The page is one file that needs no network. With --har or --perfetto alone, no page is written.

    For the times of all requests, the program must have run with --timeline: keptalive run --html
    FILE does all of it in one step.

    Exit codes: 0 fine; 2 a file that cannot be read or written, or a report without a timeline for
    --har.
    """
    page = output if output is not None or har or perfetto else PAGE
    found = _read(file)
    wanted = Pictures(html=page, har=har, perfetto=perfetto)
    if not isinstance(found, Report) and (har or perfetto):
        what = "a comparison" if isinstance(found, View) else "a result of keptalive bench"
        raise UsageError(
            f"{file} is {what}: it has no requests for --har or --perfetto. "
            "Next: a report of keptalive run --timeline --json FILE."
        )
    made = found.made if isinstance(found, Saved) else ""
    contents = found.run if isinstance(found, Saved) else found
    for written in write(wanted, contents, made=made):
        Screen().print(f"Wrote {written}", soft_wrap=True)


def _read(file: Path) -> Saved | Report | View:
    with no_collecting():
        plain = json_in(file, largest=LARGEST)
        if not (isinstance(plain, dict) and "compared" in plain):
            return found_in(file, plain)
        try:
            return msgspec.convert(plain.get("view"), View)
        except msgspec.ValidationError as error:
            raise UsageError(
                f"The comparison {file} is damaged: {shown(str(error)).rstrip('.')}. "
                "Next: name a file that keptalive compare --json made."
            ) from None
