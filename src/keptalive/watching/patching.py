"""Put functions of ours in the place of others' for a while, and leave everything as it was.

Whoever has wrapped one of ours meanwhile keeps that: it cannot be taken from under them. Ours stays
beneath then, and has to be silent; it goes as soon as it is on top again and we come by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]


class _Replaced(NamedTuple):
    """One place, what is there instead, and how it was."""

    owner: Any
    name: str
    ours: Any
    theirs: Any
    inherited: bool  # an own copy would shadow the base's for good


# What of ours had to stay under a wrapper of somebody else's
_left: dict[tuple[Any, str], list[_Replaced]] = {}


@contextmanager
def replaced(places: Iterable[tuple[Any, str, Wrapper]]) -> Iterator[None]:
    """Wrap what is at each place (its owner, its name) for the length of a `with` block."""
    done: list[_Replaced] = []
    try:
        for owner, name, wrapper in places:
            _clear(owner, name)
            theirs, inherited = getattr(owner, name), name not in vars(owner)
            ours = wrapper(theirs)
            setattr(owner, name, ours)
            done.append(_Replaced(owner, name, ours, theirs, inherited))
        yield
    finally:
        for one in reversed(done):
            _restore(one)


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
