"""Records that a log has several times, since two handlers wrote each: found, and taken once.

Equal requests in a row look alike. What tells copies from them is that copies come regularly: each
record, whatever it says, stands there as often as those around it, also those that urllib3 would
not write twice: it opens no two connections for one response. Where such an opening is missing, a
great many records that were written in the same millisecond are needed. Whoever removes copies of
which neither a thread nor milliseconds say that they are copies says so (`Copies.assumed`).

Handlers that are added later make more copies, so this goes stretch by stretch. Pure, and bounded:
what is held back until it is decided is some `_LONGEST` runs at most.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from operator import itemgetter

from keptalive.logs.events import Read

ATTEMPTS = frozenset({"starting", "resetting"})
_LONGEST = 32  # runs that are regular without an opening among them
_UNLIKE = 4  # of these, so many say something else: one request again and again is no copy
_ENOUGH = 4  # with one
_MOST_READS = 60  # of a run; divisible by any usual number of copies
# Threads may write others between two copies
_OPEN_RUNS = 32
_OPEN_S = 0.02
_SAME_S = 0.0009  # two handlers write one record within less than a millisecond
_ZONES_S = 900  # times of two zones differ by a multiple of it
_MISSES = 3  # irregular runs in a row: these are no copies any more
_AT_LEAST_UNLIKE = 4 * _OPEN_RUNS  # records that are taken at once, if they are unlike each other


_NUMBER = itemgetter(0)


class _Run:
    """Records that say the same at the same time; ``numbers`` are their places among all."""

    __slots__ = ("first", "is_attempt", "numbers", "reads")

    def __init__(self, first: Read, number: int) -> None:
        self.first = first
        self.reads, self.numbers = [first], [number]
        self.is_attempt = first.what.kind in ATTEMPTS


class Copies:
    """Takes each record once, as far as it is evident that a log has it several times.

    Attributes:
        removed: copies that were left out; ``openings`` and ``responses`` are those of them that
            announce a connection or a response.
        least, most: how many times a record stood there.
        is_fine: times have parts of a second.
        assumed: neither threads nor milliseconds tell some of them from equal requests.
        unclear: as often each record stands there, in a log of which nothing shows whether these
            are copies; 1 if it is no such log.
    """

    def __init__(self) -> None:
        self.removed = self.openings = self.responses = 0
        self.least, self.most = 0, 1
        self.assumed = False
        self.is_fine = False
        self._open: list[_Run] = []
        self._stretch: list[_Run] = []
        self._common = 0  # the greatest common divisor of the lengths of its runs
        self._copies = self._before = 1  # as it is proven to go on, and as it was
        self._misses = 0
        self._number = 0
        self._decided: list[tuple[int, Read]] = []
        self._runs, self._all_common = 0, 0

    @property
    def unclear(self) -> int:
        return self._all_common if self._runs >= _ENOUGH and not self.removed else 1

    @property
    def is_active(self) -> bool:
        """Whether copies go on, as far as has been read."""
        return self._copies > 1

    def once(self, reads: Sequence[Read]) -> list[Read]:
        """Those of the next records that are no copies, and of earlier ones that were held back."""
        one_by_one = self._after_unlike(reads) if len(reads) > _AT_LEAST_UNLIKE else reads
        for read in one_by_one:
            self._take(read)
        return self._in_order()

    def _after_unlike(self, reads: Sequence[Read]) -> Sequence[Read]:
        """Take all but the last of these at once, if no two say the same; what is left to take."""
        said = {read.said for read in reads}
        if len(said) < len(reads) or any(run.first.said in said for run in self._open):
            return reads
        self._close(len(self._open))
        if self._copies > 1 or self._stretch:
            return reads
        unlike = reads[:-_OPEN_RUNS]
        self._decided += [(self._number + number, one) for number, one in enumerate(unlike, 1)]
        self._number += len(unlike)
        self._runs += len(unlike)
        self._all_common = self._before = 1
        return reads[-_OPEN_RUNS:]

    def _in_order(self) -> list[Read]:
        """What has been decided, up to the first record that has not: the log's order stays."""
        undecided = self._stretch or self._open
        end = undecided[0].numbers[0] if undecided else math.inf
        self._decided.sort(key=_NUMBER)
        at = bisect.bisect_left(self._decided, end, key=_NUMBER)
        ready = [read for _, read in self._decided[:at]]
        del self._decided[:at]
        return ready

    def pause(self) -> list[Read]:
        """Nothing more is written for a moment, no copy of a record either: what is decided now."""
        self._close(len(self._open))
        return self._in_order()

    def finish(self) -> list[Read]:
        """The log is over: what was held back."""
        self._close(len(self._open))
        if _is_proof(self._stretch, self.is_fine):
            self._settle(self._common)
        self._give_back()
        self._copies = self._before = 1
        return self._in_order()

    def passed_over(self) -> list[Read]:
        """The next records are not looked at: what was held back."""
        self._all_common = 1
        return self.finish()

    # Runs

    def _take(self, read: Read) -> None:
        self._number += 1
        if read.at_s is not None and read.at_s % 1:
            self.is_fine = True
        for run in reversed(self._open):
            if run.first.said == read.said and self._is_same(run.first, read):
                run.reads.append(read)
                run.numbers.append(self._number)
                if len(run.reads) >= _MOST_READS:
                    self._close(len(self._open))
                return
        self._close(self._over(read))
        self._open.append(_Run(read, self._number))

    def _over(self, read: Read) -> int:
        """How many of the open runs end before this record."""
        at_s = read.at_s
        if at_s is None or not self.is_fine:
            return len(self._open)
        for number, run in enumerate(self._open[-_OPEN_RUNS:]):
            since_s = run.first.at_s
            if since_s is not None and abs(at_s - since_s) <= _OPEN_S:
                return max(0, len(self._open) - _OPEN_RUNS) + number
        return len(self._open)

    def _is_same(self, one: Read, other: Read) -> bool:
        """Whether the two may be one record, written by two handlers."""
        if _layout(one) == _layout(other):
            if (one.origin.who, one.origin.words) != (other.origin.who, other.origin.words):
                return False
            if one.at_s is None or other.at_s is None:
                return one.at_s is other.at_s
            return abs(one.at_s - other.at_s) <= (_SAME_S if self.is_fine else 0)
        if one.at_s is None or other.at_s is None:
            return True
        apart_s = abs(one.at_s - other.at_s)
        within_s = _SAME_S if one.at_s % 1 and other.at_s % 1 else 1
        return apart_s % _ZONES_S <= within_s or -apart_s % _ZONES_S <= within_s

    def _close(self, number: int) -> None:
        closed = self._open[:number]
        del self._open[:number]
        for run in closed:
            self._runs += 1
            self._all_common = math.gcd(self._all_common, len(run.reads))
            if self._copies > 1:
                self._go_on(run)
            else:
                self._judge(run)

    # Stretches

    def _go_on(self, run: _Run) -> None:
        """One more run where copies are proven."""
        length = len(run.reads)
        if run.is_attempt and length != self._copies:  # now they may be others
            self._before, self._copies = self._copies, 1
            self._judge(run)
            return
        self._misses = self._misses + 1 if length % self._copies else 0
        self._emit(run, math.ceil(length / self._copies))
        if self._misses >= _MISSES:
            self._copies = self._before = 1

    def _judge(self, run: _Run) -> None:
        """One more run where it is open whether there are copies."""
        common = math.gcd(self._common, len(run.reads))
        if common < self._common and run.is_attempt and _is_proof(self._stretch, self.is_fine):
            self._settle(self._common)
            common = len(run.reads)
        self._stretch.append(run)
        self._common = common
        if common == 1:
            self._before = 1
            self._give_back()
        elif common == self._before or (
            len(self._stretch) >= _ENOUGH and _is_proof(self._stretch, self.is_fine)
        ):
            self._copies, self._misses = common, 0
            self._settle(common)
        elif len(self._stretch) >= _LONGEST:
            unlike = {one.first.said for one in self._stretch if one.first.at_s is not None}
            if self.is_fine and len(unlike) >= _UNLIKE:
                self._copies, self._misses = common, 0
                self._settle(common)
            self._give_back()

    def _settle(self, copies: int) -> None:
        for run in self._stretch:
            self._emit(run, len(run.reads) // copies)
        self._stretch, self._common = [], 0

    def _give_back(self) -> None:
        """These are no copies."""
        for run in self._stretch:
            self._decided += zip(run.numbers, run.reads, strict=True)
        self._stretch, self._common = [], 0

    def _emit(self, run: _Run, times: int) -> None:
        reads = list(zip(run.numbers, run.reads, strict=True))
        removed = len(reads) - times
        if removed == 0:
            self._decided += reads
            return
        best = max(run.reads, key=_worth)
        alike = [one for one in reads if _layout(one[1]) == _layout(best)]
        self._decided += alike[:times] if len(alike) >= times else reads[:times]
        self.removed += removed
        self.openings += removed * run.is_attempt
        self.responses += removed * (best.what.kind == "answered")
        copies = round(len(reads) / times)
        self.least, self.most = min(self.least or copies, copies), max(self.most, copies)
        if not (best.origin.threaded or (self.is_fine and best.at_s is not None)):
            self.assumed = self.assumed or len({_layout(one) for one in run.reads}) == 1


def _layout(read: Read) -> tuple[bool, int]:
    return read.origin.named, len(read.origin.words)


def _worth(read: Read) -> tuple[bool, bool, bool]:
    """Of two copies, the one that says more is taken."""
    return read.origin.threaded, read.at_s is not None, bool(read.at_s and read.at_s % 1)


def _is_proof(stretch: Sequence[_Run], is_fine: bool) -> bool:
    """Whether runs that are all as regular would not be without copies."""
    attempts = sum(run.is_attempt for run in stretch)
    if 0 < attempts < len(stretch):
        is_long = is_fine and len(stretch) >= 2 * _ENOUGH
        return (
            attempts > 1
            or is_long
            or any(
                one.is_attempt and not then.is_attempt and len(one.reads) == len(then.reads)
                for one, then in itertools.pairwise(stretch)
            )
        )
    if not attempts:
        return False
    later = sum((run.first.what.number or 0) > 1 for run in stretch)  # no pool counts so twice
    return later > 1 or (is_fine and attempts > 2 and stretch[0].first.at_s is not None)
