"""Which lines are of one thread: lanes, and the learning of which words tell them apart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from keptalive.logs.messages import REMEMBERED, What
from keptalive.logs.prefix import Origin, Origins
from keptalive.logs.timestamps import TIME

_SAMPLE = 4096  # lines from which a format is learned


@dataclass(slots=True)
class _Column:
    """How many openings are directly followed by their answer, if this word makes the lanes."""

    explained: int = 0
    pending: dict[tuple[tuple[int, ...], int], str | None] = field(default_factory=dict)

    def observe(self, key: tuple[tuple[int, ...], int], what: What) -> None:
        if what.kind in _OPENINGS:
            self.pending[key] = what.host
        elif what.kind in _ENDS and self.pending:
            opened = self.pending.pop(key, None)
            self.explained += opened is not None and opened == what.host


_OPENINGS = frozenset({"starting", "resetting"})
_ENDS = frozenset({"answered", "old answer", "retrying"})


class _Format:
    """Learns, from the first lines with so many words, which of these are worth a lane.

    A line number, a duration, a counter part an opening from its answer, and so explain less than
    no word at all; nor has a log of one thread anything that is left to explain.
    """

    def __init__(self, words: int) -> None:
        self.learning = True
        self.telling: tuple[int, ...] = ()
        self.sure = False
        self._lines = 0
        self._openings = 0
        self._without = _Column()
        self._columns = [_Column() for _ in range(words)]

    def observe(self, origin: Origin, what: What) -> None:
        self._lines += 1
        self._openings += what.kind in _OPENINGS
        self._without.observe((origin.who, 0), what)
        for column, word in zip(self._columns, origin.words, strict=True):
            column.observe((origin.who, word), what)

    def decide(self) -> bool:
        """Judge the words by what has been seen; whether that has changed anything."""
        before = self.telling
        left = self._openings - self._without.explained
        least = self._without.explained + max(2, math.ceil(left / 2))
        self.telling = tuple(
            place for place, column in enumerate(self._columns) if column.explained >= least
        )
        best = max((self._columns[place].explained for place in self.telling), default=0)
        self.sure = best >= 0.95 * self._openings and best > 0
        if self._lines >= _SAMPLE:
            self.learning = False
            self._columns.clear()
            self._without = _Column()
        return self.telling != before


# A line of urllib3's whose lane is not yet known: its number, its time, its origin, what it says
Found = tuple[int, float | None, Origin, What]


class Lanes:
    """Gives each line its lane."""

    def __init__(self) -> None:
        self.all_told = True
        self._known = Origins(self._wanted)
        self._origins: dict[int, Origin] = {}
        self._numbers: dict[tuple[int, ...], int] = {}
        self._older: dict[tuple[int, ...], int] = {}
        self._formats: dict[int, _Format] = {}
        self._learned = False
        self._next = itertools.count(1)

    def origin(self, prefix: bytes) -> Origin:
        """The origin that this prefix shows."""
        origin = self._origins.get(hash(prefix))
        if origin is None:  # then perhaps for a second time, that of whoever carried the line
            prefix = TIME.sub(b"", prefix)
            origin = self._origins.get(hash(prefix))
        if origin is None:
            if len(self._origins) >= REMEMBERED:
                self._origins.clear()
            origin = self._origins[hash(prefix)] = self._known.of(prefix)
        return origin

    def _wanted(self, words: int) -> Iterable[int]:
        form = self._formats.get(words)
        return range(words) if form is None or form.learning else form.telling

    def _format(self, origin: Origin) -> _Format:
        words = len(origin.words)
        if words not in self._formats:
            self._formats[words], self._learned = _Format(words), False
        return self._formats[words]

    def learn(self, found: list[Found]) -> None:
        """Look at the next lines for what tells them apart, before their lanes are asked for."""
        if self._learned:
            return
        changing = set()
        for _, _, origin, what in found:
            form = self._format(origin)
            if form.learning:
                form.observe(origin, what)
                changing.add(form)
        if sum(form.decide() for form in changing):
            self._origins.clear()
            for _, _, origin, _ in found:
                origin.lane = None
        # until a prefix has another number of words
        self._learned = not any(form.learning for form in self._formats.values())

    def lane(self, origin: Origin) -> int:
        """The number of those whose lines these are."""
        if origin.lane is None:
            form = self._format(origin)
            key = (*origin.who, 0, *(origin.words[place] for place in form.telling))
            origin.lane = self._number(key)
            told = origin.threaded or (form.sure and form.telling != ())
            self.all_told = self.all_told and told
        return origin.lane

    def _number(self, key: tuple[int, ...]) -> int:
        """Who has been seen of late keeps its number, however many come and go meanwhile."""
        number = self._numbers.get(key)
        if number is None:
            number = self._older.pop(key, None) or next(self._next)
            if len(self._numbers) >= REMEMBERED:
                self._numbers, self._older = {}, self._numbers
            self._numbers[key] = number
        return number
