"""The door: which commands there are, and what becomes of their errors.

An error is one or two lines on standard error, and never a traceback.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from keptalive import interruption
from keptalive.cli import bench, compare, explain, output, run, serve, streams
from keptalive.cli.exit_codes import OUR_FAULT, UNWRITABLE
from keptalive.errors import KeptaliveError
from keptalive.interruption import Interrupted
from keptalive.redaction import IN_USE, redact


class _Command(TyperCommand):
    def format_help(self, ctx: Any, formatter: Any) -> None:
        with output.own_colours():
            super().format_help(ctx, formatter)


class _Group(TyperGroup):
    def format_help(self, ctx: Any, formatter: Any) -> None:
        with output.own_colours():
            super().format_help(ctx, formatter)


app = typer.Typer(
    cls=_Group,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Are your HTTP connections kept alive? Measure what reuse is worth.",
)


def _version(*, asked: bool) -> None:
    if asked:
        output.Screen().print(f"keptalive {importlib.metadata.version('keptalive')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            is_eager=True,
            callback=lambda asked: _version(asked=asked),
        ),
    ] = False,
) -> None:
    pass


app.command(cls=_Command)(bench.bench)
app.command(cls=_Command)(compare.compare)
app.command(cls=_Command, context_settings=run.PASSES_ON, epilog=run.EXAMPLES)(run.run)
app.command(cls=_Command)(explain.explain)
app.command(cls=_Command, epilog=serve.SCENARIO_LIST)(serve.serve)


def main() -> None:
    """Run the command line; every error becomes a line or two and an exit code."""
    streams.forgive()
    try:
        with interruption.allowed():
            code = run_guarded(lambda: app(standalone_mode=False, prog_name="keptalive"))
    except Interrupted as signalled:  # while an error was told
        code = interruption.exit_code(signalled.number)
    interruption.settle()
    sys.exit(code)


def run_guarded(command: Callable[[], object]) -> int:
    """The exit code of this command, its error told on standard error.

    Whatever is printed meanwhile is made harmless, and the environment's secrets are hidden. A
    command whose output nobody could read has the code of its verdict, if that is not 0.
    """
    IN_USE.add_from(os.environ)
    with output.guarded():
        return _guarded(command)


def _guarded(command: Callable[[], object]) -> int:
    try:
        code = command()
    except KeptaliveError as error:
        _tell(redact(str(error)))
        return error.exit_code
    except Interrupted as signalled:
        _tell(interruption.sentence(signalled.number))
        return interruption.exit_code(signalled.number)
    except Exception as error:  # noqa: BLE001 - the last door: a traceback helps no user
        return _told(error)
    if (failure := streams.lost(output.unguarded(sys.stdout))) is not None:
        _tell(f"the output cannot be written: {failure.strerror}. Next: send it elsewhere.")
        return code if isinstance(code, int) and code else UNWRITABLE
    return code if isinstance(code, int) else 0


def _told(error: Exception) -> int:
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's usage errors
        if message := redact(error.format_message()):  # none where only the help was wanted
            _tell(message)
        return int(error.exit_code)
    if os.environ.get("KEPTALIVE_DEBUG"):
        _tell(redact(traceback.format_exc()))
    _tell(
        f"a fault of keptalive itself: {type(error).__name__}: {redact(str(error))}\n"
        "Next: KEPTALIVE_DEBUG=1 shows where; please report it."
    )
    return OUR_FAULT


def _tell(message: str) -> None:
    output.Screen(stderr=True).print(f"keptalive: {message}", style="red", soft_wrap=True)
