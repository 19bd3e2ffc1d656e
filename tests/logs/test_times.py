"""When a line was written, and by which process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from tests.logs.logs import ASKED, STARTED, lines, one, reading, seen

from keptalive.logs.explain import explained

DROPPED = "Resetting dropped connection: h.example"
AT = 1795359845.123  # 2026-11-22 15:04:05.123 UTC


@pytest.mark.parametrize(
    ("stamp", "at_s"),
    [
        ("2026-11-22 15:04:05,123 ", AT),
        ("2026-11-22T15:04:05.123Z ", AT),
        ("2026-11-22T16:04:05.123000+01:00 ", AT),
        ("2026-11-22T09:34:05.123-0530 ", AT),
        ("[2026-11-22 15:04:05] ", 1795359845.0),
        ("[2026-11-22 15:04:05 +0000] ", 1795359845.0),
        ("DEBUG 2026-11-22 15:04:05,123 ", AT),
        ("1795359845.123 ", AT),
        ("[1795359845.123] ", AT),
        ("1795359845 ", 1795359845.0),
        ("DEBUG 1795359845.123 ", AT),
        ("DEBUG 1795359845 ", None),
        ("2026-13-45 15:04:05,123 ", None),
        ("DEBUG 15:04 ", None),
        ("1795359845123 ", AT),
        ("2026-11-22T15:04:05.123000000Z ", AT),
        ("web-1  | 2026-11-22T15:04:05.123000000Z 2026-11-22 09:04:05,999 DEBUG ", AT),
        ("2026/11/22 15:04:05.123000 ", AT),
        ("20261122 15:04:05.123 - DEBUG - ", AT),
        ("11/22/2026 03:04:05 PM ", 1795359845.0),
        ("[11/22/26 15:04:05] DEBUG    ", 1795359845.0),
        ("22/11/2026 15:04:05 ", 1795359845.0),
        ("22.11.2026 15:04:05,123 ", AT),
        ("22/Nov/2026:15:04:05 +0000 ", 1795359845.0),
        ("Sun, 22 Nov 2026 15:04:05 GMT ", 1795359845.0),
        ("Sun Nov 22 15:04:05 2026 ", 1795359845.0),
        ("Nov 22, 2026 @ 15:04:05.123 ", AT),
        ("2026-13-45 03:04:05 PM ", None),
        ("[   12.345678] ", 12.345678),
        ("MAC 00:11:22:33:44:55 ", None),
        ("", None),
    ],
)
def test_a_time_at_its_usual_place_is_read(stamp, at_s):
    assert one(f"{stamp}{STARTED}\n").at_s == (at_s and pytest.approx(at_s, abs=1e-5))


DAY = 86400


def apart(*stamps: str) -> list[float | None]:
    """How long after the first each of these times is."""
    found = [line.at_s for line in seen("".join(f"{stamp} {STARTED}\n" for stamp in stamps))]
    return [at_s and round(at_s - found[0], 3) for at_s in found]


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        (("23:59:58,100", "00:00:05,200"), [0, 7.1]),
        (("23:59:58,100", "00:00:05", "23:59:59,500", "00:00:06"), [0, 6.9, 1.4, 7.9]),
        (("10:00:00", "09:59:59", "10:00:01"), [0, -1, 1]),
        (("Dec 31 23:59:58 box", "Jan  1 00:00:05 box"), [0, 7]),
        (("Nov  9 10:00:00 box", "Nov 10 10:00:00 box"), [0, DAY]),
        (("Nov 26 07:06:58.123456 box", "Nov 26 07:06:59.123456 box"), [0, 1]),
        (("12-31 23:59:58,1", "01-01 00:00:05,1"), [0, 7]),
        (("I1126 07:06:58.5 1 a.py:1]", "I1126 07:06:59.5 1 a.py:1]"), [0, 1]),
        (("12/11/2026 23:59:58", "13/11/2026 00:00:05", "14/11/2026 00:00:05"), [0, 7, DAY + 7]),
        (("11/30/2026 11:59:58 PM", "12/01/2026 12:00:05 AM"), [0, 7]),
        (("42-42 07:06:58", "42-42 07:06:59"), [None, None]),
    ],
)
def test_a_time_that_leaves_its_day_open_goes_on_from_the_last_one(stamps, expected):
    if expected[0] is None:
        assert [line.at_s for line in seen(f"{stamps[0]} {STARTED}\n")] == [None]
    else:
        assert apart(*stamps) == expected


def test_the_day_that_there_is_only_in_leap_years_is_read():
    assert None not in [line.at_s for line in seen(f"Feb 29 10:00:00 box {STARTED}\n")]


def test_a_time_behind_the_message_is_read():
    assert one(f"{STARTED} (2026-11-22 15:04:05,123)\n").at_s == pytest.approx(AT)


HEADED = "DEBUG    2026-11-22 15:04:05,123 [2365:Backend-6] urllib3.connectionpool\n"


@pytest.mark.parametrize("indent", ["  ", "\t", ""])
def test_a_time_on_a_line_of_its_own_is_the_next_lines(indent):
    text = f"{HEADED}{indent}{STARTED}\n{HEADED}{indent}{ASKED}\n".encode()
    for size in (len(text), 1, 90):
        log = reading(text, pieces=lambda _, size=size: pieces_of(text, size))
        found = lines(log)
        assert [line.at_s for line in found] == [pytest.approx(AT)] * 2
        assert (log.urllib3_lines, log.skipped) == (2, 0)


def pieces_of(text: bytes, size: int) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(0, len(text), size))


def test_a_line_of_somebody_else_is_no_header():
    assert one(f"2026-11-22 15:04:05,123 INFO app: hello\n{STARTED}\n").at_s is None


def test_a_time_that_is_left_out_since_it_is_the_same_is_the_last_one():
    text = f"[11/22/26 15:04:05] DEBUG {STARTED}\n                    DEBUG {ASKED}\n"
    assert [line.at_s for line in seen(text)] == [1795359845.0] * 2


@pytest.mark.parametrize(
    "ts",
    [
        str(round(AT * 1e6)),
        "2026-11-22T15:04:05.123Z",
        AT,
        AT * 1e3,
        round(AT * 1e6),
        round(AT * 1e9),
    ],
)
def test_a_time_in_json_is_read(ts):
    line = json.dumps({"timestamp": ts, "message": STARTED})
    assert one(line).at_s == pytest.approx(AT, abs=1e-3)


@pytest.mark.parametrize("ts", [True, None, [], "soon", 1, float("nan"), float("inf"), 10**30])
def test_what_is_no_time_in_json_is_none(ts):
    assert one(json.dumps({"ts": ts, "message": STARTED})).at_s is None


@pytest.mark.parametrize(
    "prefix",
    [
        "[pid 123] ",
        "pid=123 ",
        "process: 123 ",
        "Nov 22 15:04:05 web app[123]: ",
        "[2026-11-22 15:04:05 +0000] [123] [DEBUG] ",
        "123 140234567890123 ",
        "2026-11-22 15:04:05,123 123:140234567890123 DEBUG ",
    ],
)
def test_a_process_is_known_where_it_is_evident(prefix):
    assert one(f"{prefix}{STARTED}\n").process == 123


def test_a_number_that_is_as_long_as_a_threads_does_not_hide_one_that_follows():
    prefixes = ("123 999999999999999 ", "123 140234567890123 ", "7 140234567890123 ")
    found = seen("".join(f"{prefix}{STARTED}\n" for prefix in prefixes))
    assert [one.process for one in found] == [None, 123, 7]


def test_prefixes_that_differ_in_digits_only_have_their_own_processes_and_threads():
    found = seen("".join(f"{n} [pid {n % 3 + 10}] x{n}: {STARTED}\n" for n in range(9)))
    assert [one.process for one in found] == [10, 11, 12] * 3
    assert [one.event.thread for one in found] == [1, 2, 3] * 3


@pytest.mark.parametrize(
    "record",
    [
        {"pid": 123},
        {"process": 123},
        {"process": {"id": 123, "name": "MainProcess"}},
        {"process": {"pid": 123, "thread": {"id": 7}}},
        {"process.pid": 123, "process.thread.name": "MainThread"},
    ],
)
def test_a_process_is_known_in_json(record):
    assert one(json.dumps({"message": STARTED, **record})).process == 123


@pytest.mark.parametrize("prefix", ["", "connectionpool.py:823 ", "connectionpool[823]: ", "[7] "])
def test_a_number_that_may_be_anything_is_no_process(prefix):
    assert one(f"{prefix}{STARTED}\n").process is None


# -- Idle times, whatever the form of the times --------------------------------------------------

AT_S = [(0, STARTED), (0.1, ASKED), (11, ASKED), (22, DROPPED), (22.1, ASKED), (33, ASKED)]
FORMS = [
    "{:%b %d %H:%M:%S} box7 sync.py[4242]: DEBUG:urllib3.connectionpool:{}",
    "{:%b %d %H:%M:%S.%f} box7 sync.py[4242]: {}",
    "DEBUG    {:%Y-%m-%d %H:%M:%S,%f} [2365:MusicBackend-6] urllib3.connectionpool\n  {}",
    "{:%m/%d/%Y %I:%M:%S %p} DEBUG urllib3.connectionpool {}",
    "{:%Y%m%d %H:%M:%S.%f} - DEBUG - {}",
    "{:%H:%M:%S} {}",
    "[{:%H:%M:%S,%f}] DEBUG {}",
    "{:%Y-%m-%dT%H:%M:%S.%f}123Z stderr F {}",
    "{:%Y/%m/%d %H:%M:%S} {}",
    "{:%Y-%m-%dT%H:%M:%S.%f+00:00} app[web.1]: {}",
    "D{:%m%d %H:%M:%S.%f} 140234567890123 connectionpool.py:812] {}",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("begins", ["2026-11-26 07:06:58.100", "2026-12-31 23:59:40.200"])
def test_no_form_of_times_loses_how_long_a_connection_was_idle(form, begins, tmp_path):
    began = datetime.fromisoformat(begins)
    lines_of_it = [form.format(began + timedelta(seconds=at_s), said) for at_s, said in AT_S]
    (tmp_path / "app.log").write_text("\n".join(lines_of_it))
    report = explained(str(tmp_path / "app.log"))
    (host,) = report.hosts
    assert (host.requests, host.opened) == (4, 2)
    (cause,) = (cause for cause in host.causes if cause.cause == "dropped")
    assert cause.facts["idle_s"]["most"] == pytest.approx(11, abs=1)
    assert not report.warnings[:-1]
