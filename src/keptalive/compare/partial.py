"""Whether a report has counted all that its program did. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from keptalive.records.report import Report


def why_partial(reports: Sequence[Report]) -> str | None:
    """Why the counts of a side may be less than all that happened; None if they are all of it."""
    doubts = dict.fromkeys(doubt for one in reports for doubt in one.doubts)
    return next((f"its counts may be too low: {doubt.rstrip('.')}" for doubt in doubts), None)
