"""Which lines of a log are urllib3's: whole blocks are searched, and only the hits are read."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from keptalive.logs.blocks import Tally
from keptalive.logs.events import Seen, event_of
from keptalive.logs.json_lines import JSON, Record, record_of
from keptalive.logs.known import KnownLines
from keptalive.logs.messages import (
    NAME,
    NAME_NEEDLE,
    NAMED,
    NEEDLES,
    SLOTS,
    TRIES,
    UNMISTAKABLE,
    Message,
    What,
    hits_in,
    looks_cut,
)
from keptalive.logs.prefix import EVIDENT, LONGEST_PREFIX, Origin
from keptalive.logs.threads import Threads
from keptalive.logs.timestamps import TIME, Clock
from keptalive.records.pool_events import Answered, RetryingStatus

_NO_PART = b"\0\xef\xbb\xbf"  # of a line: a hole before it, a byte order mark
_UNREAD = RetryingStatus(thread=0)  # stands for an event whose thread has no number yet
_Read = tuple[What, float | None, Origin]


class Scanner:
    """Finds urllib3's lines in what it is given, and counts them and all others.

    Args:
        tally: the counts.
        threads: tells which lines are of one thread.
    """

    def __init__(self, tally: Tally, threads: Threads) -> None:
        self._tally = tally
        self._threads = threads
        self.clock = Clock()
        self._known = KnownLines(self.clock)
        self._forgotten = 0
        self._names_itself = False
        self._with_ports: set[str] = set()

    def too_long(self, beginning: bytes) -> None:
        """Count a line of which only the beginning is kept."""
        hits = hits_in(beginning)
        if any(hit % SLOTS < UNMISTAKABLE for hit in hits) or NAMED.search(beginning):
            self._tally.urllib3_lines += 1
            self._tally.skipped += 1

    def seen(self, block: bytes) -> list[Seen]:
        """The events in a block of whole lines."""
        if self._forgotten != self._threads.forgotten:
            self._known.clear()
            self._forgotten = self._threads.forgotten
        whole: dict[int, re.Match[bytes]] = {}
        hits = hits_in(block, whole)
        seen, unread = self._found(block, hits, whole)
        if block.count(NAME_NEEDLE) > sum([origin.named for _, _, origin in seen]):
            self._count_others(block, hits)
        if unread:
            self._threads.learn([(seen[number][2], what) for number, what in unread])
        for number, what in unread:
            _, at_s, origin = seen[number]
            seen[number] = event_of(self._threads.number(origin), what), at_s, origin
        self._tally.urllib3_lines += len(seen)
        self._tally.lines += block.count(b"\n")
        return seen

    def _found(
        self, block: bytes, hits: Sequence[int], whole: dict[int, re.Match[bytes]]
    ) -> tuple[list[Seen], list[tuple[int, What]]]:
        """What is urllib3's, and by its number what each message says whose thread is unknown."""
        seen: list[Seen] = []
        unread: list[tuple[int, What]] = []
        following = [*hits[1:], sys.maxsize]
        count, index = len(hits), 0
        while index < count:
            hit = hits[index]
            start = block.rfind(b"\n", 0, hit // SLOTS) + 1
            response = whole.get(hit)
            if response is not None and following[index] >= response.end() * SLOTS:
                index += 1
                known = self._known.response(block, start, response)
                if known is not None:
                    seen.append(known)
                    continue
                line_hits: Sequence[int] = (hit,)
                end = block.find(b"\n", hit // SLOTS)
            else:
                end = block.find(b"\n", hit // SLOTS)
                first = index
                while index < count and hits[index] < end * SLOTS:
                    index += 1
                line_hits = hits[first:index]
                if len(line_hits) == 1 and (known := self._like_others(block, start, end, hit)):
                    seen.append(known)
                    continue
            if one := self._line(block[start:end], start, line_hits):
                what, at_s, origin = one
                unread.append((len(seen), what))
                seen.append((_UNREAD, at_s, origin))
        return seen, unread

    def _like_others(self, block: bytes, start: int, end: int, hit: int) -> Seen | None:
        """The event of a line that is known but for its message, which ends with it."""
        message = NEEDLES[hit % SLOTS].read(block, hit // SLOTS)
        if message is None or block[message[1] : end] not in (b"", b"\r"):
            return None
        known = self._known.origin(block, start, message[0])
        if known is None or not self._is_urllib3s(message[2], known[0]):
            return None
        origin, at_s = known
        return event_of(self._threads.number(origin), message[2]), at_s, origin

    def _line(self, text: bytes, start: int, hits: Sequence[int]) -> _Read | None:
        broken = False
        for hit in hits[:TRIES]:
            slot, position = hit % SLOTS, hit // SLOTS - start
            opening = text.find(b"{", 0, position)
            if opening >= 0 and (brace := JSON.search(text, opening, position)):
                is_json, one = self._json(text, brace.start(), slot, position)
                if is_json:
                    if one is None:
                        self._count_unreadable(text, broken=slot < UNMISTAKABLE)
                    return one
            message = NEEDLES[slot].read(text, position)
            if message is not None and (one := self._of(text, message)):
                return one
            broken = broken or slot < UNMISTAKABLE
        self._count_unreadable(text, broken=broken)
        return None

    def _count_others(self, block: bytes, hits: Sequence[int]) -> None:
        """Count the lines that nothing but the logger's name shows to be urllib3's."""
        read = {block.rfind(b"\n", 0, hit // SLOTS) + 1 for hit in hits}
        position = block.find(NAME_NEEDLE)
        while position >= 0:
            start = block.rfind(b"\n", 0, position) + 1
            end = block.find(b"\n", position)
            if start not in read:
                self._count_unreadable(block[start:end], broken=False)
            position = block.find(NAME_NEEDLE, end)

    def _count_unreadable(self, text: bytes, *, broken: bool) -> None:
        named = NAME_NEEDLE in text and NAMED.search(text) is not None
        cut = broken or (named and looks_cut(text))
        self._tally.urllib3_lines += named or cut
        self._tally.skipped += cut

    def _of(self, text: bytes, message: Message, record: Record | None = None) -> _Read | None:
        """The message with its origin; None if it is somebody else's."""
        start, end, what = message
        prefix = text[max(0, start - LONGEST_PREFIX) : start].lstrip(_NO_PART)
        is_plain = record is None and len(prefix) == start and text[end:] in (b"", b"\r")
        at_s, time_at = None, (0, 0)
        if timed := TIME.search(prefix):
            at_s, time_at = self.clock.seconds(timed), timed.span()
            prefix = prefix[: time_at[0]] + prefix[time_at[1] :]
        if not is_plain and len(text) > end + 1:
            # Behind the message only what is evident: a URL with a space in it goes on there
            behind = text[end : end + LONGEST_PREFIX]
            marks = [found[0] for found in EVIDENT.finditer(behind)]
            marks += NAME.findall(behind)
            prefix = b" ".join((prefix, *marks)) if marks else prefix
        if record is not None:
            prefix = record.prefix + b" " + prefix
            at_s = record.at_s if at_s is None else at_s
        origin = self._threads.origin(prefix)
        if not self._is_urllib3s(what, origin):
            return None
        if is_plain and (at_s is None) == (time_at == (0, 0)) and self._threads.is_learned(origin):
            self._remember(text, message, time_at, origin)
        return what, at_s, origin

    def _remember(
        self, text: bytes, message: Message, time_at: tuple[int, int], origin: Origin
    ) -> None:
        start, end, what = message
        if what.kind != "answered":
            self._known.learn(text[:start], time_at, origin)
            return
        event = event_of(self._threads.number(origin), what)
        if isinstance(event, Answered):
            place_ends = text.find(b" ", start, end)
            self._known.learn_response(text[:place_ends], time_at, origin, event)

    def _is_urllib3s(self, what: What, origin: Origin) -> bool:
        kind = what.kind
        self._names_itself = self._names_itself or origin.named
        if kind == "answered":  # as most are
            return True
        if kind == "starting":
            if what.port is not None:
                self._with_ports.add(origin.source)
            # who logs ports does so always: here it was cut off
            return what.port is not None or origin.source not in self._with_ports
        if kind == "status":  # words that anybody may use
            return origin.named or not self._names_itself
        return True

    def _json(self, text: bytes, at: int, slot: int, message_at: int) -> tuple[bool, _Read | None]:
        """Whether the message is within the object that begins here, and what it says."""
        record, end = record_of(text[at:], self.clock)
        if record is None and text.rstrip().endswith(b"}"):  # not JSON, and not cut off
            message = NEEDLES[slot].read(text, message_at)
            if message is None:
                return True, None
            record, end = record_of(_mended(text[at:], message, at), self.clock)
            if record is None:
                return True, self._of(text, message)
        if record is not None and at + end <= message_at:
            return False, None  # an object before the message
        if record is not None:
            record.prefix += b" " + TIME.sub(b"", text[max(0, at - LONGEST_PREFIX) : at])
            for inner in record.texts:
                if one := self._inner(inner, record):
                    return True, one
        return True, None

    def _inner(self, text: bytes, record: Record) -> _Read | None:
        for hit in hits_in(text)[:TRIES]:
            message = NEEDLES[hit % SLOTS].read(text, hit // SLOTS)
            if message is not None and (one := self._of(text, message, record)):
                return one
        return None


def _mended(text: bytes, message: Message, at: int) -> bytes:
    """JSON of a format made by hand, '{"msg": "%(message)s"}', with the message's quotes escaped.

    ``message`` has its places in the line, of which ``text`` begins ``at`` there.
    """
    start, end = message[0] - at, message[1] - at
    return text[:start] + text[start:end].replace(b'"', rb"\"") + text[end:]
