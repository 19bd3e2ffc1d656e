"""Which Python runs a script or a module: keptalive's own, unless there is a sign of another one.

1. An executable script whose first line names the Python of a virtual environment: that one. One
   whose first line names no Python (``uv run --script``) is started as a shell starts it.
2. The activated virtual environment's (VIRTUAL_ENV), as ``python SCRIPT`` would be.
3. If keptalive is installed as a tool of its own, by pipx or uv, it has not what the program
   imports: then the Python of the first line, or the one on the PATH.

A first line such as ``#!/usr/bin/env python3`` stands in many scripts and names none.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from keptalive.errors import UsageError

_RECEIPTS = ("pipx_metadata.json", "uv-receipt.toml")  # in the environment of a tool
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*")
_LONGEST_LINE = 256  # bytes of a first line that Linux reads (binfmt_script)


class Interpreter(NamedTuple):
    """A Python to start.

    Attributes:
        path: its executable; None if the script is to be started as it is.
        said: which one it is and why, for the title of the report; empty for keptalive's own.
    """

    path: str | None
    said: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is the one that keptalive itself runs on."""
        return self.path == sys.executable


def interpreter_for(
    script: Path | None, variables: Mapping[str, str], *, prefix: str = sys.prefix
) -> Interpreter:
    """The Python for a script; for a module, where that is None.

    Args:
        script: a file or a folder.
        variables: of the environment.
        prefix: of keptalive's own environment.
    """
    first = _first_line(script) if script is not None else []
    named = first[0] if first else ""
    if named and not _is_python(first):
        return Interpreter(None)
    environment = _environment_of(named)
    if environment is not None:
        return _of(named, environment, "first line", prefix)
    if active := variables.get("VIRTUAL_ENV"):
        return _active(active, prefix)
    if any(Path(prefix, receipt).is_file() for receipt in _RECEIPTS):
        if named.startswith("/") and "/env" not in named and Path(named).exists():
            return Interpreter(named, f"{named} (first line)")
        if found := shutil.which("python3") or shutil.which("python"):
            return Interpreter(found, f"{found} (PATH)")
    return Interpreter(sys.executable)


def _active(environment: str, prefix: str) -> Interpreter:
    for name in ("python", "python3"):
        path = Path(environment, "bin", name)
        if path.exists():
            return _of(str(path), Path(environment), "VIRTUAL_ENV", prefix)
    return Interpreter(sys.executable, "keptalive's own Python: VIRTUAL_ENV has none")


def _of(path: str, environment: Path, why: str, prefix: str) -> Interpreter:
    if os.path.realpath(environment) == os.path.realpath(prefix):
        return Interpreter(sys.executable)
    return Interpreter(path, f"Python of {_short(environment)} ({why})")


def _short(folder: Path) -> str:
    with suppress(ValueError, OSError):
        return str(folder.absolute().relative_to(Path.cwd()))
    with suppress(ValueError, RuntimeError):
        return f"~/{folder.relative_to(Path.home())}"
    return str(folder)


def _environment_of(python: str) -> Path | None:
    """The virtual environment in which this Python lies, if it is there."""
    path = Path(python)
    home = path.parent.parent
    is_there = path.is_absolute() and path.exists() and (home / "pyvenv.cfg").is_file()
    return home if is_there else None


def _first_line(script: Path) -> list[str]:
    """The words after the #! of an executable file; none if it has no such line."""
    if not script.is_file() or not os.access(script, os.X_OK):
        return []
    try:
        with script.open("rb") as file:
            line = file.readline(_LONGEST_LINE)
    except OSError as error:
        raise UsageError(
            f"{script} cannot be read: {error.strerror}. Next: check its permissions."
        ) from None
    if not line.startswith(b"#!"):
        return []
    return line[2:].decode("utf-8", "replace").split()


def _is_python(words: list[str]) -> bool:
    """Whether this first line starts Python: by its path, or by way of env."""
    if Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return bool(words) and _PYTHON.fullmatch(Path(words[0]).name) is not None
