"""A cause, or a set of causes that a log leaves open, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from keptalive.causes.catalogue import CATALOGUE
from keptalive.causes.log_sets import SETS
from keptalive.causes.sentences import server

_NONE: Mapping[str, Any] = MappingProxyType({})


def meaning_of(name: str, facts: Mapping[str, Any] = _NONE) -> str:
    """What a report's ``cause`` means; a name that is not known here stands for itself.

    Args:
        name: the cause, or the set.
        facts: the cause's own, where they are known: they may say it more precisely.
    """
    if name in CATALOGUE:
        row = CATALOGUE[name]
        return row.precise(facts) or row.meaning.replace("{server}", server(facts))
    return SETS[name].means if name in SETS else name
