"""Timeouts as requests takes them: one number for both, a pair, or None for ever."""

from __future__ import annotations

Timeout = float | tuple[float | None, float | None] | None  # seconds


def pair(timeout: Timeout) -> tuple[float | None, float | None]:
    """To connect, and between bytes."""
    return timeout if isinstance(timeout, tuple) else (timeout, timeout)


def longest(timeout: Timeout) -> float | None:
    """How long a request may take to connect and begin its answer; None for ever."""
    connect, read = pair(timeout)
    return None if connect is None or read is None else connect + read


def is_timeout(value: object) -> bool:
    """Whether a socket takes it, alone or as a pair: more than 0 seconds, or None."""
    each = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    return all(one is None or _is_seconds(one) for one in each)


def _is_seconds(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 < value < float("inf")
