"""Counts as a test compares them: those that are not 0."""

from __future__ import annotations

from keptalive.records.counts import HostCounts

COUNTED = ("requests", "connects", "opened", "reopened", "reused", "unanswered", "in_flight")


def counted(counts: HostCounts) -> dict[str, int]:
    """The counts that are not 0; ``errors`` is how many there were, by whatever name."""
    numbers = {name: getattr(counts, name) for name in COUNTED}
    numbers["errors"] = sum(counts.errors.values())
    return {name: number for name, number in numbers.items() if number}
