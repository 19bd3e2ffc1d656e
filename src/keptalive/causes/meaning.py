"""A cause, or a set of causes that a log leaves open, in plain words."""

from __future__ import annotations

from keptalive.causes.catalogue import CATALOGUE
from keptalive.causes.log_sets import SETS


def meaning_of(name: str) -> str:
    """What a report's ``cause`` means; a name that is not known here stands for itself."""
    if name in CATALOGUE:
        return CATALOGUE[name].meaning
    return SETS[name].means if name in SETS else name
