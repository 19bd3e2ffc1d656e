"""Headers as requests has them, copied and filled without its checks of each single name.

`requests.structures.CaseInsensitiveDict` keeps names and values in a dict of its own, by the name
in lower case. Its methods go through `collections.abc`, and take ten times as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from requests.structures import CaseInsensitiveDict

Headers = CaseInsensitiveDict[Any]  # of text, or bytes


def _is_known() -> bool:
    """Whether this version of requests has the dict that is used here."""
    headers: Headers = CaseInsensitiveDict({"A": "b", "a": "c"})
    return vars(headers) == {"_store": {"a": ("a", "c")}}


CAN_BE_COPIED = _is_known()


def items_of(headers: Any) -> tuple[tuple[str, Any], ...] | None:
    """The names and values of these headers; None if they are of a class that is not known."""
    if type(headers) is CaseInsensitiveDict:
        return tuple(headers._store.values())  # noqa: SLF001
    return tuple(headers.items()) if type(headers) is dict else None


def copy(headers: Headers) -> Headers:
    """A copy with the same names and values."""
    copied: Headers = CaseInsensitiveDict.__new__(CaseInsensitiveDict)
    copied._store = headers._store.copy()  # noqa: SLF001
    return copied


def filled(fields: Iterable[tuple[str, str]]) -> Headers:
    """Headers with these names and values; of two with the same name, the second one counts."""
    headers: Headers = CaseInsensitiveDict()
    headers._store.update((field[0].lower(), field) for field in fields)  # noqa: SLF001
    return headers
