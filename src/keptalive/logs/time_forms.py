"""Where in a text a time is: the forms in which logs have them."""

from __future__ import annotations

import re

MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov")
_MONTH = rb"(?:" + b"|".join((*MONTHS, b"Dec")) + rb")"
_CLOCK = (
    rb"(?P<hour>\d\d?):(?P<minute>\d\d):(?P<second>\d\d(?:[.,]\d{1,9})?)"
    rb"(?P<half>\ ?[AaPp]\.?[Mm]\b\.?)?"
)
_ZONE = rb"(?:\ ?(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)(?!\w))?"

# A time that says which day it is, or seconds since 1970
TIME = re.compile(
    rb"""
    (?<![\d.])(?:
        (?P<year>\d{4})(?P<gap>[-/.]?)(?P<month>\d\d)(?P=gap)(?P<day>\d\d)
        | (?P<first>\d\d?)(?P<between>[/.-])(?P<then>\d\d?)(?P=between)(?P<last>\d{4}|\d\d)
        | (?P<month_name>%(month)s)[a-z]{0,6}\ +(?P<its_day>\d\d?),?\ (?P<its_year>\d{4})
        | (?P<day_before>\d\d?)[ /-](?P<named>%(month)s)[a-z]{0,6}[ /-](?P<year_behind>\d{4})
    )(?:[T_\ :-]|,\ ?|\ [@-]\ )%(clock)s%(zone)s
    # seconds since 1970: where a line begins, elsewhere only with a fraction
    | (?:^[\[("]?|(?<![\w.:/-])(?=\d{10}\.))(?P<epoch>[12]\d{9}(?:\.\d{1,9})?)(?![\w.])
    | ^[\[("]?(?P<fine_epoch>[12]\d{9}(?:\d{3}){1,3})(?![\w.])
    """
    % {b"month": _MONTH, b"clock": _CLOCK, b"zone": _ZONE},
    re.VERBOSE,
)
# One that leaves the day or the year open, where there is none of the others
LOOSE_TIME = re.compile(
    rb"""
    (?:
        (?<!\w)(?P<month_name>%(month)s)\ +(?P<day>\d\d?)
            \ (?=[\d:.,]+(?:\ (?P<year>\d{4})(?![\w:.]))?)
        | (?<!\w)(?P<letter>[A-Z])?(?P<month>\d\d)(?(letter)|[-/.])(?P<its_day>\d\d)\ (?=\d\d:)
        | (?<![\w:.,/-])
    )%(clock)s(?![\w:.])
    | (?<![\w.:/-])(?P<epoch>1[6-9]\d{11}|2\d{12})(?![\w.])
    | ^\[\ *(?P<since_boot>\d{1,9}\.\d{6})\]
    """
    % {b"month": _MONTH, b"clock": _CLOCK},
    re.VERBOSE,
)


def found_in(text: bytes) -> re.Match[bytes] | None:
    """The first time in a text; of one that leaves its day open, only if there is no other."""
    return TIME.search(text) or LOOSE_TIME.search(text)


def without_times(text: bytes) -> bytes:
    """The text without any time."""
    return LOOSE_TIME.sub(b"", TIME.sub(b"", text))
