"""What `--fail-on` says: which measures are guarded, and from where on a time is longer."""

from __future__ import annotations

from collections.abc import Sequence

from keptalive.compare.verdicts import COUNTS, MEASURES, THRESHOLD, TIME, Guard
from keptalive.errors import UsageError

_GROUPS = {"counts": COUNTS, "nothing": (), **{measure: (measure,) for measure in MEASURES}}


def guard_of(values: Sequence[str]) -> Guard:
    """The guard that these options ask for; the default one without any.

    Raises:
        UsageError: a word that there is not, a threshold that is no percentage above 0, or
            "nothing" beside something.
    """
    words = [word.strip() for value in values for word in value.split(",")]
    if not words:
        return Guard()
    if "nothing" in words and len(words) > 1:
        raise UsageError('--fail-on: "nothing" goes alone: it makes a report only.')
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
