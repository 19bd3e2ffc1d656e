"""Find the command and run it; what it raises becomes a line or two and an exit code.

It imports little: a plain ``run`` and ``--version`` do without typer, which takes longer to import
than a program that uses requests. All other commands, all help and all wrong usage are typer's
(`keptalive.cli.app`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from keptalive import interruption
from keptalive.cli import cleaning, streams
from keptalive.cli.exit_codes import OUR_FAULT, UNWRITABLE
from keptalive.errors import KeptaliveError
from keptalive.interruption import Interrupted
from keptalive.redaction import IN_USE, redact


def main() -> None:
    """Run the command line; every error becomes a line or two and an exit code."""
    streams.forgive()
    try:
        with interruption.allowed():
            code = run_guarded(sys.argv[1:])
    except Interrupted as signalled:  # while an error was shown
        code = interruption.exit_code(signalled.number)
    interruption.settle()
    sys.exit(code)


def run_guarded(words: Sequence[str]) -> int:
    """Run the command that these words give; its errors are shown on standard error.

    Whatever is printed meanwhile is made harmless, and the environment's secrets are hidden. A
    command whose output nobody could read has the code of its verdict, if that is not 0.

    Returns:
        its exit code.
    """
    IN_USE.add_from(os.environ)
    with cleaning.guarded():
        return _guarded(words)


def _command(words: Sequence[str]) -> object:
    if list(words) == ["--version"]:
        from keptalive.version import VERSION

        cleaning.print_line(f"keptalive {VERSION}")
        return 0
    if words[:1] == ["run"]:
        from keptalive.cli import running

        options = running.plain_options(words[1:])
        if options is not None:
            return running.run(options)
    from keptalive.cli.app import app

    try:
        return app(list(words), standalone_mode=False, prog_name="keptalive")
    except SystemExit as ended:  # so typer ends when it has completed a line for a shell
        return ended.code


def _guarded(words: Sequence[str]) -> int:
    try:
        code = _command(words)
    except KeptaliveError as error:
        _show(redact(str(error)))
        return error.exit_code
    except Interrupted as signalled:
        _show(interruption.sentence(signalled.number))
        return interruption.exit_code(signalled.number)
    except Exception as error:  # noqa: BLE001 - a traceback helps no user
        return _shown(error, words)
    if (failure := streams.lost(cleaning.unguarded(sys.stdout))) is not None:
        _show(f"the output cannot be written: {failure.strerror}. Next: send it elsewhere.")
        return code if isinstance(code, int) and code else UNWRITABLE
    return code if isinstance(code, int) else 0


def _shown(error: Exception, words: Sequence[str]) -> int:
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's usage errors
        from keptalive.cli.wrong_usage import sentence

        if message := redact(sentence(error, words)):
            _show(message)
        return int(error.exit_code)
    if os.environ.get("KEPTALIVE_DEBUG"):
        import traceback

        _show(redact(traceback.format_exc()))
    _show(
        f"a fault of keptalive itself: {type(error).__name__}: {redact(str(error))}\n"
        "Next: KEPTALIVE_DEBUG=1 shows where; please report it."
    )
    return OUR_FAULT


def _show(message: str) -> None:
    from keptalive.cli.output import Screen  # rich is imported for colours only

    Screen(stderr=True).print(f"keptalive: {message}", style="red", soft_wrap=True)
