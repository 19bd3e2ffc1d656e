"""Lines that are like an earlier one: the same words, but for the time and what urllib3 says.

Most lines of a log are; they are recognized by a few slices, and read without a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from keptalive.logs.events import Seen
from keptalive.logs.messages import REMEMBERED
from keptalive.logs.prefix import Origin
from keptalive.logs.timestamps import PARTS_S, Clock
from keptalive.records.pool_events import Answered


@dataclass(slots=True)
class _Responses:
    """The lines of one host's responses with one prefix."""

    origin: Origin
    like: Answered
    events: dict[bytes, Answered] = field(default_factory=dict)  # by status

    def of(self, status: bytes) -> Answered:
        event = self.events[status] = replace(self.like, status=int(status))
        return event


class KnownLines:
    """Remembers prefixes by their hashes: there may be secrets in them.

    Args:
        clock: reads the times.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._origins: dict[int, Origin] = {}
        self._responses: dict[int, _Responses] = {}
        # where lines have their time; the same place twice if they have none
        self._before, self._behind = 0, 0

    @property
    def any_origin(self) -> bool:
        """Whether there is anything that `origin` can know."""
        return bool(self._origins)

    def learn(self, prefix: bytes, time_at: tuple[int, int], origin: Origin) -> None:
        """Remember what lines of this origin begin with.

        Args:
            prefix: all before the message.
            time_at: where in it the time is.
            origin: where such lines are from.
        """
        _put(self._origins, self._key(prefix, time_at), origin)

    def learn_response(
        self, text: bytes, time_at: tuple[int, int], origin: Origin, event: Answered
    ) -> None:
        """Remember what responses of this origin begin with, scheme, host and port included."""
        _put(self._responses, self._key(text, time_at), _Responses(origin, event))

    def _key(self, text: bytes, time_at: tuple[int, int]) -> int:
        self._before, self._behind = start, end = time_at
        return hash(text[:start] + text[end:])

    def take(
        self, block: bytes, responses: Iterator[re.Match[bytes]], before: int, seen: list[Seen]
    ) -> re.Match[bytes] | None:
        """Read responses as long as the words of their lines are known.

        Args:
            block: the lines.
            responses: where in it responses may be, in order: matches of `messages.RESPONSES`.
            before: where something else may be, which is to be read first.
            seen: gets the events.

        Returns:
            The first that is another one; None if there is none.
        """
        before_time, behind_time = self._before, self._behind
        known_by_words, rfind, clock = self._responses, block.rfind, self._clock
        length = clock.length
        for found in responses:
            at, end = found.span()
            status = found[3]
            if status is None or end > before:
                return found
            start = rfind(b"\n", 0, at) + 1
            rest_at = start + behind_time
            words = block[rest_at : found.end(2)]
            if before_time:
                words = block[start : start + before_time] + words
            known = known_by_words.get(hash(words))
            if known is None:
                return found
            at_s = None
            if behind_time:
                time_at = start + before_time
                part_s = PARTS_S.get(block[time_at + length : rest_at])
                if part_s is not None and block.startswith(clock.second, time_at):
                    at_s = clock.second_s + part_s
                else:
                    at_s, length = clock.of_stamp(block[time_at:rest_at]), clock.length
                    if at_s is None:
                        return found
            seen.append((known.events.get(status) or known.of(status), at_s, known.origin))
        return None

    def origin(self, block: bytes, start: int, end: int) -> tuple[Origin, float | None] | None:
        """The origin and the time of a line, of which this is all before its message."""
        time_at, rest_at = start + self._before, start + self._behind
        origin = self._origins.get(hash(block[start:time_at] + block[rest_at:end]))
        if origin is None:
            return None
        if rest_at == start:
            return origin, None
        at_s = self._clock.of_stamp(block[time_at:rest_at])
        return None if at_s is None else (origin, at_s)


_Value = TypeVar("_Value")


def _put(known: dict[int, _Value], key: int, value: _Value) -> None:
    if len(known) >= REMEMBERED:
        known.clear()
    known[key] = value
