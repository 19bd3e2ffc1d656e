"""Parts of sentences that several findings share."""

from __future__ import annotations

from collections.abc import Mapping

from keptalive.causes.sentences import seconds

MOST_PLACES = 3


def times(count: int) -> str:
    """How often, where it is more than once."""
    return f" ({count} times)" if count > 1 else ""


def duration(value_s: float) -> str:
    """A time that may be short: "4.2 ms", "290 ms", "3.8 s"."""
    if round(value_s, 3) >= 1:
        return seconds(value_s)
    return f"{1000 * value_s:.1f} ms" if value_s < 0.01 else f"{1000 * value_s:.0f} ms"


def located(places: Mapping[str, int]) -> str:
    """Where in the program, the most frequent first: "sync.py:31 (12), report.py:9 (1)"."""
    ordered = sorted(places.items(), key=lambda place: -place[1])
    counted = len(places) > 1 and ordered[0][1] > 1
    shown = [f"{place} ({count})" if counted else place for place, count in ordered[:MOST_PLACES]]
    more = len(ordered) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
