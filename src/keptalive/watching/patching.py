"""Put functions of ours in the place of others' for a while, and leave everything as it was.

Whoever has wrapped one of ours meanwhile keeps that: it cannot be taken from under them. Ours stays
beneath then, and has to be silent; it goes as soon as it is on top again and we come by. Whoever
puts back what they found before us takes ours away: `Replacements.bypassed` names such places.

In tracebacks our functions have a file name which `warnings` and `logging` pass over when they
look for the line that a ``stacklevel`` means (``warnings._is_internal_frame``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType, MethodType
from typing import Any, NamedTuple

from keptalive.run.inject._keptalive_faults import is_ours

Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]

_MOST_STEPS = 50  # from what is at a place to what it calls in the end


class _Replaced(NamedTuple):
    """One place, what is there instead, and how it was."""

    owner: Any
    name: str
    ours: Any
    theirs: Any
    inherited: bool  # an own copy would shadow the base's for good


class Replacements:
    """What `replaced` has put in place."""

    def __init__(self) -> None:
        self._done: list[_Replaced] = []

    def add(self, owner: Any, name: str, wrapper: Wrapper) -> None:
        """Wrap what is at this place."""
        _clear(owner, name)
        theirs, inherited = getattr(owner, name), name not in vars(owner)
        ours = wrapper(theirs)
        ours.__code__ = _passed_over(ours.__code__)
        setattr(owner, name, ours)
        self._done.append(_Replaced(owner, name, ours, theirs, inherited))

    def restore(self) -> None:
        """Put back what was there, the last one first."""
        while self._done:
            _restore(self._done.pop())

    def bypassed(self) -> list[str]:
        """The places where somebody's patch or mock keeps calls from ours, as ``Owner.name``."""
        return [
            f"{one.owner.__name__.rpartition('.')[2]}.{one.name}"
            for one in self._done
            if not _leads_to(one.ours, vars(one.owner).get(one.name))
        ]


# What of ours had to stay under a wrapper of somebody else's
_left: dict[tuple[Any, str], list[_Replaced]] = {}


@contextmanager
def replaced(places: Iterable[tuple[Any, str, Wrapper]]) -> Iterator[Replacements]:
    """Wrap what is at each place (its owner, its name) for the length of a `with` block."""
    replacements = Replacements()
    try:
        for owner, name, wrapper in places:
            replacements.add(owner, name, wrapper)
        yield replacements
    finally:
        replacements.restore()


@functools.cache
def _passed_over(code: CodeType) -> CodeType:
    """The same code, for once and all: a new one would be compiled and specialised anew."""
    return code.replace(co_filename=f"{code.co_filename}:importlib_bootstrap")


def _leads_to(ours: Any, function: Any) -> bool:
    """Whether this function is ours or seems to call it: by its wrapping, closure or globals."""
    seen: list[Any] = []
    waiting = [function]
    while waiting and len(seen) < _MOST_STEPS:
        one = waiting.pop()
        if one is ours:
            return True
        if not any(one is other for other in seen):
            seen.append(one)
            waiting += _called_by(one)
    return False


def _called_by(function: Any) -> list[Any]:
    """The functions that this one refers to, as far as can be seen without running anybody's code.

    What is called may be a proxy that answers for another object, and fails without it (flask.g).
    So types are compared by identity, and only what is known is asked for more.
    """
    kind = type(function)
    if kind is FunctionType:
        cells = [c.cell_contents for c in function.__closure__ or () if _is_filled(c)]
        names = [function.__globals__.get(name) for name in function.__code__.co_names]
        found = [*cells, *names, *(function.__defaults__ or ()), vars(function).get("__wrapped__")]
    elif kind is functools.partial:
        found = [function.func, *function.args]
    elif kind is MethodType:
        found = [function.__func__]
    else:
        modules = {base.__module__.partition(".")[0] for base in kind.__mro__}
        found = [function.__wrapped__] if "wrapt" in modules else []
        if "unittest" in modules:
            found.append(vars(function).get("_mock_wraps"))
    return [one for one in found if callable(one)]


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty cell raises
    except ValueError as error:
        if not is_ours(error):
            raise
        return False
    return True


def _clear(owner: Any, name: str) -> None:
    """Take away what had to stay here, as far as it is on top again."""
    left = _left.pop((owner, name), [])
    while top := [one for one in left if vars(owner).get(name) is one.ours]:
        _restore(top[0])
        left.remove(top[0])
    if left:
        _left[owner, name] = left


def _restore(one: _Replaced) -> None:
    if vars(one.owner).get(one.name) is not one.ours:
        _left.setdefault((one.owner, one.name), []).append(one)
    elif one.inherited:
        delattr(one.owner, one.name)
    else:
        setattr(one.owner, one.name, one.theirs)
