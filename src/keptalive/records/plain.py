"""Records as plain data, and back to records with other texts: standard library only.

A watched program's process writes its records, and must not import what it did not import itself.
Reading them, with all types checked, is `msgspec.convert`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

# Most values of a record: they are as they are
_BARE = frozenset({int, float, bool, type(None)})


def as_plain(value: Any) -> Any:
    """The value as dicts, lists, texts and numbers: what JSON has. Names of fields are keys."""
    if type(value) in _BARE or type(value) is str:
        return value
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {one.name: as_plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {key: as_plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(inner) for inner in value]
    return value


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """The same record, or container of records, with every text in it and every key changed."""
    if type(value) in _BARE:
        return value
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return change(value)
    if is_dataclass(value) and not isinstance(value, type):
        named = {one.name: getattr(value, one.name) for one in fields(value) if one.init}
        changed = {
            name: with_texts(inner, change)
            for name, inner in named.items()
            if type(inner) not in _BARE
        }
        return replace(value, **changed)
    if isinstance(value, Mapping):
        return {with_texts(key, change): with_texts(inner, change) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(with_texts(inner, change) for inner in value)
    return value
