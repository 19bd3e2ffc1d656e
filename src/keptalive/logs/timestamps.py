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
_ZONE = re.compile(rb"([+-])(\d\d):?(\d\d)?")


class Clock:
    """Reads times. Lines come in order, so that the last minute is mostly this one too."""

    def __init__(self) -> None:
        self._minute = b""
        self._minute_s: float | None = None

    def seconds(self, found: re.Match[bytes]) -> float | None:
        minute, second, zone, epoch = found.groups()
        if epoch is not None:
            return float(epoch)
        if minute != self._minute:
            self._minute, self._minute_s = minute, _since_1970(minute)
        if self._minute_s is None:
            return None
        at_s = self._minute_s + float(second.replace(b",", b"."))
        if zone and (parts := _ZONE.match(zone)):
            offset_s = int(parts[2]) * 3600 + int(parts[3] or 0) * 60
            at_s += offset_s if parts[1] == b"-" else -offset_s
        return at_s

    def of_json(self, value: object) -> float | None:
        if isinstance(value, str):
            found = TIME.search(value[:64].encode("utf-8", "replace"))
            return found and self.seconds(found)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        # seconds, or thousandths of them, millionths, milliardths: of this century
        units = (unit for unit in (1, 1e3, 1e6, 1e9) if 1e9 <= abs(value) / unit < 1e10)
        unit = next(units, None) if abs(value) < 1e20 and math.isfinite(value) else None
        return None if unit is None else value / unit


def _since_1970(minute: bytes) -> float | None:
    try:
        parsed = datetime.strptime(minute.decode().replace("T", " "), "%Y-%m-%d %H:%M")
    except ValueError:
        return None
    return parsed.replace(tzinfo=timezone.utc).timestamp()
