"""The rule by which the lines of urllib3's pool log become connections: events in, outcomes out.

Each thread is read by itself, since urllib3 logs all lines of one try on one thread. "Starting" and
"Resetting" begin an attempt to connect; it is an opened connection once a request line of its host
follows on that thread. ``num_connections`` and the "Starting" lines alone miss every connection
that urllib3 reopens.

Nothing here raises for what a server, or urllib3, does. Only an impossible order of the marks that
`bench` sets itself (a call that ends before it began) is a bug of ours, and raises.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from keptalive.records.counts import HostCounts
from keptalive.records.pool_events import (
    Answered,
    CallBegan,
    CallEnded,
    Event,
    PoolEvent,
    Resetting,
    Retrying,
    RetryingStatus,
    Starting,
)

REDIRECTS = frozenset({301, 302, 303, 307, 308})  # requests.models.REDIRECT_STATI
UNKNOWN = "unknown"  # an error whose name no event has
_MOST_AT_ONCE = 64  # attempts on threads that are not told apart
_MOST_NAMES = 64  # of errors


@dataclass(slots=True, eq=False)
class Attempt:
    """An attempt to connect of which nothing has come yet.

    Attributes:
        began: the line that announced it.
        note: for whoever counts, who may keep something with it.
    """

    began: Starting | Resetting
    note: object = None

    @property
    def reconnects(self) -> bool:
        """Whether urllib3 connects a connection object again ("Resetting")."""
        return isinstance(self.began, Resetting)

    def fits(self, answer: Answered) -> bool:
        """Whether this response may have come on it. A "Resetting" line names no port."""
        began = self.began
        if began.host != answer.host or isinstance(began, Resetting):
            return began.host == answer.host
        return (began.scheme, began.port) == (answer.scheme, answer.port)


@dataclass(frozen=True, slots=True)
class Ended:
    """A request came to its end, with a response or without one.

    Attributes:
        attempt: the attempt to connect that its last try has made; None on a kept connection.
        answered: its last try had a response.
        failed_tries: tries before the last, which urllib3 has repeated.
        is_new: it is a request of its own, not the repetition for which a status has called.
    """

    attempt: Attempt | None
    answered: bool
    failed_tries: int
    is_new: bool


Outcome = Attempt | Ended


@dataclass(slots=True)
class Thread:
    """What one thread is at: the state from which its next line is understood.

    Attributes:
        attempts: to connect, of which nothing has come yet: one at most, unless these are several
            threads that are not told apart.
        failed_tries: of the present request, those that urllib3 repeats.
        repeats: the next response is to a request that has had one, whose status is retried.
        redirected: the last response was a redirect.
        answered: the last line was a response's: then that try cannot fail any more.
    """

    attempts: list[Attempt] = field(default_factory=list)
    failed_tries: int = 0
    repeats: bool = False
    redirected: bool = False
    answered: bool = False

    def take(self, event: PoolEvent, *, is_one: bool = True) -> list[Outcome]:
        """What this line decides: attempts that begin, requests that end.

        Args:
            event: of this thread.
            is_one: this is known to be one thread, and so it begins nothing before the last is
                over.
        """
        match event:
            case Answered():
                return self._answered(event, is_one)
            case Starting() | Resetting():
                return self._begins(event, is_one)
            case Retrying():
                self.failed_tries += 1
                self.answered = False
                if self.attempts:
                    self.attempts.pop()
            case RetryingStatus():
                self.repeats = True
                self.answered = False
        return []

    def _begins(self, event: Starting | Resetting, is_one: bool) -> list[Outcome]:
        last = self.attempts[-1].began if self.attempts else None
        if (
            isinstance(event, Starting)
            and isinstance(last, Resetting)
            and (last.host, "https") == (event.host, event.scheme)
        ):
            # urllib3 1.26 throws a dropped tunnel away and makes a new connection object: both
            # lines are one attempt
            return []
        outcomes: list[Outcome] = []
        if is_one:
            outcomes += self.give_up()
        elif len(self.attempts) >= _MOST_AT_ONCE:
            outcomes.append(self._ended(self.attempts.pop(0), answered=False))
        attempt = Attempt(event)
        self.attempts.append(attempt)
        self.answered = False
        return [*outcomes, attempt]

    def _answered(self, answer: Answered, is_one: bool) -> list[Outcome]:
        taken = next((attempt for attempt in self.attempts if attempt.fits(answer)), None)
        if taken is not None:
            self.attempts.remove(taken)
        outcomes: list[Outcome] = []
        if is_one:  # then any other has failed by now
            outcomes += self.give_up()
        outcomes.append(self._ended(taken, answered=True))
        self.redirected = answer.status in REDIRECTS
        self.answered = True
        return outcomes

    def give_up(self) -> list[Ended]:
        """Nothing came of what this thread was connecting: it does something else now."""
        ended = [self._ended(attempt, answered=False) for attempt in self.attempts]
        self.attempts.clear()
        self.answered = False
        return ended

    def fail(self) -> list[Ended]:
        """The request failed for good, which urllib3 does not log."""
        if self.answered:  # it was the body that failed, of a response that has been counted
            return []
        if not self.attempts:
            return [self._ended(None, answered=False)]
        return self.give_up()

    def _ended(self, attempt: Attempt | None, *, answered: bool) -> Ended:
        ended = Ended(attempt, answered, self.failed_tries, not self.repeats)
        self.failed_tries, self.repeats = 0, False
        return ended


def count_error(errors: dict[str, int], name: str, times: int = 1) -> None:
    """Count an error by its name, which may be empty; a great many names count as unknown."""
    if not name or (name not in errors and len(errors) >= _MOST_NAMES):
        name = UNKNOWN
    errors[name] = errors.get(name, 0) + times


@dataclass(slots=True)
class Tally:
    """What outcomes add up to; `counts` makes the record of it."""

    requests: int = 0
    connects: int = 0
    opened: int = 0
    reopened: int = 0
    reused: int = 0
    unanswered: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Take an outcome into account, but for ``requests``."""
        if isinstance(outcome, Attempt):
            self.connects += 1
            return
        self.unanswered += outcome.failed_tries + (not outcome.answered)
        if outcome.answered and outcome.attempt is not None:
            self.opened += 1
            self.reopened += outcome.attempt.reconnects
        elif outcome.answered:
            self.reused += 1

    def counts(self, *, host: str = "", in_flight: int = 0) -> HostCounts:
        """As the one class that counts; what no pool log tells is None."""
        return HostCounts(
            host=host,
            requests=self.requests,
            connects=self.connects,
            opened=self.opened,
            opened_unanswered=None,
            reopened=self.reopened,
            reused=self.reused,
            unanswered=self.unanswered,
            in_flight=in_flight,
            most_at_once=None,
            errors=dict(self.errors),
            seconds_opening=None,
            seconds_waiting_for_pool=None,
            seconds_lost=None,
        )


