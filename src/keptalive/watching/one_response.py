"""What is remembered of each response, on the response itself, so that it ends with it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import requests

from keptalive.watching.attempts import ConnectionAttempt
from keptalive.watching.foreign import NAME, attached_to, own

if TYPE_CHECKING:
    from keptalive.records.response import ResponseReport
    from keptalive.watching.api import Watch

mark = object.__setattr__


class Mark(NamedTuple):
    """What hangs on a response of urllib3's, or before urllib3 2 on http.client's within it.

    A plain tuple of these, since a warm request has to make it.

    Attributes:
        attempt: its connection.
        number: how many responses have come on that one, with this.
        idle_s: how long it had been idle before; 0 for the first one seen.
    """

    attempt: ConnectionAttempt
    number: int
    idle_s: float


def marked(response: Any, attempt: ConnectionAttempt) -> None:
    """Mark the first response on this connection; one that has no room for it has none."""
    with suppress(AttributeError, TypeError):
        mark(response, NAME, (attempt, attempt.served, 0.0))


def mark_of(response: Any) -> Mark | None:
    """The mark of a response of requests' or urllib3's; None if it has none."""
    raw = own(response, "raw", response) if isinstance(response, requests.Response) else response
    for one in (raw, own(raw, "_original_response")):
        found = attached_to(one)
        if type(found) is tuple:
            return Mark(*found)
    return None


def report_of(response: Any, watch: Watch, recorder: object) -> ResponseReport:
    """What this watch, with this recorder, knows of a response.

    Raises:
        TypeError: it is no response of requests' or urllib3's.
    """
    from keptalive.causes import one_response

    if not isinstance(response, requests.Response) and not hasattr(response, "headers"):
        name = type(response).__name__
        raise TypeError(f"of() takes a response of requests or urllib3, not {name}")
    found = mark_of(response)
    if found is None:
        return one_response.NOT_SEEN
    attempt, number, idle_s = found
    is_ours = recorder in attempt.recorders
    if number == 1 and attempt.attempted is not None:
        return one_response.opened(watch.record(), attempt.id) if is_ours else one_response.NOT_SEEN
    if attempt.attempted is None:
        return one_response.reused(attempt.host, None, idle_s or None)
    return one_response.reused(attempt.host, number, idle_s)
