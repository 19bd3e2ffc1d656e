"""A plan says what is benchmarked: a small TOML file, checked key by key.

Every key, what it must be and what it means stand in one table; a file that has anything else
gets one line naming it. Without a file the defaults below are the plan.
"""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from keptalive.clients.strategies import STRATEGIES
from keptalive.errors import UsageError
from keptalive.lookalike.behaviour import parse_scenario

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LOOKALIKE = "lookalike"
GITHUB = "github"
DEFAULT_BUDGET_S = 75.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked of whom, how often, and for how long.

    ``rounds`` and ``budget_s`` are None where not set: without both, the run goes on until its
    intervals are narrow or `DEFAULT_BUDGET_S` is used up; ``rounds`` alone is exact.
    """

    target: str = LOOKALIKE
    requests: tuple[str, ...] = (
        "/user",
        "/user/repos?per_page=30",
        "/user/repos?per_page=30&page=2",
        "/user",
    )
    repeats: int = 5
    strategies: tuple[str, ...] = ("fresh", "session", "tuned")
    rounds: int | None = None
    budget_s: float | None = None
    scenarios: tuple[str, ...] = ("keep-alive", "idle-timeout=60")
    rtt_ms: float = 20.0
    auth: str = "bearer"
    compare: str = "body"

    @property
    def targets(self) -> tuple[str, ...]:
        """The request targets of one trial, in order."""
        return self.requests * self.repeats

    def as_dict(self) -> dict[str, Any]:
        """For the result file."""
        return asdict(self)


# -- What each key must be -----------------------------------------------------------------------

Check = Callable[[Any], Any]


def _number(least: float, *, whole: bool = False) -> Check:
    kinds = int if whole else (int, float)
    wanted = f"a {'whole ' if whole else ''}number, {least:g} or more"

    def check(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value < math.inf:
            raise ValueError(wanted)
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


CHECKS: dict[str, Check] = {
    "target": _target,
    "requests": _list_of(_path),
    "repeats": _number(1, whole=True),
    "strategies": _list_of(_one_of(*STRATEGIES), distinct=True),
    "rounds": _number(1, whole=True),
    "budget_s": _number(0.1),
    "scenarios": _list_of(_scenario, distinct=True),
    "rtt_ms": _number(0),
    "auth": _one_of("bearer", "basic", "none"),
    "compare": _one_of("body", "status"),
}


# -- Reading -------------------------------------------------------------------------------------


def read_plan(path: Path) -> Plan:
    """The plan in this TOML file.

    Raises:
        UsageError: it cannot be read, is not TOML, or has a key or value that no plan has.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"There is no plan {path}. Next: name one, or leave it out.") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"The plan {path} cannot be read: {reason}.") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The plan {path} is not TOML: {error}.") from None
    return with_values(Plan(), values, source=f"The plan {path}")


def with_values(plan: Plan, values: Mapping[str, Any], *, source: str) -> Plan:
    """The plan with these values instead of its own, each checked.

    Raises:
        UsageError: a key or a value that no plan has; the sentence begins with ``source``.
    """
    checked = {}
    for key, value in values.items():
        if key not in CHECKS:
            raise UsageError(f'{source} has an unknown key "{key}". {_known(key)}')
        try:
            checked[key] = CHECKS[key](value)
        except ValueError as error:
            # a URL with a password is not quoted: no pattern would hide every one
            shown = "..." if key == "target" and "@" in str(value) else repr(value)
            raise UsageError(f"{source}: {key} = {shown} must be {error}.") from None
        except UsageError as error:
            raise UsageError(f"{source}: {key}: {error}") from None
    return replace(plan, **checked)


def _known(key: str) -> str:
    close = difflib.get_close_matches(key, CHECKS, n=1)
    return f'Did you mean "{close[0]}"?' if close else "Known are: " + ", ".join(CHECKS) + "."
