"""Parts of sentences that several findings share."""

from __future__ import annotations

from collections.abc import Mapping

MOST_PLACES = 3


def times(count: int) -> str:
    """How often, where it is more than once."""
    return f" ({count} times)" if count > 1 else ""


def located(places: Mapping[str, int]) -> str:
    """Where in the program, the most frequent first: "sync.py:31 (12), report.py:9 (1)"."""
    ordered = sorted(places.items(), key=lambda place: -place[1])
    counted = len(places) > 1 and ordered[0][1] > 1
    shown = [f"{place} ({count})" if counted else place for place, count in ordered[:MOST_PLACES]]
    more = len(ordered) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
