"""The options and the help of `keptalive run`; `keptalive.cli.running` does it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keptalive.cli import running

EXAMPLES = """Examples:

- `keptalive run sync.py --all`

- `keptalive run -m pytest -x`

- `keptalive run gunicorn app`
"""
# What follows the program's name is the program's
PASSES_ON = {"allow_interspersed_args": False, "ignore_unknown_options": True}


def run(
    program: Annotated[
        list[str],
        typer.Argument(help="A script, or any command that starts Python; its arguments."),
    ],
    module: Annotated[
        bool, typer.Option("-m", help="The program is the name of a module, as in python -m.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report to this file too.")
    ] = None,
    timeline: Annotated[
        bool,
        typer.Option("--timeline", help="Record the time of each request too, for the JSON file."),
    ] = False,
) -> None:
    """Run a program, then explain why each connection was opened, its cost and the fix.

    Your program runs unchanged: same arguments, streams and exit code. Child processes that are
    Python are watched too. The report goes to standard error when the program has ended.

    Exit codes: the program's own, whatever becomes of the report; 2 if it cannot be run.
    """
    options = running.Options(
        program=tuple(program), module=module, json_file=json_file, timeline=timeline
    )
    raise typer.Exit(running.run(options))
