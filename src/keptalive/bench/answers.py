"""Answers must be the same whoever asks: else whatever was measured is no result."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from keptalive.bench.strategy import Answer
from keptalive.redaction import redact


class DisagreementError(Exception):
    """Witnesses or answers differ: whatever was measured is no result."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """An answer, as far as another strategy's must be the same."""

    status: int
    size: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.status} with {self.size} bytes"


class Answers:
    """The first answer to each request of a scenario, with which all later ones are compared.

    Threads may share it.

    Args:
        bodies: whether bodies must be the same too, or the status alone.
    """

    def __init__(self, *, bodies: bool) -> None:
        self._bodies = bodies
        self._first: dict[tuple[str, int], tuple[str, Fingerprint]] = {}

    def compare(self, scenario: str, place: int, path: str, label: str, answer: Answer) -> None:
        """Compare this answer to the request at this place with the first one.

        Raises:
            DisagreementError: they differ.
        """
        body = answer.body if self._bodies else b""
        found = Fingerprint(answer.status, len(body), hashlib.sha256(body).digest())
        first_label, first = self._first.setdefault((scenario, place), (label, found))
        if found != first:
            bodies_alone = found.status == first.status
            advice = ' If this body changes by itself: compare = "status" in the plan.'
            raise DisagreementError(
                f"The answers to {redact(path)} differ: {first_label} got {first}, {label} "
                f"{'other bytes: ' if found.size == first.size else ''}{found}."
                f"{advice if bodies_alone else ''}"
            )
