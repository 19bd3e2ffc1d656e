"""What each key of a plan must be: a table of checks, one for each key.

A check returns the value as the plan keeps it, or raises ValueError with what it must be.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from keptalive.bench.gate import Limit
from keptalive.bench.strategies import NAMED, STRATEGIES
from keptalive.errors import UsageError
from keptalive.lookalike.behaviour import parse_scenario
from keptalive.redaction import redact

LOOKALIKE = "lookalike"
GITHUB = "github"
AS_IS = "as-is"  # the one scenario of a server that is not ours: whatever it does

Check = Callable[[Any], Any]


MOST = 1_000_000  # of anything: seconds, rounds, requests
_QUOTED = 80  # characters of a value that is refused


def _number(least: float, *, whole: bool = False) -> Check:
    kinds = int if whole else (int, float)
    wanted = f"a {'whole ' if whole else ''}number, {least:g} or more"

    def check(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, kinds) or not value >= least:
            raise ValueError(wanted)
        if value > MOST:
            raise ValueError(f"{wanted}, and at most {MOST}")
        return int(value) if whole else float(value)

    return check


def _one_of(*words: str) -> Check:
    def check(value: Any) -> Any:
        if value not in words:
            raise ValueError("one of " + ", ".join(f'"{word}"' for word in words))
        return value

    return check


def _list_of(check_one: Check, *, distinct: bool = False) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, list) or not value:
            raise ValueError("a list with at least one entry")
        checked = tuple(check_one(entry) for entry in value)
        if distinct and len(set(checked)) < len(checked):
            raise ValueError("a list without repetitions")
        return checked

    return check


def _path(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith("/") or set(value) & set(" \r\n#"):
        raise ValueError('paths such as "/user?per_page=1"')
    return value


def _strategy(value: Any) -> str:
    """Whether it can be imported is not looked at: a result's plan is checked too."""
    if not isinstance(value, str) or not (value in STRATEGIES or NAMED.fullmatch(value)):
        known = ", ".join(f'"{name}"' for name in STRATEGIES)
        raise ValueError(f'one of {known}, or "package.module:Class" for one of your own')
    return value


def _scenario(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError('scenarios such as "keep-alive" or "idle-timeout=60"')  # noqa: TRY004
    return str(parse_scenario(value))


def _target(value: Any) -> str:
    if value in (LOOKALIKE, GITHUB):
        return str(value)
    wanted = f'"{LOOKALIKE}", "{GITHUB}", or a URL such as "https://ghe.example.com/api/v3"'
    try:
        url = urlsplit(value if isinstance(value, str) else "")
        port_is_fine = url.port is None or url.port > 0
    except ValueError:
        port_is_fine = False
    if not port_is_fine or url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(wanted)
    if "@" in url.netloc:
        raise ValueError("a URL without a user or password in it (set GITHUB_TOKEN instead)")
    if url.query or url.fragment:
        raise ValueError("a base URL, with no ? or # in it")
    return str(value).rstrip("/")


def _reuse(value: Any) -> float:
    """A share from 0 to 1, or with a percent sign from 0 % to 100 %."""
    wanted = 'a share such as 0.95 or "95 %"'
    in_percent = isinstance(value, str) and value.strip().endswith("%")
    try:
        number = float(value.strip()[:-1]) if in_percent else _number(0)(value)
    except ValueError:
        raise ValueError(wanted) from None
    share = number / 100 if in_percent else number
    if not 0 <= share <= 1:
        raise ValueError(wanted)
    return float(share)


LIMIT_CHECKS: dict[str, Check] = {
    "scenario": lambda value: value if value == AS_IS else _scenario(value),
    "strategy": _strategy,
    "max_opened": _number(0, whole=True),
    "min_reuse": _reuse,
    "min_speedup": _number(0),
}


def _gate(value: Any) -> tuple[Limit, ...]:
    tables = [value] if isinstance(value, dict) else value
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError("a table [gate], or several [[gate]]")
    names = ["gate"] if len(tables) == 1 else [f"gate {n}" for n in range(1, len(tables) + 1)]
    return tuple(map(_limit, tables, names))


def _limit(table: Mapping[str, Any], name: str) -> Limit:
    # where a result gives its plan back, what is not limited stands as null
    given = {key: value for key, value in table.items() if value is not None}
    limit = Limit(**checked(LIMIT_CHECKS, given, name))
    if (limit.max_opened, limit.min_reuse, limit.min_speedup) == (None, None, None):
        raise UsageError(f"{name} limits nothing. Next: max_opened, min_reuse or min_speedup.")
    return limit


CHECKS: dict[str, Check] = {
    "target": _target,
    "requests": _list_of(_path),
    "repeats": _number(1, whole=True),
    "strategies": _list_of(_strategy, distinct=True),
    "rounds": _number(1, whole=True),
    "budget_s": _number(0.1),
    "scenarios": _list_of(_scenario, distinct=True),
    "rtt_ms": _number(0),
    "auth": _one_of("bearer", "basic", "none"),
    "compare": _one_of("body", "status"),
    "gate": _gate,
}


OPTIONS = {"target": "--target", "rounds": "--rounds", "budget_s": "--budget"}


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
            where = f"{source}:" if key == "gate" else f"{source}: {key}:"  # a limit names itself
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
