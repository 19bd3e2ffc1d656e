"""The options and the help of `keptalive run`; `keptalive.cli.running` does it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keptalive.cli import completion, running

EXAMPLES = """Examples:

- `keptalive run sync.py --all`

- `keptalive run -m pytest -x`

- `keptalive run gunicorn app`

- `keptalive run --max-opened 1 --forbid new-session sync.py`
"""
# What follows the program's name is the program's
PASSES_ON = {"allow_interspersed_args": False}

ProgramArgument = Annotated[
    list[str],
    typer.Argument(help="A script, or any command that starts Python; its arguments."),
]
ModuleOption = Annotated[
    bool, typer.Option("-m", help="The program is the name of a module, as in python -m.")
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Write the report to this file too.")
]
MaxOpenedOption = Annotated[
    list[str] | None,
    typer.Option(
        "--max-opened",
        metavar="N",
        help="Fail if more connections were opened to a host; HOST=N is for one host. Several "
        "with commas, or repeated.",
    ),
]
IgnoreOption = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore", metavar="HOST", help="No limit is for this host; *.HOST is all below it."
    ),
]
ForbidOption = Annotated[
    list[str] | None,
    typer.Option(
        "--forbid",
        metavar="CAUSE",
        autocompletion=completion.causes,
        help="Fail if a connection was opened for this cause, such as new-session.",
    ),
]
TimelineOption = Annotated[
    bool,
    typer.Option("--timeline", help="Record the time of each request too, for the JSON file."),
]
TunedOption = Annotated[
    bool,
    typer.Option(
        "--tuned",
        help="Replace the plain adapters of requests by tuned ones; all else is unchanged.",
    ),
]
SaveOption = Annotated[
    bool, typer.Option("--save", help="Save the report as results/run-TIME.json, for compare.")
]
AnonymizeOption = Annotated[
    bool, typer.Option("--anonymize", help="Rename hosts, files and paths in the report.")
]
HtmlOption = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", help="Write a page with a timeline of all connections too."
    ),
]
HarOption = Annotated[
    Path | None,
    typer.Option("--har", metavar="FILE", help="Write the requests as HAR 1.2 too."),
]
PerfettoOption = Annotated[
    Path | None,
    typer.Option(
        "--perfetto", metavar="FILE", help="Write a trace for ui.perfetto.dev too (extra: trace)."
    ),
]


def run(
    program: ProgramArgument,
    module: ModuleOption = False,
    json_file: JsonOption = None,
    timeline: TimelineOption = False,
    max_opened: MaxOpenedOption = None,
    ignore: IgnoreOption = None,
    forbid: ForbidOption = None,
    save: SaveOption = False,
    anonymize: AnonymizeOption = False,
    tuned: TunedOption = False,
    html: HtmlOption = None,
    har: HarOption = None,
    perfetto: PerfettoOption = None,
) -> None:
    """Run a program, then explain why each connection was opened, its cost and the fix.

    Your program runs unchanged: same arguments, streams and exit code. Child processes that are
    Python are watched too. The report goes to standard error when the program has ended; SIGUSR1 to
    keptalive's own process prints it as it is so far.

    The limits may stand in [tool.keptalive] of pyproject.toml, too: max_opened, ignore, forbid.

    Exit codes: the program's own, whatever becomes of the report. Only where that is 0: 1 if a
    limit is broken, 2 if one could not be judged. 2 if the program cannot be run.
    """
    options = running.Options(
        program=tuple(program),
        module=module,
        json_file=json_file,
        timeline=timeline,
        html=html,
        har=har,
        perfetto=perfetto,
        max_opened=tuple(max_opened or ()),
        ignore=tuple(ignore or ()),
        forbid=tuple(forbid or ()),
        save=save,
        anonymize=anonymize,
        tuned=tuned,
    )
    raise typer.Exit(running.run(options))
