"""One line of urllib3's: what it says, when it was written, and where it came from."""

from __future__ import annotations

from keptalive.logs.blocks import Tally
from keptalive.logs.events import Read, event_of
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
from keptalive.logs.time_forms import TIME, found_in, without_times
from keptalive.logs.timestamps import Clock
from keptalive.records.pool_events import Answered

_NO_PART = b"\0\xef\xbb\xbf"  # of a line: a hole before it, a byte order mark


class Lines:
    """Reads lines, and remembers what most of them begin with.

    Args:
        tally: where those are counted that cannot be read.
        threads: tells which lines are of one thread.
        clock: reads the times.
        known: gets what lines begin with.

    Attributes:
        are_headed: what a line does not begin with, the line before may have.
    """

    def __init__(self, tally: Tally, threads: Threads, clock: Clock, known: KnownLines) -> None:
        self._tally = tally
        self._threads = threads
        self._clock = clock
        self._known = known
        self.are_headed = False
        self._any_named = self._any_unnamed = False  # lines with the logger's name, or without
        self._with_ports: set[str] = set()

    @property
    def any_unnamed(self) -> bool:
        """Whether some line so far had no logger's name."""
        return self._any_unnamed

    def read(self, text: bytes, hits: list[int], *, as_written: bool = True) -> Read | None:
        """What a line says; None, and counted, if that cannot be read.

        Args:
            text: the line.
            hits: where in it what urllib3 says may be.
            as_written: it is so in the log, too: nothing was taken off its quotes.
        """
        broken = False
        for hit in hits[:TRIES]:
            slot, position = hit % SLOTS, hit // SLOTS
            opening = text.find(b"{", 0, position)
            if opening >= 0 and (brace := JSON.search(text, opening, position)):
                is_json, one = self._json(text, brace.start(), slot, position)
                if is_json:
                    if one is None:
                        self.count_unreadable(text, broken=slot < UNMISTAKABLE)
                    return one
            message = NEEDLES[slot].read(text, position)
            if message is not None and (one := self._of(text, message, as_written=as_written)):
                return one
            broken = broken or slot < UNMISTAKABLE
        self.count_unreadable(text, broken=broken)
        return None

    def count_unreadable(self, text: bytes, *, broken: bool) -> None:
        """Count a line that is urllib3's, and whether it should have been an event."""
        named = NAME_NEEDLE in text and NAMED.search(text) is not None
        cut = broken or (named and looks_cut(text))
        self._tally.urllib3_lines += named or cut
        self._tally.skipped += cut

    def is_urllib3s(self, what: What, origin: Origin) -> bool:
        """Whether urllib3 says this, and nobody else."""
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

    def _of(
        self, text: bytes, message: Message, record: Record | None = None, *, as_written: bool
    ) -> Read | None:
        """The message with its origin; None if it is somebody else's."""
        start, end, what = message
        prefix = text[max(0, start - LONGEST_PREFIX) : start].lstrip(_NO_PART)
        is_plain = as_written and len(prefix) == start and text[end:] in (b"", b"\r")
        at_s, time_at = None, (0, 0)
        if timed := found_in(prefix):
            at_s, time_at = self._clock.seconds(timed), timed.span()
            prefix = prefix[: time_at[0]] + prefix[time_at[1] :]
        if not is_plain and len(text) > end + 1:
            # Behind the message only what is evident: a URL with a space in it goes on there
            behind = text[end : end + LONGEST_PREFIX]
            marks = [found[0] for found in EVIDENT.finditer(behind)]
            marks += NAME.findall(behind)
            prefix = b" ".join((prefix, *marks)) if marks else prefix
            if timed is None and record is None and (timed := TIME.search(behind)):
                at_s = self._clock.seconds(timed)
        if record is not None:
            prefix = record.prefix + b" " + prefix
            at_s = record.at_s if at_s is None else at_s
        origin = self._threads.origin(prefix)
        if not self.is_urllib3s(what, origin):
            return None
        if (start and text[:start].isspace()) or (self.are_headed and not start):
            is_plain = False  # it may belong to the line before
        if is_plain and (at_s is None) == (time_at == (0, 0)) and self._threads.is_learned(origin):
            self._remember(text, message, time_at, origin)
        return Read(what, at_s, origin, hash(text[start:end]), -1 if record else start)

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

    # JSON

    def _json(self, text: bytes, at: int, slot: int, message_at: int) -> tuple[bool, Read | None]:
        """Whether the message is within the object that begins here, and what it says."""
        record, end = record_of(text[at:], self._clock)
        if record is None and text.rstrip().endswith(b"}"):  # not JSON, and not cut off
            message = NEEDLES[slot].read(text, message_at)
            if message is None:
                return True, None
            record, end = record_of(_mended(text[at:], message, at), self._clock)
            if record is None:
                return True, self._of(text, message, as_written=True)
        if record is not None and at + end <= message_at:
            return False, None  # an object before the message
        if record is not None:
            record.prefix += b" " + without_times(text[max(0, at - LONGEST_PREFIX) : at])
            for inner in record.texts:
                if one := self._inner(inner, record):
                    return True, one
        return True, None

    def _inner(self, text: bytes, record: Record) -> Read | None:
        for hit in hits_in(text)[:TRIES]:
            message = NEEDLES[hit % SLOTS].read(text, hit // SLOTS)
            if message is not None and (one := self._of(text, message, record, as_written=False)):
                return one
        return None


def _mended(text: bytes, message: Message, at: int) -> bytes:
    """JSON of a format made by hand, '{"msg": "%(message)s"}', with the message's quotes escaped.

    ``message`` has its places in the line, of which ``text`` begins ``at`` there.
    """
    start, end = message[0] - at, message[1] - at
    return text[:start] + text[start:end].replace(b'"', rb"\"") + text[end:]
