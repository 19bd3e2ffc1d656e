"""How many responses come on one connection, from those on which many requests were sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keptalive.probe.advice import announced_max
from keptalive.probe.events import Failure, Role
from keptalive.probe.history import History
from keptalive.probe.idle import Idle
from keptalive.records.connection import CloseReason
from keptalive.records.probe import Certainty

_AS_IDLE = 0.8  # of the idle timeout: who is closed after that was perhaps idle for too long

_TWO = 2
_FEW = 4  # responses: with fewer, a number and an age cannot be told apart
_CLEARLY_FEWER = 0.75
_ALIKE = 0.2
_OLDER = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What is known of the number of requests on a connection.

    Attributes:
        responses: how many came before the server ended it; None if it did not.
        announced: it said so in the last one.
        under_a_request: it closed when the next request came, and not before.
        tried: the most requests that were sent on one connection.
        age_s: it closes connections that are so old, whatever the number of requests.
        is_whole: nothing else ended the longest series.
        others: on further connections: how many responses came, where that was another number.
        ends_with: how the connection was closed then.
    """

    responses: int | None = None
    announced: bool = False
    under_a_request: bool = False
    tried: int = 0
    age_s: float | None = None
    is_whole: bool = True
    others: tuple[int, ...] = ()
    certainty: Certainty = "certain"
    ends_with: str | None = None


def limit_of(all_: Sequence[History], idle: Idle) -> Limit:
    """What these connections show."""
    tried = max((len(one.exchanges) for one in all_), default=0)
    series = [one for one in all_ if one.role is Role.SERIES and one.answers]
    ended = [one for one in series if _was_ended(one, idle)]
    if not ended:
        first = next((one for one in all_ if one.answers), None)
        if first is not None and not series and first.announced:
            return Limit(responses=1, announced=True, tried=tried, ends_with=first.ends_with)
        whole = any(
            len(one.answers) == tried and not one.shows(CloseReason.STRAY_BYTES) for one in series
        )
        return Limit(tried=tried, is_whole=whole)
    if (age_s := _age_s(ended)) is not None:
        return Limit(tried=tried, age_s=age_s, announced=ended[0].announced)
    first = ended[0]
    counts = [len(one.answers) for one in ended]
    first_s = _lasted_s(first)
    others = tuple(sorted({count for count in counts if count != counts[0]}))
    announced = first.announced
    # of an announced one, it is enough that it is no age: the second series went on for longer
    is_no_age = counts[0] < _FEW or any(_lasted_s(one) > _OLDER * first_s for one in series[1:])
    sure = not others and (len(counts) > 1 or (announced and is_no_age) or _is_the_header_s(first))
    return Limit(
        responses=counts[0],
        announced=announced,
        under_a_request=first.failed is not None,
        tried=tried,
        others=others,
        certainty="certain" if sure else "unsure" if others else "likely",
        ends_with=first.ends_with,
    )


def _is_the_header_s(one: History) -> bool:
    """Whether ``Keep-Alive: max=N`` has named the number: N in all, or N more than the first."""
    number = announced_max(one.answers[0].keep_alive)
    return number is not None and len(one.answers) in (number, number + 1)


def _age_s(ended: Sequence[History]) -> float | None:
    """The age at which connections end, if that explains the ends better than a number does.

    The second series is sent at half the pace: by a limit of age, it has half of the responses.
    """
    if len(ended) < _TWO or len(ended[0].answers) < _FEW:
        return None
    first, second = ended[0], ended[1]
    ages = [_lasted_s(one) for one in (first, second)]
    is_half = len(second.answers) <= _CLEARLY_FEWER * len(first.answers)
    is_as_old = abs(ages[0] - ages[1]) <= _ALIKE * max(ages)
    return min(ages) if is_half and is_as_old else None


def _lasted_s(one: History) -> float:
    last = one.end.at_s if one.end is not None else one.exchanges[-1].at_s
    return last - one.opened.at_s


def _was_ended(one: History, idle: Idle) -> bool:
    """Whether the server ended it, for another reason than that it was idle for too long."""
    if one.announced:
        return True
    if one.failed is not None:
        return one.failed.failure in (Failure.CLOSED, Failure.RESET)
    if one.idle_at_end_s is None:
        return False
    return idle.timeout is None or one.idle_at_end_s < _AS_IDLE * idle.timeout.least
