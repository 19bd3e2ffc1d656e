"""What belongs to one flow of control: a thread, a greenlet, a task.

A thread's own variables would not do: greenlets share them where gevent or eventlet has not
patched threads, or has patched them after this module was imported. A context variable is local to
each of all three. Its values here are never changed, only replaced, and each call puts back what
it found: a context can be copied at any time (`asyncio.to_thread` does), and its values with it.
"""

from __future__ import annotations

import weakref
from contextvars import ContextVar
from typing import Any

import requests

from keptalive.tuned.places import Place

# Of the request that an adapter is sending: request, verify, cert
SETTINGS: ContextVar[tuple[requests.PreparedRequest | None, Any, Any]] = ContextVar(
    "keptalive.tuned.settings", default=(None, True, None)
)


class Sending:
    """One call of a session's or an adapter's ``send``, and what it has taken so far.

    The call alone refers to it. An exception can strike before a context variable is put back;
    what it refers to has gone all the same.

    Attributes:
        places: those of the connections that it has taken, also of those given back.
        answer: the last response that an adapter handed to the session.
    """

    __slots__ = ("__weakref__", "answer", "places")

    def __init__(self) -> None:
        self.places: list[weakref.ref[Place]] = []
        self.answer: weakref.ref[requests.Response] | None = None

    def give_up(self, since: int = 0) -> None:
        """It has failed: nothing is read from the connections taken since so many."""
        for known in self.places[since:]:
            place = known()
            if place is not None:
                place.give_up()


# The calls in which this flow is, the innermost last: hooks and bodies may send requests too
SENDING: ContextVar[tuple[weakref.ref[Sending], ...]] = ContextVar(
    "keptalive.tuned.sending", default=()
)


def current() -> Sending | None:
    """The innermost call in which this flow is."""
    for known in reversed(SENDING.get()):
        sending = known()
        if sending is not None:
            return sending
    return None


def holds(place: Place) -> None:
    """Note that this flow's request takes this place."""
    sending = current()
    if sending is not None:
        sending.places.append(weakref.ref(place))


def held() -> list[Place]:
    """The places that this flow has taken and not given back, the last one at the end."""
    calls = [sending for known in SENDING.get() if (sending := known()) is not None]
    places = [known() for sending in calls for known in sending.places]
    return [place for place in places if place is not None and not place.is_over()]
