"""Reads `--fail-on`: which measures can fail the build, and from which change of a time on."""

from __future__ import annotations

from collections.abc import Sequence

from keptalive.compare.verdicts import COUNTS, MEASURES, THRESHOLD, TIME, Guard
from keptalive.errors import UsageError

_GROUPS = {"counts": COUNTS, "nothing": (), **{measure: (measure,) for measure in MEASURES}}


def guard_of(values: Sequence[str], default: Guard | None = None) -> Guard:
    """The guard for the values of this option.

    Args:
        values: as written.
        default: the guard without any; all measures, unless given.

    Raises:
        UsageError: an unknown word, a threshold that is not a percentage above 0, or "nothing"
            together with another word.
    """
    words = [word.strip() for value in values for word in value.split(",")]
    if not words:
        return default or Guard()
    if "nothing" in words and len(words) > 1:
        raise UsageError(
            '--fail-on: "nothing" cannot be combined with other words: it never fails.'
        )
    measures: set[str] = set()
    threshold = THRESHOLD
    for word in words:
        name, limited, limit = (part.strip() for part in word.partition(":"))
        if name not in _GROUPS or (limited and name != TIME):
            known = ", ".join(_GROUPS)
            raise UsageError(f'--fail-on: "{word}" must be one of {known}, or {TIME}:15%.')
        measures.update(_GROUPS[name])
        if limited:
            threshold = _percentage(limit)
    return Guard(measures=frozenset(measures), threshold=threshold)


def _percentage(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else -1.0
    except ValueError:
        share = -1.0
    if not 0 < share <= 10:
        raise UsageError(
            f'--fail-on: "{TIME}:{text}" must be a percentage above 0, such as {TIME}:15%.'
        )
    return share
