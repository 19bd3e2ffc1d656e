"""`keptalive run`: somebody's program, watched; the report when it has ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from keptalive.analysis.reporting import merged
from keptalive.errors import UsageError
from keptalive.render import report as report_screen
from keptalive.results.writing import without_secrets
from keptalive.watching import program as running

EXAMPLES = "keptalive run sync.py --all   keptalive run -m pytest -x   keptalive run gunicorn app"
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
    """
    if json_file is not None:
        with _writing(json_file), json_file.open("a"):
            pass  # found out before the program runs
    ran = running.run(program, module=module, watcher="keptalive.watching.within.begin")
    seen = [one["report"] for one in ran.reports if one["report"] is not None]
    report = merged(seen, source="run")
    report["warnings"] += ran.warnings
    report = without_secrets(report)
    narrator = Console(stderr=True, highlight=False, markup=False)
    narrator.print()
    narrator.print(report_screen.screen(report))
    if json_file is not None:
        with _writing(json_file):
            json_file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    raise typer.Exit(ran.exit_code)


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written: {error.strerror}. Next: --json FILE."
        ) from None
