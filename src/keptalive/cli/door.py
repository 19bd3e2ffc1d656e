"""The door: which commands there are, and what becomes of their errors.

An error is one or two lines on standard error, and never a traceback.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress

import typer
from rich.console import Console

from keptalive.cli import bench, compare, explain, run, serve
from keptalive.cli.exit_codes import INTERRUPTED, OUR_FAULT
from keptalive.errors import KeptaliveError
from keptalive.redaction import redact

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Are your HTTP connections kept alive? Measure what reuse is worth.",
)
app.command()(bench.bench)
app.command()(compare.compare)
app.command(context_settings=run.PASSES_ON, epilog=run.EXAMPLES)(run.run)
app.command()(explain.explain)
app.command(epilog=serve.SCENARIO_LIST)(serve.serve)


def main() -> None:
    """Run the command line; every error becomes a line or two and an exit code."""
    sys.exit(run_guarded(lambda: app(standalone_mode=False, prog_name="keptalive")))


def run_guarded(command: Callable[[], object]) -> int:
    """The exit code of this command, its error told on standard error."""
    errors = Console(stderr=True, highlight=False, markup=False)
    try:
        code = command()
    except KeptaliveError as error:
        errors.print(f"keptalive: {redact(str(error))}", style="red", soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        errors.print("keptalive: interrupted.", style="red")
        return INTERRUPTED
    except BrokenPipeError:
        with suppress(OSError):  # whoever read our output has left: nothing more to say
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last door: a traceback helps no user
        return _usage_or_our_fault(error, errors)
    return code if isinstance(code, int) else 0


def _usage_or_our_fault(error: Exception, errors: Console) -> int:
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's usage errors
        if message := redact(error.format_message()):  # none where only the help was wanted
            errors.print(f"keptalive: {message}", style="red", soft_wrap=True)
        return int(error.exit_code)
    if os.environ.get("KEPTALIVE_DEBUG"):
        errors.print(redact(traceback.format_exc()))
    told = f"{type(error).__name__}: {redact(str(error))}"
    errors.print(
        f"keptalive: a fault of keptalive itself: {told}\n"
        "Next: KEPTALIVE_DEBUG=1 shows where; please report it.",
        style="red",
        soft_wrap=True,
    )
    return OUR_FAULT
