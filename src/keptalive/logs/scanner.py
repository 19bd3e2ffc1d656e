"""Which lines of a log are urllib3's: whole blocks are searched, and only the hits are read."""

from __future__ import annotations

from keptalive.logs.blocks import Tally
from keptalive.logs.events import Seen, event_of
from keptalive.logs.json_lines import JSON, Record, record_of
from keptalive.logs.known import KnownLines
from keptalive.logs.messages import (
    ANSWERS,
    NAME,
    NAME_NEEDLE,
    NAMED,
    NEEDLES,
    RESPONSES,
    SLOTS,
    TRIES,
    UNMISTAKABLE,
    Message,
    What,
    hits_in,
    looks_cut,
    other_hits_in,
)
from keptalive.logs.prefix import EVIDENT, LONGEST_PREFIX, Origin
from keptalive.logs.threads import Threads
from keptalive.logs.timestamps import TIME, Clock
from keptalive.records.pool_events import Answered, RetryingStatus

_NO_PART = b"\0\xef\xbb\xbf"  # of a line: a hole before it, a byte order mark
_UNREAD = RetryingStatus(thread=0)  # stands for an event whose thread has no number yet
_Read = tuple[What, float | None, Origin]


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
        self._any_named = self._any_unnamed = False  # lines with the logger's name, or without
        self._with_ports: set[str] = set()

    def too_long(self, beginning: bytes) -> None:
        """Count a line of which only the beginning is kept."""
        hits = hits_in(beginning)
        if any(hit % SLOTS < UNMISTAKABLE for hit in hits) or NAMED.search(beginning):
            self._tally.urllib3_lines += 1
            self._tally.skipped += 1

    def seen(self, block: bytes) -> list[Seen]:
        """The events in a block of whole lines."""
        seen, unread = self._found(block)
        named = len(seen)
        if self._any_unnamed:
            named = sum(origin.named for _, _, origin in seen)
        if block.count(NAME_NEEDLE) > named:
            self._count_others(block)
        if unread:
            self._threads.learn([(seen[number][2], what) for number, what in unread])
        for number, what in unread:
            _, at_s, origin = seen[number]
            seen[number] = event_of(self._threads.number(origin), what), at_s, origin
        self._tally.urllib3_lines += len(seen)
        self._tally.lines += block.count(b"\n")
        return seen

    def _found(self, block: bytes) -> tuple[list[Seen], list[tuple[int, What]]]:
        """What is urllib3's, and by its number what each message says whose thread is unknown."""
        seen: list[Seen] = []
        unread: list[tuple[int, What]] = []
        others = _Others(block)
        responses, done = RESPONSES.finditer(block), 0
        take = self._known.take
        while (response := take(block, responses, others.at, seen)) is not None:
            at = response.start()
            was_next = at < others.at
            while others.at < at:
                done = self._other_line(block, others, seen, unread)
            if at < done:  # in a line that has been read
                continue
            if was_next or take(block, iter((response,)), others.at, seen) is not None:
                done = self._any_line(block, at, ANSWERS, others, seen, unread)
        while others.at < len(block):
            self._other_line(block, others, seen, unread)
        return seen, unread

    def _other_line(
        self, block: bytes, others: _Others, seen: list[Seen], unread: list[tuple[int, What]]
    ) -> int:
        """Read the line of the next hit that is no response; where it ends."""
        at, slot = others.at, others.slot
        message = NEEDLES[slot].read(block, at) if self._known.any_origin else None
        if message is not None and block.startswith((b"\n", b"\r\n"), message[1]):
            start = block.rfind(b"\n", 0, at) + 1
            known = self._known.origin(block, start, message[0])
            if known is not None and self._is_urllib3s(message[2], known[0]):
                origin, at_s = known
                seen.append((event_of(self._threads.number(origin), message[2]), at_s, origin))
                others.skip_to(message[1])
                return message[1]
        others.skip_to(at + 1)
        return self._any_line(block, at, slot, others, seen, unread)

    def _any_line(
        self,
        block: bytes,
        at: int,
        slot: int,
        others: _Others,
        seen: list[Seen],
        unread: list[tuple[int, What]],
    ) -> int:
        """Read the line of this hit, whatever is in it; where it ends."""
        start, end = block.rfind(b"\n", 0, at) + 1, block.find(b"\n", at)
        text = block[start:end]
        is_only_hit = others.at >= end and text.count(b"://") == (slot == ANSWERS)
        if one := self._line(text, [(at - start) * SLOTS + slot] if is_only_hit else hits_in(text)):
            what, at_s, origin = one
            unread.append((len(seen), what))
            seen.append((_UNREAD, at_s, origin))
        others.skip_to(end)
        return end

    def _line(self, text: bytes, hits: list[int]) -> _Read | None:
        broken = False
        for hit in hits[:TRIES]:
            slot, position = hit % SLOTS, hit // SLOTS
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

    def _count_others(self, block: bytes) -> None:
        """Count the lines that nothing but the logger's name shows to be urllib3's."""
        read = {block.rfind(b"\n", 0, hit // SLOTS) + 1 for hit in hits_in(block)}
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
        self._any_named = self._any_named or origin.named
        self._any_unnamed = self._any_unnamed or not origin.named
        if kind == "answered":  # as most are
            return True
        if kind == "starting":
            if what.port is not None:
                self._with_ports.add(origin.source)
            # who logs ports does so always: here it was cut off
            return what.port is not None or origin.source not in self._with_ports
        if kind == "status":  # words that anybody may use
            return origin.named or not self._any_named
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
