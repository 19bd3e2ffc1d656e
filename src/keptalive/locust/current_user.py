"""Which Locust user the code that runs now belongs to: each has a greenlet of its own.

A context variable would not do: gevent's greenlets do not take it over from who starts them.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple
from weakref import WeakKeyDictionary

from gevent import Greenlet, getcurrent

FARTHEST = 20  # greenlets between a user's own and one that it has started, at most


class UserId(NamedTuple):
    """One user: the name of its class, and a number that no other user of this process has."""

    name: str
    number: int


_numbers = itertools.count(1)
_users: WeakKeyDictionary[Greenlet, UserId] = WeakKeyDictionary()


def begins(greenlet: Greenlet, name: str) -> None:
    """A user of this class runs in this greenlet."""
    _users[greenlet] = UserId(name, next(_numbers))


def current_user() -> UserId | None:
    """The user whose greenlet this is, or has started this one; None where it is nobody's."""
    greenlet = getcurrent()
    for _ in range(FARTHEST):
        if (user := _users.get(greenlet)) is not None:
            return user
        started_by = getattr(greenlet, "spawning_greenlet", None)  # of gevent's: a weak reference
        greenlet = None if started_by is None else started_by()
        if greenlet is None:
            return None
    return None
