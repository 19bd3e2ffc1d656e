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

from keptalive.clients.tuned.places import Place

# Of the request that an adapter is sending: request, verify, cert
SETTINGS: ContextVar[tuple[requests.PreparedRequest | None, Any, Any]] = ContextVar(
    "keptalive.tuned.settings", default=(None, True, None)
)

# The places that the requests have taken in which this flow is: its hooks and bodies may send more
# of them. None: in no request
HELD: ContextVar[tuple[weakref.ref[Place], ...] | None] = ContextVar(
    "keptalive.tuned.held", default=None
)

# The last response that was made for a request with hooks
ANSWER: ContextVar[weakref.ref[requests.Response] | None] = ContextVar(
    "keptalive.tuned.answer", default=None
)


def holds(place: Place) -> None:
    """Note that this flow's request has taken this place."""
    HELD.set((*(HELD.get() or ()), weakref.ref(place)))


def held() -> list[Place]:
    """The places that this flow has taken and not given back, the last one at the end."""
    places = [known() for known in HELD.get() or ()]
    return [place for place in places if place is not None and not place.is_over()]
