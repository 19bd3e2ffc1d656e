"""Whether functions of other packages are their own: libraries that trace replace some."""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType


class Originals:
    """Functions of another package whose work a faster one of ours does.

    Args:
        functions: a module and the name of its function, or a class and the name of its method.
    """

    def __init__(self, *functions: tuple[type | ModuleType, str]) -> None:
        self._functions = tuple(
            (owner, name, function)
            for owner, name in functions
            if (function := vars(owner).get(name)) is not None
        )
        self._were_unchanged = all(
            type(function) is FunctionType and function.__globals__ is _globals_of(owner)
            for owner, _, function in self._functions
        )

    def are_unchanged(self) -> bool:
        """False if one of them was replaced, now or before it was first seen here."""
        if not self._were_unchanged:
            return False
        for owner, name, function in self._functions:  # noqa: SIM110 - half the cost of ``all``
            if getattr(owner, name) is not function:
                return False
        return True


def _globals_of(owner: type | ModuleType) -> dict[str, object]:
    return vars(owner if isinstance(owner, ModuleType) else sys.modules[owner.__module__])
