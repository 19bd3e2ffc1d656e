"""The order of several logs that are parts of one: by their times, by their names, or as given.

A shell lists `app.log` before `app.log.1`, and `app.log.10` before `app.log.2`. When logs rotate,
the highest number is the oldest, and the one without a number is still written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from keptalive.errors import UsageError
from keptalive.logs.order import time_of
from keptalive.logs.reader import unreadable
from keptalive.logs.source import BLOCK, decoded, is_binary, opened, pieces_of
from keptalive.logs.time_forms import LOOSE_TIME, found_in
from keptalive.logs.timestamps import Clock

STANDARD_INPUT = "-"
_LOOKED_AT = 400  # lines, for one with a time
_NO_DATE_S = 100_000_000  # a time of no day counts from 1970, one since boot from 0
_HALF_A_YEAR_S = 183 * 86400
_YEAR_S = 365 * 86400
_DATE = r"[._-](?P<{}>\d{{4}}-?\d\d-?\d\d[\d_T:.-]*?)"
# app.log, app.log.3, app.log.3.gz, app.log-20261125, app.log.2026-11-25_10, app-2026-11-25.log
_ROTATED = re.compile(
    rf"(?P<stem>.*?)(?:{_DATE.format('date')})?(?P<ending>\.(?:log|txt|out|json))?"
    rf"(?:\.(?P<number>\d{{1,5}})|{_DATE.format('day')})?(?:\.gz)?"
)


class Part(NamedTuple):
    """One log of several.

    Attributes:
        name: its path.
        first_s: the first time in it, in seconds since 1970; None where it has no time, or one of
            no day.
        has_year: that time says its year.
    """

    name: str
    first_s: float | None = None
    has_year: bool = True


class Turns(NamedTuple):
    """The order in which logs are read, and whether that is only the one in which they came."""

    names: tuple[str, ...]
    as_given: bool = False


def in_turn(parts: Sequence[Part]) -> Turns:
    """The order of these parts, the oldest first; names decide where times are equal."""
    ages = [_age(part.name) for part in parts]
    are_of_one = len({stem for stem, *_ in ages}) == 1 and len(set(ages)) == len(parts)
    by_name = [part for _, part in sorted(zip(ages, parts, strict=True))] if are_of_one else parts
    times = {part: part.first_s for part in parts if part.first_s is not None}
    if len(times) < len(parts):
        names = tuple(part.name for part in by_name)
        return Turns(names, as_given=not are_of_one)
    shifts = _shifts(parts)
    by_time = sorted(by_name, key=lambda part: times[part] + shifts[part])
    return Turns(tuple(part.name for part in by_time))


def _shifts(parts: Sequence[Part]) -> dict[Part, float]:
    """What to add to times without a year, so that December comes before the January after it."""
    loose = sorted(part.first_s or 0.0 for part in parts if not part.has_year)
    gaps = [(after - before, after) for before, after in pairwise(loose)]
    widest, from_s = max(gaps, default=(0.0, 0.0))
    is_last_years = widest > _HALF_A_YEAR_S
    return {
        part: -_YEAR_S
        if is_last_years and not part.has_year and (part.first_s or 0.0) >= from_s
        else 0.0
        for part in parts
    }


def _age(path: str) -> tuple[str, int, int, str]:
    """What orders the files of one rotation; its first word is the same for all of them."""
    folder, name = os.path.split(path)
    found = _ROTATED.fullmatch(name)
    if found is None:  # a line break is in it
        return path, 0, 0, ""
    stem = f"{folder}/{found['stem']}{found['ending'] or ''}"
    if found["number"]:
        return stem, 0, -int(found["number"]), ""
    date = found["date"] or found["day"]
    return stem, 1 if date else 2, 0, date or ""  # the one that is still written comes last


# -- Looking into them ----------------------------------------------------------------------------


def ordered(logs: Sequence[str]) -> Turns:
    """These logs in order; of one that was named twice, or has nothing in it, only what counts.

    Raises:
        UsageError: one cannot be read, or is no log; or standard input is among several.
    """
    names = tuple(_each_once(logs))
    if len(names) < 2:
        return Turns(names)
    if STANDARD_INPUT in names:
        raise UsageError(
            "Standard input cannot be put in order with other logs. Next: name files only."
        )
    parts = [part for name in names if (part := _part(name)) is not None]
    return in_turn(parts) if parts else Turns(names[:1])


def _each_once(logs: Sequence[str]) -> list[str]:
    """Without files that were named before, also by another name."""
    once: dict[object, str] = {}
    for log in logs:
        once.setdefault(_identity(log), log)
    return list(once.values())


def _identity(log: str) -> object:
    try:
        found = Path(log).stat()
    except (OSError, ValueError):  # said where it is opened
        return log
    return log if log == STANDARD_INPUT else (found.st_dev, found.st_ino)


def _part(name: str) -> Part | None:
    """What orders this log; None if it is empty."""
    head = b""
    try:
        with opened(name) as stream:
            for piece in decoded(pieces_of(stream), lambda: None):
                head += piece
                if head.count(b"\n") >= _LOOKED_AT or len(head) > BLOCK:
                    break
    except OSError as error:
        raise unreadable(name, error) from None
    if is_binary(head):
        raise UsageError(
            f"{name} is no log but a binary file.\nNext: name debug logs, text or gzip."
        )
    clock = Clock()
    for line in head.split(b"\n", _LOOKED_AT)[:_LOOKED_AT]:
        at_s = time_of(line, clock)
        if at_s is not None and at_s > _NO_DATE_S:
            return Part(name, at_s, has_year=_says_its_year(line))
    return Part(name) if head.strip() else None


def _says_its_year(line: bytes) -> bool:
    found = None if line.startswith(b"{") else found_in(line)
    return found is None or found.re is not LOOSE_TIME or bool(found["year"] or found["epoch"])
