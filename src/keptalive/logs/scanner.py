"""Which lines of a log are urllib3's: whole blocks are searched, and only the hits are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

from keptalive.logs.json_lines import JSON, Record, record_of
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
    old_answered,
)
from keptalive.logs.prefix import EVIDENT, LONGEST_PREFIX, Origin
from keptalive.logs.source import is_binary
from keptalive.logs.threads import Found, Lanes
from keptalive.logs.timestamps import TIME, Clock

_LONGEST_LINE = 256 * 1024
_NO_PART = b"\0\xef\xbb\xbf"  # of a line: a hole before it, a byte order mark


@dataclass
class Tally:
    """Counts of a log that is read: see `Reading`."""

    lines: int = 0
    urllib3_lines: int = 0
    skipped: int = 0
    bytes: int = 0
    ended_early: bool = False
    binary: bool = False


class Finder:
    """Finds urllib3's lines in what it is given, and counts them and all others."""

    def __init__(self, tally: Tally, lanes: Lanes) -> None:
        self._tally = tally
        self._lanes = lanes
        self._clock = Clock()
        self._names_itself = False
        self._tells_ports: set[str] = set()

    def blocks(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Whole lines, many at a time. One that is too long is an empty one, and skipped."""
        rest, too_long = b"", False
        for piece in pieces:
            if not self._tally.bytes:
                self._tally.binary = is_binary(piece)
            self._tally.bytes += len(piece)
            if too_long:
                end = piece.find(b"\n")
                if end < 0:
                    continue
                data, too_long = piece[end:], False
            else:
                data = rest + piece
            end = data.rfind(b"\n") + 1
            # a log that is truncated under its writer begins with a hole
            rest = data[end:].lstrip(b"\0")
            if len(rest) > _LONGEST_LINE:
                self._count_too_long(rest)
                rest, too_long = b"", True
            if end:
                yield data[:end]
        if rest or too_long:
            yield rest + b"\n"

    def _count_too_long(self, line: bytes) -> None:
        hits = hits_in(line[:_LONGEST_LINE])
        if any(hit % SLOTS < UNMISTAKABLE for hit in hits) or NAMED.search(line):
            self._tally.urllib3_lines += 1
            self._tally.skipped += 1

    def found(self, block: bytes) -> list[Found]:
        """What is urllib3's in whole lines, before it is known who is who."""
        hits = hits_in(block)
        found: list[Found] = []
        begins = set()
        at, index, line = 0, 0, self._tally.lines + 1
        while index < len(hits):
            position = hits[index] // SLOTS
            start = block.rfind(b"\n", 0, position) + 1
            end = block.find(b"\n", position)
            first, behind = index, end * SLOTS
            index += 1
            while index < len(hits) and hits[index] < behind:
                index += 1
            line += block.count(b"\n", at, start)
            at = start
            begins.add(start)
            one = self._line(block[start:end], line, start, hits[first:index])
            if one is not None:
                found.append(one)
        if block.count(NAME_NEEDLE) > sum(origin.named for _, _, origin, _ in found):
            found += self._others(block, begins)
            found.sort(key=itemgetter(0))
        self._tally.lines = line - 1 + block.count(b"\n", at)
        return found

    def _line(self, text: bytes, line: int, start: int, hits: list[int]) -> Found | None:
        broken = False
        for hit in hits[:TRIES]:
            slot, position = hit % SLOTS, hit // SLOTS - start
            opening = text.find(b"{", 0, position)
            if opening >= 0 and (brace := JSON.search(text, opening, position)):
                is_json, one = self._json(text, brace.start(), line, slot, position)
                if is_json:
                    if one is None:
                        self._count_unreadable(text, broken=slot < UNMISTAKABLE)
                    return one
            message = NEEDLES[slot].read(text, position)
            if message is not None and (one := self._of(text, line, message)):
                return one
            broken = broken or slot < UNMISTAKABLE
        self._count_unreadable(text, broken=broken)
        return None

    def _others(self, block: bytes, read: set[int]) -> Iterator[Found]:
        """The lines that nothing but the logger's name shows to be urllib3's: old request lines.

        All others, which do not tell of an event, are counted.
        """
        at, line, position = 0, self._tally.lines + 1, block.find(NAME_NEEDLE)
        while position >= 0:
            start = block.rfind(b"\n", 0, position) + 1
            end = block.find(b"\n", position)
            if start not in read:
                text = block[start:end]
                line += block.count(b"\n", at, start)
                at = start
                message = old_answered(text)
                one = self._of(text, line, message) if message else None
                if one is not None:
                    yield one
                else:
                    self._count_unreadable(text, broken=False)
            position = block.find(NAME_NEEDLE, end)

    def _count_unreadable(self, text: bytes, *, broken: bool) -> None:
        named = NAME_NEEDLE in text and NAMED.search(text) is not None
        cut = broken or (named and looks_cut(text))
        self._tally.urllib3_lines += named or cut
        self._tally.skipped += cut

    def _of(
        self, text: bytes, line: int, message: Message, record: Record | None = None
    ) -> Found | None:
        """The message with its origin; None if it is somebody else's, or cannot be placed."""
        start, end, what = message
        prefix = text[max(0, start - LONGEST_PREFIX) : start].lstrip(_NO_PART)
        at_s = None
        if timed := TIME.search(prefix):
            at_s = self._clock.seconds(timed)
            prefix = prefix[: timed.start()] + prefix[timed.end() :]
        if len(text) > end + 1:
            # Behind the message only what is evident: a URL with a space in it goes on there
            behind = text[end : end + LONGEST_PREFIX]
            marks = [found[0] for found in EVIDENT.finditer(behind)]
            marks += NAME.findall(behind)
            prefix = b" ".join((prefix, *marks)) if marks else prefix
        if record is not None:
            prefix = record.prefix + b" " + prefix
            at_s = record.at_s if at_s is None else at_s
        origin = self._lanes.origin(prefix)
        if not self._is_urllib3s(what, origin):
            return None
        self._tally.urllib3_lines += 1
        return line, at_s, origin, what

    def _is_urllib3s(self, what: What, origin: Origin) -> bool:
        kind = what.kind
        self._names_itself = self._names_itself or origin.named
        if kind == "answered":  # as most are
            return True
        if kind == "starting":
            if what.port is not None:
                self._tells_ports.add(origin.source)
            # what tells ports once does so always: here it was cut off
            return what.port is not None or origin.source not in self._tells_ports
        if kind == "old answer":  # which a server's access log has as well
            return origin.named
        if kind == "status":  # words that anybody may use
            return origin.named or not self._names_itself
        return True

    def _json(
        self, text: bytes, at: int, line: int, slot: int, message_at: int
    ) -> tuple[bool, Found | None]:
        """Whether the message is within the object that begins here, and what it tells."""
        record, end = record_of(text[at:], self._clock)
        if record is None and text.rstrip().endswith(b"}"):  # not JSON, and not cut off
            message = NEEDLES[slot].read(text, message_at)
            if message is None:
                return True, None
            record, end = record_of(_mended(text[at:], message, at), self._clock)
            if record is None:
                return True, self._of(text, line, message)
        if record is not None and at + end <= message_at:
            return False, None  # an object before the message
        if record is not None:
            record.prefix += b" " + TIME.sub(b"", text[max(0, at - LONGEST_PREFIX) : at])
            for inner in record.texts:
                if one := self._inner(inner, line, record):
                    return True, one
        return True, None

    def _inner(self, text: bytes, line: int, record: Record) -> Found | None:
        for hit in hits_in(text)[:TRIES]:
            slot, position = hit % SLOTS, hit // SLOTS
            message = NEEDLES[slot].read(text, position)
            if message is not None and (one := self._of(text, line, message, record)):
                return one
        return None


def _mended(text: bytes, message: Message, at: int) -> bytes:
    """JSON of a format made by hand, '{"msg": "%(message)s"}', with the message's quotes escaped.

    ``message`` has its places in the line, of which ``text`` begins ``at`` there.
    """
    start, end = message[0] - at, message[1] - at
    return text[:start] + text[start:end].replace(b'"', rb"\"") + text[end:]
