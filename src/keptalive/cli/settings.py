"""What a project has settled for every command: ``[tool.keptalive]`` of its pyproject.toml.

What each key must be stands in a table; anything else gets one line that names it. Light, since
`keptalive run` reads it before the program starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from keptalive.errors import UsageError

FILE = "pyproject.toml"
_TABLE = "[tool.keptalive]"
_LARGEST = 4 * 1024 * 1024  # bytes


class Settings(NamedTuple):
    """What was found; a key that is not there has its default.

    Attributes:
        source: the file, as seen from the working directory; empty if there is none.
        max_opened: numbers of connections by host, "*" for all; None if not limited.
        ignore, forbid: hosts and causes, as written.
        save: `keptalive run` saves each report.
    """

    source: str = ""
    max_opened: Mapping[str, int] | None = None
    ignore: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    save: bool = False

    def of(self, key: str) -> str:
        """How a sentence names one of the keys: ``max_opened in pyproject.toml``."""
        return f"{key} in {self.source}"


def settings(folder: Path | None = None) -> Settings:
    """Those of the nearest pyproject.toml that has such a table: in this folder, or above.

    Args:
        folder: the working directory, unless given.

    Raises:
        UsageError: that file is not TOML, or has a key or a value in the table that is not known.
    """
    try:
        start = (folder or Path.cwd()).absolute()
    except OSError:  # the working directory is gone
        return Settings()
    for parent in (start, *start.parents):
        file = parent / FILE
        source = os.path.relpath(file, start)
        table = _table(file, source)
        if table is not None:
            return Settings(source=source, **_checked(table, source))
    return Settings()


def _table(file: Path, source: str) -> Mapping[str, Any] | None:
    """The table as it stands there; None if there is no such file, or no table in it."""
    try:
        if not file.is_file():
            return None
    except OSError:  # a folder that is not ours to read
        return None
    try:
        content = file.read_bytes()
    except OSError as error:
        raise _unreadable(source, error.strerror) from None
    if b"keptalive" not in content:
        return None
    if len(content) > _LARGEST:  # limits that nobody reads would be none
        raise _unreadable(source, f"it has more than {_LARGEST // 1024**2} MiB")
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table = tomllib.loads(content.decode()).get("tool", {}).get("keptalive")
    except ValueError as error:
        raise _unreadable(source, str(error)[:200]) from None
    except (RecursionError, AttributeError):
        raise _unreadable(source, "it is nested otherwise") from None
    if table is not None and not isinstance(table, Mapping):
        raise UsageError(f"{source}: tool.keptalive must be a table. Next: write {_TABLE}.")
    return table


def _unreadable(source: str, why: str | None) -> UsageError:
    return UsageError(f"{source} cannot be read: {why}. Next: mend it.")


# -- The keys ------------------------------------------------------------------------------------

_NUMBERS = 'a number, 0 or more, or a table such as { "*" = 1, "api.example.com" = 2 }'


def _numbers(value: Any) -> Mapping[str, int]:
    numbers = value if isinstance(value, Mapping) else {"*": value}
    if not numbers or not all(type(one) is int and one >= 0 for one in numbers.values()):
        raise ValueError(_NUMBERS)
    return numbers


def _words(value: Any, *, example: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"a list of words, such as {example}")
    return tuple(value)


def _yes_or_no(value: Any) -> bool:
    if value is not True and value is not False:
        raise ValueError("true or false")
    return value


# Each key, and what makes its value a field of `Settings`, or raises ValueError
KEYS: Mapping[str, Callable[[Any], Any]] = {
    "max_opened": _numbers,
    "ignore": partial(_words, example='["*.example.com"]'),
    "forbid": partial(_words, example='["new-session"]'),
    "save": _yes_or_no,
}


def _checked(table: Mapping[str, Any], source: str) -> dict[str, Any]:
    found = {}
    for key, value in table.items():
        if key not in KEYS:
            raise UsageError(f'{source}: {_TABLE} has an unknown key "{key:.80}". {_meant(key)}')
        try:
            found[key] = KEYS[key](value)
        except ValueError as error:
            raise UsageError(f"{source}: {key} must be {error}.") from None
    return found


def _meant(key: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key[:80], KEYS, n=1)
    return f"Next: is it {near[0]}?" if near else f"Next: use {', '.join(KEYS)}."
