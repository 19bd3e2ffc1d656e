"""`keptalive run`: somebody's program, watched; the report when it has ended."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from keptalive import interruption
from keptalive.causes.reporting import merged
from keptalive.cli.output import Screen
from keptalive.errors import UsageError
from keptalive.redaction import shown, without_secrets
from keptalive.render.terminal import report as report_screen
from keptalive.run import launch as running
from keptalive.text import as_json, each_text

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
) -> None:
    """Run a program, then tell why each of its connections was opened, at what cost, and the cure.

    It runs as without us: same arguments, streams and exit code. Child processes that are Python
    are watched too. The report goes to standard error, when the program has ended.

    Exit codes: the program's own, whatever becomes of the report; 2 if it cannot be run.
    """
    if json_file is not None:
        _check_writable(json_file)  # found out before the program runs
    with interruption.held():  # signals are for the program, and the report comes in any case
        ran = running.run(program, module=module, watcher="keptalive.run.process_watcher.begin")
        seen = [one["report"] for one in ran.reports if one["report"] is not None]
        report = merged(seen, source="run")
        report["warnings"] += ran.warnings
        _tell(without_secrets(report), json_file)
        raise typer.Exit(ran.exit_code)


def _tell(report: dict[str, Any], json_file: Path | None) -> None:
    """On standard error and in the file, as far as they take it: the program's code is to last."""
    narrator = Screen(stderr=True)
    with suppress(OSError):
        narrator.print()
        narrator.print(report_screen.screen(each_text(report, shown)))
    if json_file is not None:
        try:
            json_file.write_text(as_json(report) + "\n", encoding="utf-8")
        except OSError as error:
            with suppress(OSError):
                narrator.print(f"keptalive: {_unwritable(json_file, error)}", soft_wrap=True)


def _check_writable(file: Path) -> None:
    if str(file) == "-":
        raise UsageError("Standard output is the program's own. Next: --json FILE.")
    try:
        file.open("a").close()
    except OSError as error:
        raise UsageError(_unwritable(file, error)) from None


def _unwritable(file: Path, error: OSError) -> str:
    return f"{file} cannot be written: {error.strerror}. Next: --json FILE."
