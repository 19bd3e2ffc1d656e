"""Checks of values from a TOML file: a table has one for each key.

A check returns the value as it is kept, or raises ValueError with what it must be.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from keptalive.errors import UsageError
from keptalive.redaction import redact

Check = Callable[[Any], Any]


MOST = 1_000_000  # of anything: seconds, rounds, requests
_QUOTED = 80  # characters of a value that is refused


def number(least: float, *, whole: bool = False, most: int = MOST) -> Check:
    """A number from ``least`` to ``most``; a whole one is kept as an int."""
    kinds = int if whole else (int, float)
    wanted = f"a {'whole ' if whole else ''}number, {least:g} or more"

    def check(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, kinds) or not value >= least:
            raise ValueError(wanted)
        if value > most:
            raise ValueError(f"{wanted}, and at most {most}")
        return int(value) if whole else float(value)

    return check


def one_of(*words: str) -> Check:
    """One of these words."""

    def check(value: Any) -> Any:
        if value not in words:
            raise ValueError("one of " + ", ".join(f'"{word}"' for word in words))
        return value

    return check


def boolean(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 - what the plan must have
    return value


def list_of(check_one: Check, *, distinct: bool = False) -> Check:
    """A list that is not empty, each entry checked; kept as a tuple."""

    def check(value: Any) -> Any:
        if not isinstance(value, list) or not value:
            raise ValueError("a list with at least one entry")
        checked = tuple(check_one(entry) for entry in value)
        if distinct and len(set(checked)) < len(checked):
            raise ValueError("a list without repetitions")
        return checked

    return check


# Keys whose checks say themselves where in a table or list the fault is
_NAMED_IN_ERRORS = frozenset({"gate", "requests", "headers", "token", "retry", "pool"})

OPTIONS = {
    "target": "--target",
    "threads": "--threads",
    "rounds": "--rounds",
    "budget_s": "--budget",
    "link": "--link",
}


def checked(
    checks: Mapping[str, Check], values: Mapping[str, Any], source: str | None
) -> dict[str, Any]:
    """The values as their checks return them.

    Raises:
        UsageError: a key without a check, or a refused value; the sentence begins with ``source``,
            or without one with the option of the command that gave the value.
    """
    found = {}
    for key, value in values.items():
        if key not in checks:
            named = _cut(redact(key))
            raise UsageError(f'{source} has an unknown key "{named}". {_known(key, checks)}')
        try:
            found[key] = checks[key](value)
        except ValueError as error:
            # a URL with a password is not quoted: no pattern would hide every one
            shown = "..." if key == "target" and "@" in str(value) else _quoted(value)
            what = f"{OPTIONS[key]} {shown}" if source is None else f"{source}: {key} = {shown}"
            raise UsageError(f"{what} must be {error}.") from None
        except UsageError as error:
            where = f"{source}:" if key in _NAMED_IN_ERRORS else f"{source}: {key}:"
            raise UsageError(f"{where} {error}") from None
    return found


def _quoted(value: Any) -> str:
    try:
        text = redact(repr(value))  # before it is cut: half a secret would not be known
    except (RecursionError, ValueError):  # nested too deeply; a number of too many digits
        return "..."
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."


def _known(key: str, checks: Mapping[str, Check]) -> str:
    # it takes the square of a key's length
    close = difflib.get_close_matches(key[:_QUOTED], checks, n=1)
    return f'Did you mean "{close[0]}"?' if close else "Known are: " + ", ".join(checks) + "."
