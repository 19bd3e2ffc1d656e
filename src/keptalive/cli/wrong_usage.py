"""What is said of wrong usage that typer has found: in one line, with the next step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from keptalive.cli.app import COMMANDS

_TAKES_NO_CODE = "keptalive takes no code. Next: keptalive run python -c '...'."
_COMMAND = re.compile(r"No such command '(?P<name>.*)'", re.DOTALL)


def sentence(error: Any, words: Sequence[str]) -> str:
    """The message of one of click's usage errors; empty where only the help was wanted.

    Args:
        error: of a class of click's, or of typer's copy of it: it is known by what it has.
        words: of the command line.
    """
    message = str(error.format_message())
    command = getattr(getattr(error, "ctx", None), "command_path", None) or _command_in(words)
    if not message or "Next:" in message:
        return message
    if (option := getattr(error, "option_name", None)) and hasattr(error, "possibilities"):
        if (command, option) == ("keptalive run", "-c"):
            return _TAKES_NO_CODE
        return f"No such option: {option}. Next: {_nearest(error)}{command} --help."
    if found := _COMMAND.match(message):
        return f"No such command: {found['name']}. Next: {_meant(found['name'])}keptalive --help."
    return f"{message.rstrip('.')}. Next: {command} --help."


def _command_in(words: Sequence[str]) -> str:
    return f"keptalive {words[0]}" if words and words[0] in COMMANDS else "keptalive"


def _nearest(error: Any) -> str:
    """The options that are most like the one that there is not."""
    params = () if error.ctx is None else error.ctx.command.params
    options = [name for one in params for name in one.opts if name.startswith("--")]
    nearest = get_close_matches(f"--{error.option_name.lstrip('-')}", options, n=2)
    return "".join(f"{name}, or " for name in nearest)


def _meant(name: str) -> str:
    """The command that may have been meant: run, where it is a program's name."""
    if name.endswith(".py") or Path(name).is_file():
        return f"keptalive run {name}, or "
    return "".join(f"keptalive {one}, or " for one in get_close_matches(name, COMMANDS, n=1))
