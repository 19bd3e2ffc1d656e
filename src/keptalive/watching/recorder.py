"""What one watch has seen so far: openings with their evidence, and numbers of each host.

Memory grows with the hosts that are asked and the connections that are opened, never with the
requests on them; beyond `OPENINGS_KEPT` only the numbers go on, and the report says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from keptalive.records.evidence import Ended, Opening, Traffic

OPENINGS_KEPT = 20_000
ADDRESSES_KEPT = 8  # of one host
CREDENTIALS_KEPT = 50


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
    asked_at: str | None
    left_at: str | None
    order: int = 0
    answered: bool = False
    pool_size: int | None = None
    together: int = 0
    seconds: float = 0.0
    discarded: bool = False

    def done(self) -> Opening:
        """As it stands now."""
        values = {name: getattr(self, name) for name in Draft.__slots__ if name != "order"}
        return Opening(**values)


@dataclass(slots=True)
class Numbers:
    """A host's `Traffic` in the making, and what was opened to it.

    Attributes:
        connected: sockets that have connected, whether or not a response came.
        reused: responses on a kept connection.
        other_answers: responses from no socket, as of a recording, or on a connection whose
            opening this watch has not seen.
        repeated: tries that were not the first of their request.
    """

    connected: int = 0
    other_answers: int = 0
    repeated: int = 0
    opened: int = 0
    reopened: int = 0
    reused: int = 0
    longest_survived_s: float = 0.0
    most_served: int = 0
    most_at_once: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    retried: int = 0
    exposed: int = 0
    unverified: int = 0
    sent_on: Counter[tuple[str, str]] = field(default_factory=Counter)
    in_vain: dict[str, tuple[int, float, str]] = field(default_factory=dict)
    seconds_opening: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)

    @property
    def attempts(self) -> int:
        """Tries of requests, whatever came of them."""
        return self.opened + self.reused + self.other_answers + sum(list(self.errors.values()))

    @property
    def requests(self) -> int:
        """Requests of the program's."""
        return self.attempts - self.repeated

    @property
    def opened_unanswered(self) -> int:
        """Connections that were opened and on which no response has come."""
        return max(0, self.connected - self.opened)

    def add_phases(self, seconds: Mapping[str, float]) -> None:
        """Add what opening one connection took, by phase."""
        for phase, took in seconds.items():
            self.phases[phase] = self.phases.get(phase, 0.0) + took

    def add_in_vain(self, tried: Iterable[tuple[str, float, str]]) -> None:
        """Add the addresses that did not answer, what each took, and how it failed."""
        for address, took, error in tried:
            if address in self.in_vain or len(self.in_vain) < ADDRESSES_KEPT:
                count, seconds, _ = self.in_vain.get(address, (0, 0.0, ""))
                self.in_vain[address] = count + 1, seconds + took, error

    def traffic(self) -> Traffic:
        """As it stands now."""
        values = {name: getattr(self, name) for name in Traffic.__slots__}
        copied = {name: dict(values[name]) for name in ("errors", "sent_on", "in_vain")}
        return Traffic(**{**values, **copied})


class Recorder:
    """Gathers what the `Observer` sees, for one watch.

    Attributes:
        on_opening: is called after each connection that was opened, once it has answered.
    """

    def __init__(self) -> None:
        self.on_opening: Callable[[], None] | None = None
        self.drafts: list[Draft] = []
        self.dropped_drafts = 0
        self.numbers: dict[str, Numbers] = {}
        self.warnings: Counter[str] = Counter()
        self.credentials: set[str] = set()  # that were sent; never shown

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

    def hide(self, credentials: Iterable[str]) -> None:
        """Remember these, so that a report hides them; not ever more of a program that rotates."""
        if len(self.credentials) < CREDENTIALS_KEPT:
            self.credentials.update(credentials)

    def warn(self, sentence: str) -> None:
        """Count this sentence among the report's warnings."""
        self.warnings[sentence] += 1
