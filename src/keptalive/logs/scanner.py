"""Which lines of a log are urllib3's: whole blocks are searched, and only the hits are read."""

from __future__ import annotations

from keptalive.logs.blocks import Tally
from keptalive.logs.copies import ATTEMPTS, Copies
from keptalive.logs.events import Read, Seen, event_of
from keptalive.logs.headers import Headers
from keptalive.logs.known import KnownLines
from keptalive.logs.lines import Lines
from keptalive.logs.messages import (
    ANSWERS,
    NAME_NEEDLE,
    NAMED,
    NEEDLES,
    RESPONSES,
    SLOTS,
    UNMISTAKABLE,
    hits_in,
    other_hits_in,
)
from keptalive.logs.quoting import BREAK, unquoted
from keptalive.logs.suspicion import Attempted, may_have_copies
from keptalive.logs.threads import Threads
from keptalive.logs.timestamps import Clock
from keptalive.records.pool_events import RetryingStatus

_SMALL_BLOCK = 8192  # of a pipe, as it comes: there a block may end between a line and its time
_UNREAD = RetryingStatus(thread=0)  # stands for an event whose thread has no number yet


class _Others:
    """Goes through the hits in a block that are no responses; ``at`` is the next one's place."""

    def __init__(self, block: bytes) -> None:
        self._hits = iter(other_hits_in(block))
        self._end = len(block) * SLOTS
        self.at, self.slot = divmod(next(self._hits, self._end), SLOTS)

    def skip_to(self, end: int) -> None:
        """What is before this place has been read."""
        while self.at < end:
            self.at, self.slot = divmod(next(self._hits, self._end), SLOTS)


class _Found:
    """What is urllib3's in a block.

    Attributes:
        seen: the events.
        unread: those of them whose thread has no number yet, with their places among all.
        attempts: of those that announce a connection: their place, what they say and their time.
    """

    __slots__ = ("attempts", "seen", "unread")

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.unread: list[tuple[int, Read]] = []
        self.attempts: list[Attempted] = []

    def add(self, one: Read) -> None:
        if one.what.kind in ATTEMPTS:
            self.attempts.append((len(self.seen), one.what, one.at_s))
        self.unread.append((len(self.seen), one))
        self.seen.append((_UNREAD, one.at_s, one.origin))


