"""What one watch has seen so far: openings with their evidence, and numbers of each host.

Memory grows with the connections that are opened, never with the requests on them; beyond
`OPENINGS_KEPT` only the numbers go on, and the report says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from keptalive.evidence import Ended, Opening, Traffic

OPENINGS_KEPT = 20_000


@dataclass(slots=True)
class Draft:
    """An `Opening` in the making: what happens to the connection later still belongs to it."""

    host: str
    owner: int
    thread: int
    pool_is_new: bool
    closings: int
    tls: str
    proxy: str | None
    ended: Ended | None
    busy: int
    unread: int
    again: bool
    retry: bool
    redirected: bool
    place: str | None
    answered: bool = False
    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    discarded: bool = False

    def done(self) -> Opening:
        """As it stands now."""
        return Opening(**{name: getattr(self, name) for name in Draft.__slots__})


@dataclass(slots=True)
class Numbers:
    """A host's `Traffic` in the making, and what was opened to it."""

    requests: int = 0
    attempts: int = 0
    opened: int = 0
    reopened: int = 0
    reused: int = 0
    longest_survived_s: float = 0.0
    most_served: int = 0
    seconds_opening: float = 0.0

    def traffic(self) -> Traffic:
        """As it stands now."""
        return Traffic(**{name: getattr(self, name) for name in Traffic.__slots__})


class Recorder:
    """Gathers what the `Observer` sees, for one watch."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.dropped_drafts = 0
        self.numbers: dict[str, Numbers] = {}
        self.warnings: Counter[str] = Counter()
        self.on_opening: Callable[[], None] | None = None

    def of(self, host: str) -> Numbers:
        """The numbers of this host."""
        numbers = self.numbers.get(host)
        if numbers is None:
            numbers = self.numbers.setdefault(host, Numbers())
        return numbers

    def add(self, draft: Draft) -> None:
        """Keep this opening, if there is room."""
        if len(self.drafts) < OPENINGS_KEPT:
            self.drafts.append(draft)
        else:
            self.dropped_drafts += 1

    def warn(self, sentence: str) -> None:
        """Count this sentence among the report's warnings."""
        self.warnings[sentence] += 1
