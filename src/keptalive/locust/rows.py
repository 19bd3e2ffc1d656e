"""The connections of each class of users, as rows of figures: for the console and the web page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keptalive.locust.messages import ClassCounts
from keptalive.locust.tally import percentile_ms
from keptalive.records.counts import perfect_reuse, total

OTHERS = "(others)"  # what no user of ours sends


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One class of users.

    Attributes:
        name: of the class.
        users: how many there have been; None where they are not told apart.
        opened: its connections on which a response came.
        unanswered: those that were connected and never answered.
        enough: how many connections perfect reuse would have opened, each user by itself.
        reused_percent: of its requests, how many went over a kept connection.
        median_ms, p95_ms: what its requests took; None before the first has ended.
    """

    name: str
    users: int | None
    requests: int
    failed: int
    opened: int
    unanswered: int
    enough: int
    reused_percent: float | None
    median_ms: int | None
    p95_ms: int | None

    @property
    def of(self) -> str:
        """The class, as messages name it: empty for what no user of ours sends."""
        return "" if self.name == OTHERS else self.name


def rows(classes: Mapping[str, ClassCounts]) -> list[Row]:
    """A row for each class that has sent something through requests or urllib3."""
    return [_row(name, one) for name, one in classes.items() if one.hosts]


def unwatched(classes: Mapping[str, ClassCounts]) -> list[str]:
    """The classes whose requests Locust has counted, and of which nothing was seen."""
    return [name or OTHERS for name, one in classes.items() if one.times_ms and not one.hosts]


def _row(name: str, one: ClassCounts) -> Row:
    counts = total(one.hosts)
    tries = counts.attempts or 0
    return Row(
        name=name or OTHERS,
        users=one.users if name else None,
        requests=counts.requests or 0,
        failed=one.failed,
        opened=counts.opened or 0,
        unanswered=counts.opened_unanswered or 0,
        enough=perfect_reuse(one.hosts) or 0,
        reused_percent=100 * (counts.reused or 0) / tries if tries else None,
        median_ms=percentile_ms(one.times_ms, 0.5),
        p95_ms=percentile_ms(one.times_ms, 0.95),
    )
