"""The door: which commands there are, and what becomes of their errors.

An error is one or two lines on standard error, and never a traceback.
"""

from __future__ import annotations

import errno
import importlib.metadata
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from keptalive.cli import bench, compare, explain, output, run, serve
from keptalive.cli.exit_codes import INTERRUPTED, OUR_FAULT, UNWRITABLE
from keptalive.errors import KeptaliveError
from keptalive.redaction import IN_USE, redact

_OF_A_STREAM = (errno.ENOSPC, errno.EIO, errno.EDQUOT)  # what a write of ours may meet


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
    sys.exit(run_guarded(lambda: app(standalone_mode=False, prog_name="keptalive")))


def run_guarded(command: Callable[[], object]) -> int:
    """The exit code of this command, its error told on standard error.

    Whatever is printed meanwhile is made harmless, and the environment's secrets are hidden.
    """
    IN_USE.add_from(os.environ)
    with output.guarded():
        return _guarded(command)


def _guarded(command: Callable[[], object]) -> int:
    try:
        code = command()
        if sys.stdout is not None:
            sys.stdout.flush()  # at the interpreter's end nobody could say what went wrong
    except KeptaliveError as error:
        _tell(redact(str(error)))
        return error.exit_code
    except KeyboardInterrupt:
        _tell("interrupted.")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has left: nothing more to say
        _let_go_of_output()
        return 0
    except Exception as error:  # noqa: BLE001 - the last door: a traceback helps no user
        return _told(error)
    return code if isinstance(code, int) else 0


def _told(error: Exception) -> int:
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's usage errors
        if message := redact(error.format_message()):  # none where only the help was wanted
            _tell(message)
        return int(error.exit_code)
    # a file of ours has a name, and its own sentence where it is written
    if isinstance(error, OSError) and error.errno in _OF_A_STREAM and error.filename is None:
        _let_go_of_output()
        _tell(f"the output cannot be written: {error.strerror}. Next: send it elsewhere.")
        return UNWRITABLE
    if os.environ.get("KEPTALIVE_DEBUG"):
        _tell(redact(traceback.format_exc()))
    _tell(
        f"a fault of keptalive itself: {type(error).__name__}: {redact(str(error))}\n"
        "Next: KEPTALIVE_DEBUG=1 shows where; please report it."
    )
    return OUR_FAULT


def _tell(message: str) -> None:
    errors = output.Screen(stderr=True)
    with suppress(OSError):  # the exit code still says it
        errors.print(f"keptalive: {message}", style="red", soft_wrap=True)


def _let_go_of_output() -> None:
    """What is left to write goes nowhere, and so fails at no later time."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
