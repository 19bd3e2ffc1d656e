"""Timeouts as requests takes them: one number, a pair (connect, read), or None for no limit."""

from __future__ import annotations

Timeout = float | tuple[float | None, float | None] | None  # seconds


def as_pair(timeout: Timeout) -> tuple[float | None, float | None]:
    """The timeout to connect and the timeout between two bytes, in seconds; None: no limit."""
    return timeout if isinstance(timeout, tuple) else (timeout, timeout)


def longest_wait(timeout: Timeout) -> float | None:
    """The longest time to connect and to get the first byte, in seconds; None: no limit."""
    connect, read = as_pair(timeout)
    return None if connect is None or read is None else connect + read


def is_timeout(value: object) -> bool:
    """Whether a socket accepts this, as one value or a pair: more than 0 seconds, or None."""
    each = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    return all(one is None or is_positive(one) for one in each)


def is_positive(value: object) -> bool:
    """Whether this is a finite number of seconds above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 < value < float("inf")
