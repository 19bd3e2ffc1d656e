"""What each key of a plan must be: a table of checks, one for each key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from keptalive.bench.checking import Check, boolean, checked, list_of, number, one_of
from keptalive.bench.gate import Limit
from keptalive.bench.own_strategies import NAMED
from keptalive.bench.plan_headers import checked_headers, checked_token
from keptalive.bench.plan_requests import checked_requests
from keptalive.bench.plan_tuning import checked_pool, checked_retry
from keptalive.bench.pool_sizes import FORMS, LARGEST_POOL, is_pool_size
from keptalive.bench.programs.plan import of_plan
from keptalive.bench.strategies import STRATEGIES
from keptalive.errors import UsageError
from keptalive.link.choice import KINDS
from keptalive.lookalike.behaviour import parse_scenario

LOOKALIKE = "lookalike"
GITHUB = "github"
PROGRAMS = "programs"  # in the place of a target: each sends its requests where it likes
MOST_THREADS = 1000  # a process of Python keeps far fewer busy
AS_IS = "as-is"  # the one scenario of a server that is not ours: whatever it does


def _strategy(value: Any) -> str:
    """Whether it can be imported is not looked at: a result's plan is checked too."""
    is_known = isinstance(value, str) and (value in STRATEGIES or is_pool_size(value))
    if not is_known and not (isinstance(value, str) and NAMED.fullmatch(value)):
        known = ", ".join(f'"{name}"' for name in (*STRATEGIES, *FORMS))
        sizes = f"N from 1 to {LARGEST_POOL}"
        raise ValueError(f'one of {known} ({sizes}), or "package.module:Class" for one of your own')
    return str(value)


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
        raise ValueError("a URL without a user or password in it (see token and headers)")
    if url.query or url.fragment:
        raise ValueError("a base URL, with no ? or # in it")
    return str(value).rstrip("/")


def _reuse(value: Any) -> float:
    """A share from 0 to 1, or with a percent sign from 0 % to 100 %."""
    wanted = 'a share such as 0.95 or "95 %"'
    in_percent = isinstance(value, str) and value.strip().endswith("%")
    try:
        given = float(value.strip()[:-1]) if in_percent else number(0)(value)
    except ValueError:
        raise ValueError(wanted) from None
    share = given / 100 if in_percent else given
    if not 0 <= share <= 1:
        raise ValueError(wanted)
    return float(share)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("the name of a strategy or a program")  # noqa: TRY004
    return value


LIMIT_CHECKS: dict[str, Check] = {
    "scenario": lambda value: value if value == AS_IS else _scenario(value),
    "strategy": _text,
    "max_opened": number(0, whole=True),
    "min_reuse": _reuse,
    "min_speedup": number(0),
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
    "requests": checked_requests,
    "repeats": number(1, whole=True),
    "threads": number(1, whole=True, most=MOST_THREADS),
    "bursts": boolean,
    "strategies": list_of(_strategy, distinct=True),
    "rounds": number(1, whole=True),
    "budget_s": number(0.1),
    "scenarios": list_of(_scenario, distinct=True),
    "rtt_ms": number(0),
    "link": one_of(*KINDS),
    "headers": checked_headers,
    "token": checked_token,
    "auth": one_of("bearer", "basic", "none"),
    "compare": one_of("body", "status"),
    "retry": checked_retry,
    "pool": checked_pool,
    "gate": _gate,
    "program": of_plan,
}
