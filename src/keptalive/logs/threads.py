"""Which lines are of one thread, and the learning of which words tell threads apart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from keptalive.logs.messages import REMEMBERED, What
from keptalive.logs.prefix import Origin, Prefixes
from keptalive.logs.time_forms import without_times

_SAMPLE = 4096  # lines from which a format is learned
_ATTEMPTS = frozenset({"starting", "resetting"})
_ENDS = frozenset({"answered", "retrying"})


_Key = tuple[tuple[int, ...], int]  # a thread, as far as it is evident, and a word


@dataclass(slots=True)
class _Column:
    """How many attempts to connect are directly followed by their response, by this word."""

    explained: int = 0
    pending: dict[_Key, str | None] = field(default_factory=dict)

    def attempt(self, key: _Key, host: str | None) -> None:
        self.pending[key] = host

    def end(self, key: _Key, host: str | None) -> None:
        if self.pending:
            attempted = self.pending.pop(key, None)
            self.explained += attempted is not None and attempted == host


class _Format:
    """Learns, from the first lines with so many words, which of these tell threads apart.

    A line number, a duration, a counter part an attempt from its response, and so explain less
    than no word at all; nor has a log of one thread anything that is left to explain.
    """

    def __init__(self, words: int) -> None:
        self.learning = True
        self.parting: tuple[int, ...] = ()  # the places of the words that do
        self.sure = False
        self._lines = 0
        self._attempts = 0
        self._without = _Column()
        self._columns = [_Column() for _ in range(words)]

    def observe(self, origin: Origin, what: What) -> None:
        self._lines += 1
        is_attempt = what.kind in _ATTEMPTS
        self._attempts += is_attempt
        if not is_attempt and what.kind not in _ENDS:
            return
        columns = zip((self._without, *self._columns), (0, *origin.words), strict=True)
        for column, word in columns:
            if is_attempt:
                column.attempt((origin.who, word), what.host)
            else:
                column.end((origin.who, word), what.host)

    def decide(self) -> bool:
        """Judge the words by what has been seen; whether that has changed anything."""
        before = self.parting
        left = self._attempts - self._without.explained
        least = self._without.explained + max(2, math.ceil(left / 2))
        self.parting = tuple(
            place for place, column in enumerate(self._columns) if column.explained >= least
        )
        best = max((self._columns[place].explained for place in self.parting), default=0)
        self.sure = best >= 0.95 * self._attempts and best > 0
        if self._lines >= _SAMPLE:
            self.learning = False
            self._columns.clear()
            self._without = _Column()
        return self.parting != before


class Threads:
    """Gives the lines of each thread a number, as far as threads can be told apart.

    Attributes:
        all_known: every number so far is known to be one thread's.
    """

    def __init__(self) -> None:
        self.all_known = True
        self._prefixes = Prefixes(self._wanted)
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
            prefix = without_times(prefix)
            origin = self._origins.get(hash(prefix))
        if origin is None:
            if len(self._origins) >= REMEMBERED:
                self._origins.clear()
            origin = self._origins[hash(prefix)] = self._prefixes.of(prefix)
        return origin

    def _wanted(self, words: int) -> Iterable[int]:
        form = self._formats.get(words)
        return range(words) if form is None or form.learning else form.parting

    def _format(self, origin: Origin) -> _Format:
        words = len(origin.words)
        if words not in self._formats:
            self._formats[words], self._learned = _Format(words), False
        return self._formats[words]

    def learn(self, lines: Sequence[tuple[Origin, What]]) -> None:
        """Look at the next lines for what tells them apart, before their numbers are asked for."""
        if self._learned:
            return
        changing = set()
        for origin, what in lines:
            form = self._format(origin)
            if form.learning:
                form.observe(origin, what)
                changing.add(form)
        if sum(form.decide() for form in changing):
            self._origins.clear()
            for origin, _ in lines:
                origin.thread = None
        # until a prefix has another number of words
        self._learned = not any(form.learning for form in self._formats.values())

    def is_learned(self, origin: Origin) -> bool:
        """Whether lines like these have all been learned from."""
        form = self._formats.get(len(origin.words))
        return form is not None and not form.learning

    def number(self, origin: Origin) -> int:
        """The number of the thread whose lines these are."""
        if origin.thread is None:
            form = self._format(origin)
            key = (*origin.who, 0, *(origin.words[place] for place in form.parting))
            origin.thread = self._number(key)
            known = origin.threaded or (form.sure and form.parting != ())
            self.all_known = self.all_known and known
        return origin.thread

    def _number(self, key: tuple[int, ...]) -> int:
        """A thread that was seen a short time ago keeps its number, whatever comes meanwhile."""
        number = self._numbers.get(key)
        if number is None:
            number = self._older.pop(key, None) or next(self._next)
            if len(self._numbers) >= REMEMBERED:
                self._numbers, self._older = {}, self._numbers
            self._numbers[key] = number
        return number
