"""Where the programs of the servers are on this machine, if they are."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

_FOLDERS_OF_SERVERS = "/usr/sbin:/usr/local/sbin"  # which are not on everybody's PATH


def program(*names: str) -> str | None:
    """The first of these programs that is installed."""
    found = (shutil.which(name) or shutil.which(name, path=_FOLDERS_OF_SERVERS) for name in names)
    return next((path for path in found if path), None)


def missing(*names: str) -> str | None:
    """Why none of these programs can be started."""
    return None if program(*names) else f"{names[0]} is not installed"


def folder_of_modules(candidates: Sequence[str]) -> Path | None:
    """The first of these folders that exists."""
    return next((path for path in map(Path, candidates) if path.is_dir()), None)


def missing_package(name: str) -> str | None:
    """Why this package of Python's cannot be used."""
    there = importlib.util.find_spec(name) is not None
    return None if there else f"{name} is not installed for {sys.executable}"
