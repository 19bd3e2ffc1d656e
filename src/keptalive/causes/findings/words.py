"""Parts of sentences that several findings share."""

from __future__ import annotations


def times(count: int) -> str:
    """How often, where it is more than once."""
    return f" ({count} times)" if count > 1 else ""
