"""Whether a program prints the same with tuned Sessions as without. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import zip_longest


@dataclass(slots=True)
class _Seen:
    """The outputs of one program in one of the two ways: the first, and which others there were."""

    first: bytes | None = None
    digests: set[bytes] = field(default_factory=set)

    def add(self, output: bytes) -> None:
        if self.first is None:
            self.first = output
        self.digests.add(hashlib.sha256(output).digest())


class Outputs:
    """The outputs of all programs, as they are and with tuned Sessions."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], dict[bool, _Seen]] = {}

    def add(self, scenario: str, program: str, output: bytes, *, tuned: bool) -> None:
        """What this program printed, in one of its runs."""
        ways = self._seen.setdefault((scenario, program), {False: _Seen(), True: _Seen()})
        ways[tuned].add(output)

    def notes(self) -> tuple[str, ...]:
        """A sentence for each program that ran both ways."""
        said = (
            f"{program}: {_compared(ways[False], ways[True])}."
            for (_, program), ways in self._seen.items()
            if ways[False].digests and ways[True].digests
        )
        return tuple(dict.fromkeys(said))


def _compared(plain: _Seen, tuned: _Seen) -> str:
    if plain.digests == tuned.digests and len(plain.digests) == 1:
        return "same output with tuned Sessions"
    if len(plain.digests) > 1:
        return (
            "its output changes from run to run as it is, so it was not compared with that of "
            "tuned Sessions"
        )
    line = _first_difference(plain.first or b"", tuned.first or b"")
    where = f", from line {line} on" if line else " in some runs"
    return f"the output with tuned Sessions is another one{where}. Next: compare them"


def _first_difference(plain: bytes, tuned: bytes) -> int | None:
    lines = zip_longest(plain.splitlines(), tuned.splitlines())
    return next((number for number, pair in enumerate(lines, start=1) if pair[0] != pair[1]), None)
