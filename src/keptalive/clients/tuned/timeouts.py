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
