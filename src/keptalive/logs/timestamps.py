"""When a line was written: times as logs have them, in seconds since 1970."""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone

TIME = re.compile(
    rb"(?<![\d.])(\d{4}-\d\d-\d\d[T ]\d\d:\d\d):(\d\d(?:[.,]\d{1,9})?)"
    rb"(?: ?(Z|[+-]\d\d(?::?\d\d)?)(?!\w))?"
    # seconds since 1970: where a line begins, elsewhere only with a fraction
    rb"|(?:^[\[(\"]?|(?<![\w.:/-])(?=\d{10}\.))([12]\d{9}(?:\.\d{1,9})?)(?![\w.])"
)
# Parts of a second, as most logs write them
PARTS_S = {b"": 0.0} | {
    b"%c%03d" % (point, part): part / 1000 for point in b",." for part in range(1000)
}
_ZONE = re.compile(rb"([+-])(\d\d):?(\d\d)?")


class Clock:
    """Reads times. Lines come in order, so that the last minute is mostly this one too.

    Attributes:
        knows_zone: some time had a zone, or was seconds since 1970.
        second, second_s: what the last `of_stamp` began with ("2026-11-22 15:04:05"), and when that
            was; what follows it (",123") is one of `PARTS_S`.
    """

    def __init__(self) -> None:
        self.knows_zone = False
        self._minute = b""
        self._minute_s: float | None = None
        self.second = b"none"
        self.second_s = 0.0

    def seconds(self, found: re.Match[bytes]) -> float | None:
        """The time that `TIME` has found; None if there is no such day, hour or minute."""
        minute, second, zone, epoch = found.groups()
        if epoch is not None:
            self.knows_zone = True
            return float(epoch)
        if minute != self._minute:
            self._minute, self._minute_s = minute, _since_1970(minute)
        if self._minute_s is None:
            return None
        at_s = self._minute_s + float(second.replace(b",", b"."))
        self.knows_zone = self.knows_zone or bool(zone)
        if zone and (parts := _ZONE.match(zone)):
            offset_s = int(parts[2]) * 3600 + int(parts[3] or 0) * 60
            at_s += offset_s if parts[1] == b"-" else -offset_s
        return at_s

    def of_stamp(self, stamp: bytes) -> float | None:
        """The time that is all of this text; None if it is none."""
        if stamp.startswith(self.second) and (part_s := PARTS_S.get(stamp[19:])) is not None:
            return self.second_s + part_s
        found = TIME.fullmatch(stamp)
        at_s = found and self.seconds(found)
        part_s = PARTS_S.get(stamp[19:])
        if at_s is not None and part_s is not None:
            self.second, self.second_s = stamp[:19], round(at_s - part_s) if part_s else at_s
        return at_s

    def of_json(self, value: object) -> float | None:
        """The time that a value under a time's key is; None if it is none."""
        if isinstance(value, str):
            found = TIME.search(value[:64].encode("utf-8", "replace"))
            return found and self.seconds(found)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        # seconds, or thousandths of them, millionths, milliardths: of this century
        units = (unit for unit in (1, 1e3, 1e6, 1e9) if 1e9 <= abs(value) / unit < 1e10)
        unit = next(units, None) if abs(value) < 1e20 and math.isfinite(value) else None
        if unit is None:
            return None
        self.knows_zone = True
        return value / unit


def _since_1970(minute: bytes) -> float | None:
    try:
        parsed = datetime.strptime(minute.decode().replace("T", " "), "%Y-%m-%d %H:%M")
    except ValueError:
        return None
    return parsed.replace(tzinfo=timezone.utc).timestamp()
