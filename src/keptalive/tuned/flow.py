"""State of one flow of control: a thread, a greenlet or an asyncio task.

Thread-local variables are not enough: greenlets share them if gevent or eventlet has not patched
threads, or has patched them after this module was imported. A context variable is local to each of
the three. Its values are never changed here, only replaced, and each call restores the value that
it found: a context can be copied at any time (`asyncio.to_thread` does), together with its values.
"""

from __future__ import annotations

import weakref
from contextvars import ContextVar
from typing import Any

import requests

from keptalive.tuned.slots import Slot

# Of the request that an adapter is sending: request, verify, cert
SETTINGS: ContextVar[tuple[requests.PreparedRequest | None, Any, Any]] = ContextVar(
    "keptalive.tuned.settings", default=(None, True, None)
)

# Of the request that a pool is sending: its method and its urllib3 retries; None: unknown
ATTEMPT: ContextVar[tuple[str | None, Any]] = ContextVar(
    "keptalive.tuned.attempt", default=(None, None)
)


class SendCall:
    """One call of a session's or an adapter's ``send``.

    Only the call itself refers to this object. So it goes away with the call, even if an exception
    comes before the context variable is restored.

    Attributes:
        slots: of the connections that the call has used, released ones too.
        response: the last response that an adapter returned to the session.
    """

    __slots__ = ("__weakref__", "response", "slots")

    def __init__(self) -> None:
        self.slots: list[weakref.ref[Slot]] = []
        self.response: weakref.ref[requests.Response] | None = None

    def abandon(self, first: int = 0) -> None:
        """Free the slots from this index on: the call has failed, nobody reads their responses."""
        for known in self.slots[first:]:
            slot = known()
            if slot is not None:
                slot.abandon()


# The calls that this flow of control is in, the innermost last: hooks and bodies may send requests
SEND_CALLS: ContextVar[tuple[weakref.ref[SendCall], ...]] = ContextVar(
    "keptalive.tuned.send_calls", default=()
)


def current_call() -> SendCall | None:
    """The innermost call that this flow of control is in."""
    for known in reversed(SEND_CALLS.get()):
        call = known()
        if call is not None:
            return call
    return None


def add_slot(slot: Slot) -> None:
    """Note that the current call uses this slot."""
    call = current_call()
    if call is not None:
        call.slots.append(weakref.ref(slot))


def held_slots() -> list[Slot]:
    """The slots that this flow of control uses now, the newest last."""
    calls = [call for known in SEND_CALLS.get() if (call := known()) is not None]
    slots = [known() for call in calls for known in call.slots]
    return [slot for slot in slots if slot is not None and not slot.is_free()]
