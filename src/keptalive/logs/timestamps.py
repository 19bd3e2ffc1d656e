"""When a line was written: times as logs have them, in seconds since 1970.

A time without a zone is taken for UTC, one without a year for this year's, and a clock without a
date for some day's: what counts is how long it was from one line to another. So each of these goes
on where the last one was: after 23:59 comes the next day, and after December the next year.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timezone

from keptalive.logs.time_forms import LOOSE_TIME, MONTHS, TIME, found_in

# Parts of a second, as most logs write them
PARTS_S = {b"": 0.0} | {
    b"%c%03d" % (point, part): part / 1000 for point in b",." for part in range(1000)
}
_PART = re.compile(rb"(?<=:\d\d)([.,]\d{1,9})(.*)")
_OFFSET = re.compile(rb"([+-])(\d\d):?(\d\d)?")
_DAY_S = 86400
_MONTH_S = 30 * _DAY_S
_BACK_OVER_MIDNIGHT_S = 60  # what lines of several threads are out of order by, at most


class Clock:
    """Reads times; as lines come in order, the last second or day is mostly this one too.

    Args:
        year: of times that do not say it, unless they go on from an earlier one.

    Attributes:
        knows_zone: some time had a zone, or was seconds since 1970.
        is_fine: some time had parts of a second.
        second, length, second_s: what the last `of_stamp` began with ("2026-11-22 15:04:05"), how
            long that is, and when it was; what follows it (",123") is mostly one of `PARTS_S`.
    """

    def __init__(self, year: int | None = None) -> None:
        self.knows_zone = self.is_fine = False
        self.second = b"none"
        self.length = len(self.second)
        self.second_s = 0.0
        self._minute, self._minute_s = b"", 0.0  # likewise, of the minute
        self._behind = b""  # what follows the parts of the second: a zone, a half of the day
        self._year = date.today().year if year is None else year
        self._day_first = False  # 26/11/2026; until a day shows it, 11/26/2026
        self._shift_s = 0.0  # of all days since then: they go on from those before
        self._days: tuple[tuple[bytes | None, ...], float | None] = ((), None)
        self._last_loose_s: float | None = None

    def seconds(self, found: re.Match[bytes]) -> float | None:
        """The time that was `found_in` a text; None if there is no such day, hour or minute."""
        return self.of_stamp(found[0], found)

    def _seconds(self, found: re.Match[bytes]) -> float | None:
        parts = found.groupdict()
        if parts["second"] is None:
            return self._epoch(parts)
        return self._dated(parts, is_full=found.re is TIME)

    def _epoch(self, parts: dict[str, bytes | None]) -> float:
        if since_boot := parts.get("since_boot"):
            return float(since_boot)
        self.knows_zone = True
        digits = parts["epoch"] or parts["fine_epoch"] or b""
        whole = digits.partition(b".")[0]
        return float(digits) / 10.0 ** (len(whole) - 10)

    def _dated(self, parts: dict[str, bytes | None], *, is_full: bool) -> float | None:
        of_day_s = _of_day(parts)
        if of_day_s is None:
            return None
        if not is_full:
            return self._gone_on(parts, of_day_s)
        day_s = self._day_s(parts)
        if day_s is None:
            return None
        zone = parts["zone"]
        if zone:
            self.knows_zone = True
            if offset := _OFFSET.match(zone):
                offset_s = int(offset[2]) * 3600 + int(offset[3] or 0) * 60
                of_day_s += offset_s if offset[1] == b"-" else -offset_s
        return day_s + of_day_s

    # Days

    def _day_s(self, parts: dict[str, bytes | None]) -> float | None:
        """When the day began, of a time that says which one it is."""
        key = tuple([parts[name] for name in _OF_DAYS])
        if key != self._days[0]:
            self._days = key, self._new_day_s(parts)
        return self._days[1]

    def _new_day_s(self, parts: dict[str, bytes | None]) -> float | None:
        if year := parts["year"]:
            return _midnight_s(int(year), int(parts["month"] or 0), int(parts["day"] or 0))
        name = parts["month_name"] or parts["named"]
        if name is not None:
            year, day = parts["its_year"] or parts["year_behind"], parts["its_day"]
            return _midnight_s(int(year or 0), _month(name), int(day or parts["day_before"] or 0))
        first, then = int(parts["first"] or 0), int(parts["then"] or 0)
        if not self._day_first and (parts["between"] == b"." or first > 12):
            self._day_first = True
            self._shift_s = self._shift_to_day_first()
        by_month = (then, first) if self._day_first else (first, then)
        day_s = _midnight_s(_year(parts["last"]), *by_month)
        return None if day_s is None else day_s + self._shift_s

    def _shift_to_day_first(self) -> float:
        """How much later the days so far were taken to be."""
        parts, taken_s = dict(zip(_OF_DAYS, self._days[0], strict=False)), self._days[1]
        if taken_s is None or not parts.get("first"):
            return 0.0
        then, first = int(parts["then"] or 0), int(parts["first"] or 0)
        was_s = _midnight_s(_year(parts["last"]), then, first)
        return 0.0 if was_s is None else taken_s - was_s

    def _gone_on(self, parts: dict[str, bytes | None], of_day_s: float) -> float | None:
        """The time of a day without a year, or of no day that is said."""
        last_s = self._last_loose_s
        day = parts["day"] or parts["its_day"]
        if day is None:
            at_s = of_day_s if last_s is None else last_s // _DAY_S * _DAY_S + of_day_s
            if last_s is not None and at_s < last_s - _DAY_S / 2:
                at_s += _DAY_S
            elif last_s is not None and at_s > last_s + _DAY_S - _BACK_OVER_MIDNIGHT_S:
                at_s -= _DAY_S
        else:
            month = int(parts["month"] or 0) or _month(parts["month_name"] or b"")
            if said := parts["year"]:
                self._year = int(said)
            day_s = _midnight_s(self._year, month, int(day))
            if day_s is None and (month, int(day)) == (2, 29):  # then it was an earlier year
                self._year -= self._year % 4
                day_s, last_s = _midnight_s(self._year, month, int(day)), None
            if day_s is None:
                return None
            at_s = day_s + of_day_s
            if last_s is not None and not said:
                at_s = self._of_next_year(at_s, last_s, month, int(day), of_day_s)
        self._last_loose_s = at_s
        return at_s

    def _of_next_year(
        self, at_s: float, last_s: float, month: int, day: int, of_day_s: float
    ) -> float:
        if at_s > last_s - 6 * _MONTH_S:
            return at_s
        next_s = _midnight_s(self._year + 1, month, day)
        if next_s is None:
            return at_s
        self._year += 1
        return next_s + of_day_s

    # Stamps and values

    def of_stamp(self, stamp: bytes, found: re.Match[bytes] | None = None) -> float | None:
        """The time that is all of this text; None if it is none.

        Args:
            stamp: the text.
            found: what finds that it is a time, where that is known.
        """
        if stamp.startswith(self.second) and (part_s := self._part_s(stamp)) is not None:
            return self.second_s + part_s
        digits = stamp[self.length - 2 : self.length]
        if self._minute and digits.isdigit() and stamp.startswith(self._minute) and digits < b"60":
            self.second, self.second_s = stamp[: self.length], self._minute_s + int(digits)
            if (part_s := self._part_s(stamp)) is not None:
                return self.second_s + part_s
        found = found or TIME.fullmatch(stamp) or LOOSE_TIME.fullmatch(stamp)
        return found and self._of_other(stamp, found)

    def _of_other(self, stamp: bytes, found: re.Match[bytes]) -> float | None:
        """The time of one that does not begin as the last one did."""
        at_s = self._seconds(found)
        if at_s is None:
            self.second = self._minute = b"none"
            return None
        part = _PART.search(stamp)
        self.is_fine = self.is_fine or part is not None
        self.second, self._behind = (stamp[: part.start()], part[2]) if part else (stamp, b"")
        self.length = len(self.second)
        self.second_s = float(math.floor(at_s + 1e-6)) if part else at_s
        if self.second[-3:-2] == b":":
            self._minute = self.second[:-2]
            self._minute_s = self.second_s - int(self.second[-2:])
        else:
            self._minute = b""
        return at_s

    def _part_s(self, stamp: bytes) -> float | None:
        """The part of a second that follows what the last stamp began with."""
        part_s = None if self._behind else PARTS_S.get(stamp[self.length :])
        if part_s is None and stamp.endswith(self._behind):
            part = stamp[self.length : len(stamp) - len(self._behind)]
            if part[:1] in (b".", b",") and part[1:].isdigit():
                part_s = float(b"0." + part[1:])
        return part_s

    def of_json(self, value: object) -> float | None:
        """The time that a value under a time's key is; None if it is none."""
        if isinstance(value, str):
            if not value.isdecimal():
                found = found_in(value[:64].encode("utf-8", "replace"))
                return found and self.seconds(found)
            value = int(value[:32])
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        # seconds, or thousandths of them, millionths, milliardths: of this century
        units = (unit for unit in (1, 1e3, 1e6, 1e9) if 1e9 <= abs(value) / unit < 1e10)
        unit = next(units, None) if abs(value) < 1e20 and math.isfinite(value) else None
        if unit is None:
            return None
        self.knows_zone = True
        return value / unit


_OF_DAYS = (
    *("year", "month", "day", "first", "then", "last"),
    *("month_name", "its_day", "its_year", "day_before", "named", "year_behind"),
)


def _of_day(parts: dict[str, bytes | None]) -> float | None:
    """Seconds since midnight; None if there is no such hour or minute."""
    hour, minute = int(parts["hour"] or 0), int(parts["minute"] or 0)
    second_s = float((parts["second"] or b"0").replace(b",", b"."))
    if half := parts["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (half.strip()[:1] in b"pP")
    if hour > 23 or minute > 59 or second_s >= 61:  # a leap second is one
        return None
    return hour * 3600 + minute * 60 + second_s


def _year(digits: bytes | None) -> int:
    """Of two digits, one of this century."""
    number = int(digits or 0)
    return number + 2000 if number < 100 else number


def _month(name: bytes) -> int:
    return MONTHS.index(name) + 1 if name in MONTHS else 12


def _midnight_s(year: int, month: int, day: int) -> float | None:
    try:
        return datetime(year, month, day, tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None
