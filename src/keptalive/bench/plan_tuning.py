"""The tables [retry] and [pool] of a plan: settings of the tuned Session, by its own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keptalive.bench.checking import Check, boolean, checked, list_of, number, one_of
from keptalive.bench.plan_requests import METHODS
from keptalive.errors import UsageError

Settings = tuple[tuple[str, Any], ...]  # names and values, in the plan's order

NEVER, LEARN = "never", "learn"


def _max_idle(value: Any) -> float | str | None:
    """Seconds; None for "never"; "learn"."""
    if value == NEVER:
        return None
    if value == LEARN:
        return LEARN
    try:
        return float(number(0.001)(value))
    except ValueError as error:
        raise ValueError(f'{error}, "{LEARN}" or "{NEVER}"') from None


def _status(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 100 <= value <= 599:
        raise ValueError("a list of status codes such as [502, 503]")
    return value


_RETRY: dict[str, Check] = {
    "total": number(0, whole=True),
    "connect": number(0, whole=True),
    "read": number(0, whole=True),
    "status": number(0, whole=True),
    "backoff_factor": number(0),
    "status_forcelist": list_of(_status),
    "allowed_methods": list_of(one_of(*METHODS)),
    "respect_retry_after_header": boolean,
}
_POOL: dict[str, Check] = {
    "threads": number(1, whole=True),
    "hosts": number(1, whole=True),
    "max_idle": _max_idle,
    "max_age": number(0.001),
}


def checked_retry(value: Any) -> Settings:
    """The settings of `SafeRetry` in this table."""
    return _settings(_RETRY, value, "retry")


def checked_pool(value: Any) -> Settings:
    """The settings of `tuned_session` in this table, but for its retries and timeouts."""
    return _settings(_POOL, value, "pool")


def _settings(checks: Mapping[str, Check], value: Any, name: str) -> Settings:
    if not isinstance(value, dict):
        raise UsageError(f"{name} must be a table: [{name}] on a line of its own.")
    return tuple(checked(checks, value, name).items())
