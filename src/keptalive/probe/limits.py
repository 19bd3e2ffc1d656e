"""How many responses come on one connection, from those on which many requests were sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keptalive.probe.events import Failure, Role
from keptalive.probe.history import History
from keptalive.probe.idle import Idle
from keptalive.records.connection import CloseReason
from keptalive.records.probe import Certainty

_AS_IDLE = 0.8  # of the idle timeout: who is closed after that was perhaps idle for too long


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What is known of the number of requests on a connection.

    Attributes:
        responses: how many came before the server ended it; None if it did not.
        announced: it said so in the last one.
        under_a_request: it closed when the next request came, and not before.
        tried: the most requests that were sent on one connection.
        is_whole: nothing else ended the longest series.
        others: on further connections: how many responses came, where that was another number.
        ends_with: how the connection was closed then.
    """

    responses: int | None = None
    announced: bool = False
    under_a_request: bool = False
    tried: int = 0
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
    first = ended[0]
    counts = [len(one.answers) for one in ended]
    others = tuple(sorted({count for count in counts if count != counts[0]}))
    announced = first.announced
    sure = announced or (len(counts) > 1 and not others)
    return Limit(
        responses=counts[0],
        announced=announced,
        under_a_request=first.failed is not None,
        tried=tried,
        others=others,
        certainty="certain" if sure else "unsure" if others else "likely",
        ends_with=first.ends_with,
    )


def _was_ended(one: History, idle: Idle) -> bool:
    """Whether the server ended it, for another reason than that it was idle for too long."""
    if one.announced:
        return True
    if one.failed is not None:
        return one.failed.failure in (Failure.CLOSED, Failure.RESET)
    if one.idle_at_end_s is None:
        return False
    return idle.timeout is None or one.idle_at_end_s < _AS_IDLE * idle.timeout.least
