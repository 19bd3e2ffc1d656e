"""Whether methods of requests are its own ones: libraries that trace or record replace them."""

from __future__ import annotations

import sys
from types import FunctionType


class Originals:
    """Methods of requests whose work a faster method of ours does.

    Args:
        methods: classes and the names of their methods.
    """

    def __init__(self, *methods: tuple[type, str]) -> None:
        self._methods = tuple(
            (owner, name, method)
            for owner, name in methods
            if (method := vars(owner).get(name)) is not None
        )
        self._were_unchanged = all(
            type(method) is FunctionType
            and method.__globals__ is vars(sys.modules[owner.__module__])
            for owner, _, method in self._methods
        )

    def are_unchanged(self) -> bool:
        """False if one of them was replaced, now or before it was first seen here."""
        if not self._were_unchanged:
            return False
        for owner, name, method in self._methods:  # noqa: SIM110 - half the cost of ``all``
            if getattr(owner, name) is not method:
                return False
        return True