def count(events: Iterable[Event]) -> HostCounts:
    """The counts that the events of all threads amount to, whatever host they are of.

    ``requests`` are the calls that were marked; ``errors`` are those of them that failed, by the
    name of their error.

    Raises:
        ValueError: a call ended that had not begun, or began twice: a bug of the caller.
    """
    tally = Tally()
    threads: dict[int, Thread] = {}
    in_call: set[int] = set()
    for event in events:
        thread = threads.setdefault(event.thread, Thread())
        outcomes: list[Outcome] = []
        if isinstance(event, CallBegan):
            if event.thread in in_call:
                raise ValueError(f"a call began within a call: {event}")
            in_call.add(event.thread)
            tally.requests += 1
            outcomes += thread.give_up()
        elif isinstance(event, CallEnded):
            if event.thread not in in_call:
                raise ValueError(f"a call ended that had not begun: {event}")
            in_call.remove(event.thread)
            outcomes += _end_of_call(thread, event, tally)
        else:
            outcomes += thread.take(event)
        for outcome in outcomes:
            tally.add(outcome)
    return tally.counts(in_flight=sum(not threads[number].answered for number in in_call))


def _end_of_call(thread: Thread, event: CallEnded, tally: Tally) -> list[Ended]:
    if not event.failed:
        return thread.give_up()
    count_error(tally.errors, event.error)
    # after a redirect requests goes on to another try, within the same call
    if thread.redirected:
        thread.answered = False
    return thread.fail()