class Scanner:
    """Finds urllib3's lines in what it is given, and counts them and all others.

    Args:
        tally: the counts.
        threads: tells which lines are of one thread.
        copies: takes records once that a log has several times.
    """

    def __init__(self, tally: Tally, threads: Threads, copies: Copies) -> None:
        self._tally = tally
        self._threads = threads
        self._copies = copies
        self.clock = Clock()
        self._known = KnownLines(self.clock)
        self._lines = Lines(tally, threads, self.clock, self._known)
        self._headers = Headers(threads, self.clock)

    def too_long(self, beginning: bytes) -> None:
        """Count a line of which only the beginning is kept."""
        hits = hits_in(beginning)
        if any(hit % SLOTS < UNMISTAKABLE for hit in hits) or NAMED.search(beginning):
            self._tally.urllib3_lines += 1
            self._tally.skipped += 1

    def seen(self, block: bytes) -> list[Seen]:
        """The events in a block of whole lines."""
        found = self._found(block)
        named = len(found.seen)
        if self._lines.any_unnamed:
            named = sum(origin.named for _, _, origin in found.seen)
        if block.count(NAME_NEEDLE) > named:
            self._count_others(block)
        if self._lines.are_headed or len(block) < _SMALL_BLOCK:
            self._headers.end_of_block(block, found.seen[-1][1] if found.seen else None)
        self._tally.urllib3_lines += len(found.seen)
        self._tally.lines += block.count(b"\n")
        self._copies.is_fine = self._copies.is_fine or self.clock.is_fine
        if len(found.unread) == len(found.seen):
            return self._numbered(self._copies.once([read for _, read in found.unread]))
        return self._numbered(self._copies.passed_over()) + self._all_numbered(found)

    def pause(self) -> list[Seen]:
        """Nothing more comes for a moment: what was held back and is decided now."""
        return self._numbered(self._copies.pause())

    def finish(self) -> list[Seen]:
        """The log is over: events that were held back."""
        return self._numbered(self._copies.finish())

    def _numbered(self, reads: list[Read]) -> list[Seen]:
        if reads:
            self._threads.learn([(read.origin, read.what) for read in reads])
        number = self._threads.number
        return [(event_of(number(one.origin), one.what), one.at_s, one.origin) for one in reads]

    def _all_numbered(self, found: _Found) -> list[Seen]:
        seen = found.seen
        if found.unread:
            self._threads.learn([(read.origin, read.what) for _, read in found.unread])
        for place, read in found.unread:
            event = event_of(self._threads.number(read.origin), read.what)
            seen[place] = event, read.at_s, read.origin
        return seen

    def _found(self, block: bytes) -> _Found:
        """What is urllib3's; line by line, where there may be copies among it."""
        if self._copies.is_active:
            return self._line_by_line(block)
        urllib3_lines, skipped = self._tally.urllib3_lines, self._tally.skipped
        found = self._mostly_known(block)
        if len(found.unread) < len(found.seen) and may_have_copies(found.seen, found.attempts):
            self._tally.urllib3_lines, self._tally.skipped = urllib3_lines, skipped
            found = self._line_by_line(block)
        return found

    def _mostly_known(self, block: bytes) -> _Found:
        found = _Found()
        others = _Others(block)
        responses, done = RESPONSES.finditer(block), 0
        take, seen = self._known.take, found.seen
        while (response := take(block, responses, others.at, seen)) is not None:
            at = response.start()
            was_next = at < others.at
            while others.at < at:
                done = self._other_line(block, others, found)
            if at < done:  # in a line that has been read
                continue
            if was_next or take(block, iter((response,)), others.at, seen) is not None:
                done = self._any_line(block, at, ANSWERS, others, found)
        while others.at < len(block):
            self._other_line(block, others, found)
        return found

    def _line_by_line(self, block: bytes) -> _Found:
        found, done = _Found(), 0
        others = _Others(block)
        for response in RESPONSES.finditer(block):
            at = response.start()
            while others.at < at:
                done = self._any_line(block, others.at, others.slot, others, found)
            if at >= done:
                done = self._any_line(block, at, ANSWERS, others, found)
        while others.at < len(block):
            self._any_line(block, others.at, others.slot, others, found)
        return found

    def _other_line(self, block: bytes, others: _Others, found: _Found) -> int:
        """Read the line of the next hit that is no response; where it ends."""
        at, slot = others.at, others.slot
        message = NEEDLES[slot].read(block, at) if self._known.any_origin else None
        if message is not None and block.startswith((b"\n", b"\r\n"), message[1]):
            start = block.rfind(b"\n", 0, at) + 1
            known = self._known.origin(block, start, message[0])
            if known is not None and self._lines.is_urllib3s(message[2], known[0]):
                origin, at_s = known
                if message[2].kind in ATTEMPTS:
                    found.attempts.append((len(found.seen), message[2], at_s))
                event = event_of(self._threads.number(origin), message[2])
                found.seen.append((event, at_s, origin))
                others.skip_to(message[1])
                return message[1]
        return self._any_line(block, at, slot, others, found)

    def _any_line(self, block: bytes, at: int, slot: int, others: _Others, found: _Found) -> int:
        """Read the line of this hit, whatever is in it; where it ends."""
        start, end = block.rfind(b"\n", 0, at) + 1, block.find(b"\n", at)
        others.skip_to(at + 1)
        raw = block[start:end]
        if b"<" in raw and (breaks := [one.span() for one in BREAK.finditer(raw)]):
            end = min((start + begin for begin, _ in breaks if start + begin > at), default=end)
            start = max((start + then for _, then in breaks if start + then <= at), default=start)
            raw = block[start:end]
        text = unquoted(raw) if b"&" in raw or b'""' in raw else raw
        is_only_hit = others.at >= end and raw.count(b"://") == (slot == ANSWERS) and text is raw
        hits = [(at - start) * SLOTS + slot] if is_only_hit else hits_in(text)
        if one := self._lines.read(text, hits, as_written=text is raw):
            last_s = found.seen[-1][1] if found.seen else None
            given = self._headers.given(one, block, start, last_s) if one.at_s is None else one
            if given is not one:
                self._lines.are_headed = True
                # the header is no line of its own, but was counted as one with its block
                self._tally.urllib3_lines -= start == 0 and self._headers.last_is_named
            found.add(given)
        others.skip_to(end)
        return end

    def _count_others(self, block: bytes) -> None:
        """Count the lines that nothing but the logger's name shows to be urllib3's."""
        read = {block.rfind(b"\n", 0, hit // SLOTS) + 1 for hit in hits_in(block)}
        position = block.find(NAME_NEEDLE)
        while position >= 0:
            start = block.rfind(b"\n", 0, position) + 1
            end = block.find(b"\n", position)
            if start not in read:
                self._lines.count_unreadable(block[start:end], broken=False)
            position = block.find(NAME_NEEDLE, end)
