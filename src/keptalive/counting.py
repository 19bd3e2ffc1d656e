"""Events in, counts out: the rule by which connections are counted from urllib3's pool log.

Two rules hold here. Each thread is read by itself, since urllib3 logs all lines of one try on one
thread. And an impossible order of the marks that *we* set (a call that ends before it began) is
our own bug and raises, while whatever a peer or urllib3 does is data.

The counting rule: every "Starting" and every "Resetting" line is an attempt to connect; it is an
opened connection once a request line follows on the same thread. ``num_connections`` and the
"Starting" lines alone miss every reopened connection.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from keptalive.records.counts import HostCounts
from keptalive.records.pool_events import (
    Answered,
    CallBegan,
    CallEnded,
    Event,
    Resetting,
    Retrying,
    RetryingStatus,
    Starting,
)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})  # requests.models.REDIRECT_STATI


class _Opening(Enum):
    """The connection attempt that this thread's current try has made, if any."""

    NONE = auto()
    NEW = auto()
    AGAIN = auto()


@dataclass(slots=True)
class _Thread:
    opening: _Opening = _Opening.NONE
    in_call: bool = False
    answered_last: bool = False


class Ledger:
    """Reads events one at a time; ``counts`` is the sum so far."""

    def __init__(self) -> None:
        # Whether a connection came about without a response, a log cannot tell
        self.counts = HostCounts(opened_unanswered=None)
        self._threads: dict[int, _Thread] = {}

    def record(self, event: Event) -> None:
        """Take one event into the counts.

        Raises:
            ValueError: a call ended that had not begun, or began twice: a bug of the caller.
        """
        thread = self._threads.setdefault(event.thread, _Thread())
        match event:
            case Starting():
                self._starting(thread)
            case Resetting():
                self._give_up(thread)
                thread.opening = _Opening.AGAIN
                self._add(connects=1)
            case Retrying():
                self._give_up(thread)
                self._add(unanswered=1)
            case RetryingStatus():
                thread.answered_last = False
            case Answered():
                self._answered(thread, event)
            case CallBegan():
                self._call_began(thread, event)
            case CallEnded():
                self._call_ended(thread, event)

    def _starting(self, thread: _Thread) -> None:
        if thread.opening is _Opening.AGAIN:
            # urllib3 1.x throws a dropped CONNECT tunnel away and makes a new connection object:
            # a "Resetting" line directly followed by a "Starting" one is one attempt.
            return
        self._give_up(thread)
        thread.opening = _Opening.NEW
        self._add(connects=1)

    def _answered(self, thread: _Thread, event: Answered) -> None:
        opened = thread.opening is not _Opening.NONE
        self._add(
            opened=opened,
            reopened=thread.opening is _Opening.AGAIN,
            reused=not opened,
        )
        thread.opening = _Opening.NONE
        # after a redirect requests goes on to another try, within the same call
        thread.answered_last = event.status not in _REDIRECTS

    def _call_began(self, thread: _Thread, event: CallBegan) -> None:
        if thread.in_call:
            raise ValueError(f"a call began within a call: {event}")
        self._give_up(thread)
        thread.in_call = True
        thread.answered_last = False
        self._add(requests=1)

    def _call_ended(self, thread: _Thread, event: CallEnded) -> None:
        if not thread.in_call:
            raise ValueError(f"a call ended that had not begun: {event}")
        # The last try of a failed call has no line of its own; if the last thing seen was a
        # response's head, then the try has been counted and it was the body that failed.
        if event.failed and not thread.answered_last:
            self._add(unanswered=1)
        self._give_up(thread)
        thread.in_call = False

    def _give_up(self, thread: _Thread) -> None:
        """The attempt to connect, if there was one, had no answer."""
        thread.opening = _Opening.NONE
        thread.answered_last = False

    def _add(self, **numbers: int) -> None:
        for name, number in numbers.items():
            setattr(self.counts, name, getattr(self.counts, name) + number)


def count(events: Iterable[Event]) -> HostCounts:
    """The counts that these events amount to."""
    ledger = Ledger()
    for event in events:
        ledger.record(event)
    return ledger.counts
