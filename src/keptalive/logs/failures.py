"""Tries that failed, of one host or of none that is known: what urllib3's "Retrying" lines say."""

from __future__ import annotations

from dataclasses import dataclass, field

from keptalive.counting import count_error
from keptalive.records.pool_events import Retrying

_PATHS_KEPT = 64


@dataclass(slots=True)
class FailedTries:
    """How often, with which errors, and what was requested.

    Attributes:
        errors: by name, as `counting.count_error` counts them.
        paths: what was requested, and how often it failed; only the first ones are kept.
        new: tries that failed on a connection that was opened for them.
        seconds: from these openings to the errors, as far as the log has times.
        last: tries after which no more than one was left.
    """

    errors: dict[str, int] = field(default_factory=dict)
    paths: dict[str, int] = field(default_factory=dict)
    new: int = 0
    seconds: float = 0.0
    last: int = 0

    @property
    def count(self) -> int:
        """All of them."""
        return sum(self.errors.values())

    def add(self, event: Retrying, *, is_new: bool = False, seconds: float = 0.0) -> None:
        """One try failed.

        Args:
            event: what the log says of it.
            is_new: a connection was being opened, or had been opened for it.
            seconds: since that was begun.
        """
        count_error(self.errors, event.error)
        self._count_path(event.path, 1)
        self.new += is_new
        self.seconds += max(seconds, 0.0)
        self.last += event.left == 0

    def absorb(self, other: FailedTries) -> None:
        """Those of the same host that were counted elsewhere; ``other`` is empty then."""
        for error, times in other.errors.items():
            count_error(self.errors, error, times)
        for path, times in other.paths.items():
            self._count_path(path, times)
        self.new += other.new
        self.seconds += other.seconds
        self.last += other.last
        other.errors, other.paths = {}, {}
        other.new, other.seconds, other.last = 0, 0.0, 0

    def _count_path(self, path: str, times: int) -> None:
        if path and (path in self.paths or len(self.paths) < _PATHS_KEPT):
            self.paths[path] = self.paths.get(path, 0) + times
