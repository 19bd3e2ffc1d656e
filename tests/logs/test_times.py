"""When a line was written, and by which process."""

from __future__ import annotations

import json

import pytest
from tests.logs.logs import STARTED, one, seen

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
        ("Nov 22 15:04:05 ", None),
        ("", None),
    ],
)
def test_a_time_at_its_usual_place_is_read(stamp, at_s):
    assert one(f"{stamp}{STARTED}\n").at_s == (at_s and pytest.approx(at_s, abs=1e-5))


@pytest.mark.parametrize(
    "ts", ["2026-11-22T15:04:05.123Z", AT, AT * 1e3, round(AT * 1e6), round(AT * 1e9)]
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
