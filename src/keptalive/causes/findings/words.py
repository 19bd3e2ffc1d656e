"""Parts of sentences that several findings share."""

from __future__ import annotations

from keptalive.causes.sentences import seconds


def times(count: int) -> str:
    """How often, where it is more than once."""
    return f" ({count} times)" if count > 1 else ""


def duration(value_s: float) -> str:
    """A time that may be short: "4.2 ms", "290 ms", "3.8 s"."""
    if round(value_s, 3) >= 1:
        return seconds(value_s)
    return f"{1000 * value_s:.1f} ms" if value_s < 0.01 else f"{1000 * value_s:.0f} ms"
