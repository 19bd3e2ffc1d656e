"""Events read from debug logs, against logs that real urllib3s wrote, and against garbage."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st

from keptalive.errors import UsageError
from keptalive.model import Answered, Resetting, Retrying, RetryingStatus, Starting
from keptalive.watching import debug_log, pool_log
from keptalive.watching.debug_log import Discarding, Reading, Seen

ASKED = 'https://h.example:443 "GET /a?token=s3cret HTTP/1.1" 200 12'
STARTED = "Starting new HTTPS connection (1): h.example:443"
START = Starting(thread=1, scheme="https", host="h.example", port=443, ordinal=1)
ANSWER = Answered(thread=1, scheme="https", host="h.example", port=443, status=200)


def reading(text: str | bytes, **options) -> Reading:
    raw = text.encode() if isinstance(text, str) else text
    return debug_log.read(io.BytesIO(raw), **options)


def seen(text: str | bytes) -> list[Seen]:
    return list(reading(text))


def events(text: str | bytes) -> list[object]:
    return [one.event for one in seen(text)]


def one(text: str | bytes) -> Seen:
    (only,) = seen(text)
    return only


# -- What urllib3 says, and what it once said ----------------------------------------------------


def starting(host: str, port: int, *, scheme: str = "https", ordinal: int = 1) -> Starting:
    return Starting(thread=1, scheme=scheme, host=host, port=port, ordinal=ordinal)


def answered(host: str, port: int, status: int = 200, *, scheme: str = "https") -> Answered:
    return Answered(thread=1, scheme=scheme, host=host, port=port, status=status)


MESSAGES = [
    ("Starting new HTTP connection (12): h:8080", starting("h", 8080, scheme="http", ordinal=12)),
    ("Starting new HTTPS connection (1): ::1:37929", starting("::1", 37929)),
    ("Starting new HTTPS connection (1): [::1]:37929", starting("::1", 37929)),
    ("Starting new HTTPS connection (1): ::1", starting("::1", 443)),
    ("Starting new HTTP connection (3): h", starting("h", 80, scheme="http", ordinal=3)),
    ("Resetting dropped connection: h.example", Resetting(thread=1, host="h.example")),
    ("Resetting dropped connection: ::1", Resetting(thread=1, host="::1")),
    ("Connection pool is full, discarding connection: h", Discarding(thread=1, host="h")),
    (
        "Connection pool is full, discarding connection: h.x. Connection pool size: 10",
        Discarding(thread=1, host="h.x"),
    ),
    (
        (
            "Retrying (Retry(total=2, connect=None, read=None)) after "
            "connection broken by "
            "'ProtocolError('Connection aborted.', Gone('R'))': /a"
        ),
        Retrying(thread=1),
    ),
    ("Retry: /a?b=c", RetryingStatus(thread=1)),
    (ASKED, ANSWER),
    ('http://h:80 "POST /a b HTTP/1.0" 503 None', answered("h", 80, 503, scheme="http")),
    ('http://h:None "GET / HTTP/1.1" 204 0', answered("h", 80, 204, scheme="http")),
    ('https://h:443 "GET / HTTP/11" 200 0', answered("h", 443)),
    ('https://h:443 "GET / HTTP/2" 200 None', answered("h", 443)),
    ('https://::1:8443 "GET / HTTP/1.1" 200 1', answered("::1", 8443)),
    ('https://[::1]:8443 "GET / HTTP/1.1" 200 1', answered("::1", 8443)),
    ('http://h:80 "GET http://x:1/?q=http://y:2 HTTP/1.1" 200 1', answered("h", 80, scheme="http")),
]
NOTHING = [
    ("Connection pool is full, temporary increase, keeping connection: h. Connection pool size: 1"),
    "Redirecting /a -> /b",
    "Failed to parse headers (url=https://h:443/a): [MissingHeaderBodySeparatorDefect()]",
    "Attempting Happy-Eyeball h:443",
]
FORMATS = [
    "%(message)s",
    "%(levelname)s:%(name)s:%(message)s",
    "%(asctime)s %(levelname)-8s [%(threadName)s] %(name)s: %(message)s",
    "%(asctime)s | %(name)s:%(funcName)s:%(lineno)d - %(message)s",
    "%(process)d %(thread)d %(message)s",
    "%(message)s (%(threadName)s, %(filename)s:%(lineno)d)",
    "\x1b[36m%(levelname)s\x1b[0m %(name)s \x1b[1m%(message)s\x1b[0m",
    '{"message": %(json)s, "logger": "%(name)s", "ts": %(created)f}',
    '{"log": {"logger": "%(name)s"}, "msg": %(json)s}',
    'time=%(created)f level=debug msg="%(message)s" thread=%(threadName)s',
]


def formatted(fmt: str, message: str, name: str = "urllib3.connectionpool") -> str:
    record = logging.LogRecord(name, logging.DEBUG, "/x/connectionpool.py", 7, message, (), None)
    record.json = json.dumps(message)
    return logging.Formatter(fmt).format(record)


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize(("message", "event"), MESSAGES)
def test_every_message_is_read_in_every_format(message, event, fmt, ending):
    log = reading(f"noise\n{formatted(fmt, message)}{ending}")
    (only,) = log
    assert (event, "urllib3.connectionpool", 2) == (only.event, only.source, only.line)
    assert (log.lines, log.urllib3_lines, log.skipped) == (2, 1, 0)


@pytest.mark.parametrize("fmt", FORMATS[1:2] + FORMATS[7:8])
@pytest.mark.parametrize("message", NOTHING)
def test_other_messages_are_urllib3s_too_but_tell_of_nothing(message, fmt):
    log = reading(formatted(fmt, message) + "\n")
    assert list(log) == []
    assert (log.urllib3_lines, log.skipped) == (1, 0)


@pytest.mark.parametrize(
    "name",
    [
        "urllib3.connectionpool",
        "requests.packages.urllib3.connectionpool",
        "botocore.vendored.requests.packages.urllib3.connectionpool",
        "pip._vendor.urllib3.connectionpool",
        "urllib3_future.connectionpool",
        "urllib3_future._async.connectionpool",
    ],
)
@pytest.mark.parametrize("fmt", [f for f in FORMATS if "%(name)s" in f])
def test_the_source_is_the_loggers_name(name, fmt):
    assert name == one(formatted(fmt, STARTED, name)).source


def test_old_request_lines_are_of_the_host_that_their_lane_has_opened():
    log = (
        "INFO:urllib3.connectionpool:Starting new HTTPS connection (1): a\n"
        'DEBUG:urllib3.connectionpool:"GET /x HTTP/1.1" 200 123\n'
        'DEBUG:urllib3.connectionpool:"GET /x HTTP/1.1" 200 123\n'
        "INFO:urllib3.connectionpool:Starting new HTTP connection (1): b\n"
        'DEBUG:urllib3.connectionpool:"GET /x HTTP/1.1" 404 None\n'
        "INFO:urllib3.connectionpool:Resetting dropped connection: a\n"
        'DEBUG:urllib3.connectionpool:"GET /x HTTP/1.1" 200 123\n'
    )
    a = answered("a", 443)
    b = starting("b", 80, scheme="http")
    expected = [starting("a", 443), a, a, b, answered("b", 80, 404, scheme="http")]
    assert [*expected, Resetting(thread=1, host="a"), a] == events(log)


def test_an_old_request_line_that_may_be_of_two_hosts_is_skipped():
    log = reading(
        "INFO:urllib3.connectionpool:Starting new HTTPS connection (1): a\n"
        "INFO:urllib3.connectionpool:Starting new HTTP connection (1): b\n"
        'DEBUG:urllib3.connectionpool:"GET /x HTTP/1.1" 200 123\n'
        'DEBUG:urllib3.connectionpool:"GET /x HTTP/1.1" 200 123\n'
    )
    assert len(list(log)) == 3
    assert (log.urllib3_lines, log.skipped) == (4, 1)


@pytest.mark.parametrize(
    "line",
    [
        '127.0.0.1 - - [22/Nov/2026 15:04:05] "GET / HTTP/1.1" 200 -',
        '10.0.0.1 - - [22/Nov/2026:15:04:05 +0000] "GET / HTTP/1.1" 200 512 "-" "curl/8"',
        'INFO:     127.0.0.1:4711 - "GET / HTTP/1.1" 200 OK',
        'INFO:httpx:HTTP Request: GET https://h.example/ "HTTP/1.1 200 OK"',
        "INFO:jobs:Retry: 3 of 5",
        "INFO:jobs:AutoRetry: /a",
        '  File "/x/urllib3/connectionpool.py", line 703, in urlopen',
        "HTTPSConnectionPool(host='h', port=443): Max retries exceeded with url: /",
    ],
)
def test_lines_that_look_alike_are_nobodys(line):
    log = reading(f"{line}\nDEBUG:urllib3.connectionpool:{STARTED}\n{line}\n")
    assert [one.event for one in log] == [START]
    assert (log.urllib3_lines, log.skipped) == (1, 0)


def test_where_the_logger_is_named_an_unnamed_retry_is_somebody_elses():
    assert [RetryingStatus(thread=1)] == events("INFO:jobs:Retry: /a\n")
    named = f"DEBUG:urllib3.connectionpool:{STARTED}\n"
    assert events(named + "INFO:jobs:Retry: /a\n") == [START]


# -- When, and which process ---------------------------------------------------------------------

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
def test_a_process_is_told_where_it_is_evident(prefix):
    assert one(f"{prefix}{STARTED}\n").process == 123


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
def test_a_process_is_told_in_json(record):
    assert one(json.dumps({"message": STARTED, **record})).process == 123


@pytest.mark.parametrize("prefix", ["", "connectionpool.py:823 ", "connectionpool[823]: ", "[7] "])
def test_a_number_that_may_be_anything_is_no_process(prefix):
    assert one(f"{prefix}{STARTED}\n").process is None


# -- Lanes ---------------------------------------------------------------------------------------


def lanes(*prefixes: str) -> list[int]:
    return [one.event.thread for one in seen("".join(f"{p}{STARTED}\n" for p in prefixes))]


@pytest.mark.parametrize(
    ("one_thread", "another"),
    [
        ("[MainThread] ", "[Thread-3] "),
        ("Thread-1 (work) ", "Thread-2 (work) "),
        ("ThreadPoolExecutor-0_0 ", "ThreadPoolExecutor-0_1 "),
        ("[crawler-thread-1] ", "[crawler-thread-2] "),
        ("12 140234567890123 ", "12 140234567890987 "),
        ("thread=a ", "thread=b "),
        ("tid 1 ", "tid 2 "),
    ],
)
def test_evident_threads_have_lanes_of_their_own(one_thread, another):
    stamped = [f"2026-11-22 15:04:0{n},12{n} DEBUG " for n in range(4)]
    log = "".join(
        f"{stamp}{who}{STARTED}\n"
        for stamp, who in zip(stamped, (one_thread, another, one_thread, another), strict=True)
    )
    read = reading(log)
    assert [one.event.thread for one in read] == [1, 2, 1, 2]
    assert read.tells_threads


@pytest.mark.parametrize(
    ("one_process", "another"),
    [("[pid 1] ", "[pid 2] "), ("ForkPoolWorker-1 ", "ForkPoolWorker-2 "), ("a[1]: ", "a[2]: ")],
)
def test_processes_have_lanes_but_do_not_tell_threads(one_process, another):
    log = reading("".join(f"{p}{STARTED}\n" for p in (one_process, another, one_process)))
    assert [one.event.thread for one in log] == [1, 2, 1]
    assert not log.tells_threads


def test_a_thread_behind_the_message_counts_as_well():
    log = reading("".join(f"{STARTED} [Thread-{n}]\n" for n in (1, 2, 1)))
    assert [one.event.thread for one in log] == [1, 2, 1]
    assert log.tells_threads


def test_a_thread_in_json_counts_as_well():
    lines = [json.dumps({"ts": n, "thread": f"t {n % 2}", "message": STARTED}) for n in range(4)]
    assert [one.event.thread for one in seen("\n".join(lines))] == [1, 2, 1, 2]


@pytest.mark.parametrize(
    "form",
    [
        "{ms} ms {message}",  # relativeCreated
        "15:04:05 {message}",
        "connectionpool {lineno} {message}",
        "[connectionpool.py:{lineno}] {func} {message}",
        "request-{ms} {message}",
        "mem={few} {message}",
    ],
)
def test_what_merely_differs_makes_no_lanes(form):
    """One thread, with retries and two hosts: what it opens must stay beside its answer."""
    lines = []
    for n in range(300):
        host = f"h{n % 2}"
        start = f"Starting new HTTPS connection ({n}): {host}:443"
        answer = f'https://{host}:443 "GET / HTTP/1.1" 200 1'
        lines += [
            form.format(ms=n * 7, few=n % 3, lineno=1049, func="_new_conn", message=start),
            form.format(ms=n * 7 + 5, few=n % 5, lineno=546, func="_make_request", message=answer),
        ]
    log = reading("\n".join(lines))
    assert {1} == {one.event.thread for one in log}
    assert not log.tells_threads


def test_workers_with_names_of_their_own_have_lanes_since_that_explains_the_order():
    lines = []
    for n in range(20):
        host = [f"h{w}" for w in range(4)]
        names = ["fetch_a", "fetch_b", "spider", "main"]
        lines += [
            f"{n * 9 + w} {names[w]} L{1049} Starting new HTTPS connection ({n}): {host[w]}:443"
            for w in range(4)
        ]
        lines += [
            f'{n * 9 + 5 + w} {names[w]} L{546} https://{host[w]}:443 "GET / HTTP/1.1" 200 1'
            for w in (2, 0, 3, 1)
        ]
    log = reading("\n".join(lines))
    by_lane = {(one.event.thread, one.event.host) for one in log}
    assert len(by_lane) == 4
    assert log.tells_threads


def test_a_log_without_a_word_of_threads_is_one_lane_and_says_so():
    log = reading(f"DEBUG:urllib3.connectionpool:{STARTED}\n" * 3)
    assert {1} == {one.event.thread for one in log}
    assert not log.tells_threads
    assert not reading("").tells_threads


# -- Forms of input ------------------------------------------------------------------------------

LOG = f"DEBUG:urllib3.connectionpool:{STARTED}\nnoise\nDEBUG:urllib3.connectionpool:{ASKED}\n"


def test_a_path_is_read(tmp_path):
    path = tmp_path / "a.log"
    path.write_text(LOG)
    for given_as in (path, str(path)):
        log = debug_log.read(given_as)
        assert [one.event for one in log] == [START, ANSWER]
        assert (log.lines, log.bytes) == (3, len(LOG))


def test_standard_input_is_read():
    code = (
        "from keptalive.watching import debug_log\n"
        "log = debug_log.read('-')\n"
        "assert len(list(log)) == 2 and log.lines == 3"
    )
    subprocess.run([sys.executable, "-c", code], input=LOG.encode(), check=True, timeout=30)


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(LOG.encode()),
        gzip.compress(LOG[:60].encode()) + gzip.compress(LOG[60:].encode()),
        gzip.compress(LOG.encode()) + b"\0" * 512,
    ],
    ids=["one member", "two members", "padded"],
)
def test_gzip_is_unpacked_whatever_it_is_called(packed):
    log = reading(packed)
    assert [one.event for one in log] == [START, ANSWER]
    assert (log.bytes, log.ended_early) == (len(LOG), False)


def test_a_damaged_gzip_is_read_as_far_as_it_goes():
    whole = gzip.compress(os.urandom(50_000).hex().encode() + b"\n" + LOG.encode() * 100)
    for packed, lines in ((whole[:-2000], 1), (whole + b"junk", 301)):
        log = reading(packed)
        list(log)
        assert (log.lines, log.ended_early) == (lines, True)
    log = reading(whole[:30000] + b"x" * 99 + whole[30099:])
    assert not list(log)
    assert log.ended_early


def test_what_powershell_redirects_is_read():
    for bom, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        assert events(bom + LOG.replace("\n", "\r\n").encode(encoding)) == [START, ANSWER]
    assert events(codecs.BOM_UTF8 + LOG.encode()) == [START, ANSWER]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_pieces_of_any_size_make_the_same_lines(size):
    class Drop(io.BytesIO):
        def read1(self, _size=-1):
            return super().read1(size)

    expected = seen(LOG * 3)
    assert expected == list(debug_log.read(Drop((LOG * 3).encode())))
    assert expected == list(debug_log.read(Drop(gzip.compress((LOG * 3).encode()))))


@pytest.mark.parametrize("name", ["missing.log", "."])
def test_a_log_that_cannot_be_read_is_wrong_usage(tmp_path, name):
    with pytest.raises(UsageError, match="The log cannot be read"):
        list(debug_log.read(tmp_path / name))


# -- Following -----------------------------------------------------------------------------------


class Follower:
    """Follows a log; at each wait, the next step of the story happens."""

    def __init__(self, path: Path, *steps) -> None:
        self.steps = list(steps)
        self.log = debug_log.read(path, until=lambda: not self.steps, wait=self.wait)

    def wait(self, seconds: float) -> None:
        assert 0 < seconds < 1
        self.steps.pop(0)()

    def hosts(self) -> list[str]:
        return [one.event.host for one in self.log]


def line(host: str) -> str:
    return f"Resetting dropped connection: {host}\n"


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "app.log"
    path.write_text(line("a"))
    return path


def test_a_growing_log_is_followed_and_half_lines_are_waited_for(path):
    follower = Follower(
        path,
        lambda: add(path, "Resetting dropped conn"),
        lambda: None,
        lambda: add(path, "ection: b\n"),
        lambda: add(path, line("c") + line("d").rstrip()),
    )
    assert follower.hosts() == ["a", "b", "c", "d"]
    assert follower.log.lines == 4


def test_an_event_is_told_before_the_next_wait(path):
    told = []
    follower = Follower(path, lambda: told.append("waited"))
    for one in follower.log:
        told.append(one.event.host)  # noqa: PERF401 - beside what is told meanwhile
    assert told == ["a", "waited"]


def test_a_rotated_log_is_followed_and_its_last_lines_are_not_lost(path):
    def rotate():
        path.rename(path.with_suffix(".1"))
        add(path.with_suffix(".1"), line("b"))
        path.write_text(line("c"))

    assert Follower(path, rotate, lambda: add(path, line("d"))).hosts() == ["a", "b", "c", "d"]


def test_a_rotation_in_two_steps_is_waited_for(path):
    moved = path.with_suffix(".1")
    steps = [
        lambda: path.rename(moved),
        lambda: add(moved, line("b")),
        lambda: path.write_text(line("c")),
        lambda: None,
    ]
    assert Follower(path, *steps).hosts() == ["a", "b", "c"]


def test_a_log_that_vanished_between_two_looks_ends_when_it_is_told_to(path, monkeypatch):
    follower = Follower(path, path.unlink, lambda: None, lambda: None)
    replaced = iter([False, True])
    monkeypatch.setattr(follower.log, "_replaced", lambda _file: next(replaced))
    assert follower.hosts() == ["a"]


def test_a_truncated_log_is_read_from_its_new_beginning(path):
    add(path, line("b") + "half a li")
    log = Follower(path, lambda: path.write_text(line("c")), lambda: None)
    assert log.hosts() == ["a", "b", "c"]


def test_a_followed_log_that_does_not_exist_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError):
        next(debug_log.read(tmp_path / "missing", until=lambda: False))


def test_following_needs_no_help_to_wait(path):
    over = threading.Event()
    log = debug_log.read(path, until=over.is_set)
    assert next(log).event.host == "a"
    over.set()
    add(path, line("b"))
    assert [one.event.host for one in log] == ["b"]


# -- Garbage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "DEBUG:urllib3.connectionpool:"])
@pytest.mark.parametrize(
    "cut",
    [
        "Starting new HTTPS connection (1",
        "Starting new HTTPS connection (1): h:x",
        "Starting new HTTPS connection (1): h:4432026-11-22 DEBUG",
        "Resetting dropped connection: ",
        "Connection pool is full, discarding connection: h. Connection pool si",
        "Retrying (Retry(total=2)) after connection broken by 'Proto",
        'https://h:443 "GET /a HTTP/1.1" 20',
        'https://h:443 "GET /a HTTP/1.1',
        'https://h:443 "GET /very/long',
        '{"message": "Starting new HTTPS connection (1): h:44',
        'F {"message": "Starting new HTTPS connection (1): h:44',
    ],
)
def test_a_line_that_was_cut_off_is_counted(name, cut):
    log = reading(f"{name}{cut}\n")
    assert list(log) == []
    assert (log.urllib3_lines, log.skipped) == (1, 1)


@pytest.mark.parametrize(
    "cut", ["Start", "Retry: ", 'https://h:443 "GET /very/long', "Retrying (Retry(t"]
)
def test_a_line_that_was_cut_off_early_is_counted_where_the_logger_is_named(cut):
    log = reading(f"DEBUG:urllib3.connectionpool:{cut}\n")
    assert list(log) == []
    assert (log.urllib3_lines, log.skipped) == (1, 1)


def test_a_host_without_port_where_ports_are_told_was_cut_off():
    log = reading(f"{STARTED}\nStarting new HTTPS connection (2): h.exa\n")
    assert [one.event for one in log] == [START]
    assert log.skipped == 1


def test_two_lines_torn_into_one_give_the_one_that_can_be_read():
    torn = f"Starting new HTTPS connection (1): h:4432026-11-22 15:04:05 DEBUG {ASKED}\n"
    assert events(torn) == [ANSWER]


def test_a_hole_before_a_line_is_no_part_of_it():
    log = reading(b"\0" * 3_000_000 + f"{STARTED}\n".encode() + b"\0" * 70 + ASKED.encode())
    assert [one.event for one in log] == [START, ANSWER]
    assert log.lines == 2


def test_lines_of_megabytes_are_passed_over_and_counted():
    long = b"x" * 3_000_000
    log = reading(
        long + b"\n" + STARTED.encode() + b" " + long + b"\n" + ASKED.encode() + b"\n" + long
    )
    assert [(one.event, one.line) for one in log] == [(ANSWER, 3)]
    assert (log.lines, log.urllib3_lines, log.skipped) == (4, 2, 1)


@pytest.mark.parametrize(
    "hostile",
    [
        b" HTTP/",
        b'http://a:1 "G ',
        b"Retrying (",
        b") after connection broken by '",
        b"Retry: /",
        b"urllib3.connectionpool",
        b".connectionpool",
        b"a",
        b'{"',
        b'{"a":',
        b"[",
        b"thread-",
        b"Starting new HTTP connection (1): ",
        b"http://",
        b"2026-11-22 15:04:05 ",
    ],
)
def test_no_line_costs_the_square_of_its_length(hostile):
    text = hostile * (250_000 // len(hostile)) + b' "GET / HTTP/1.1" 200 1 .connectionpool Retry: '
    began = time.process_time()
    list(reading((text + b"\n") * 4))
    assert time.process_time() - began < 2


PIECES = st.lists(
    st.one_of(
        st.sampled_from([m.encode() for m, _ in MESSAGES] + [m.encode() for m in NOTHING]),
        st.sampled_from([needle.text for needle in debug_log._NEEDLES]),
        st.sampled_from([f.encode() for f in FORMATS]),
        st.sampled_from(
            [b"\n", b"\r", b"\0", b'{"', b'"}', b" ", b"\xff\xfe", b"\x1f\x8b", b"urllib3.", b"[::"]
        ),
        st.sampled_from([b"2026-11-22 15:04:05,123 ", b"9999999999.9", b"[pid 1] ", b"Thread-1 "]),
        st.binary(max_size=12),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=400)
@given(PIECES)
def test_no_garbage_is_ever_an_error(pieces):
    log = reading(b"".join(pieces))
    found = list(log)
    assert len(found) + log.skipped <= log.urllib3_lines <= log.lines
    assert [one.line for one in found] == sorted({one.line for one in found})


@settings(deadline=None)
@given(PIECES, st.integers(1, 40))
def test_it_makes_no_difference_how_the_bytes_come(pieces, size):
    class Drop(io.BytesIO):
        def read1(self, _size=-1):
            return super().read1(size)

    def without_lanes(log: Reading) -> list[object]:
        # what makes lanes is learned as it comes
        return [(type(one.event), one.source, one.at_s, one.line) for one in log]

    raw = b"".join(pieces)
    whole, dropped = reading(raw), debug_log.read(Drop(raw))
    assert without_lanes(whole) == without_lanes(dropped)
    assert (whole.lines, whole.skipped, whole.bytes) == (
        dropped.lines,
        dropped.skipped,
        dropped.bytes,
    )


@settings(deadline=None)
@given(st.sampled_from(MESSAGES), st.sampled_from(FORMATS), st.data())
def test_a_line_cut_off_anywhere_is_no_error_and_no_other_events(message, fmt, data):
    text = formatted(fmt, message[0])
    found = events(text[: data.draw(st.integers(0, len(text)))])
    assert len(found) <= 1
    assert all(isinstance(event, type(message[1])) for event in found)


# -- Secrets -------------------------------------------------------------------------------------


def everything(value: object, known: dict[int, object]) -> str:
    """All that an object holds, as text."""
    if id(value) in known or isinstance(value, type):
        return ""
    known[id(value)] = value  # kept, lest another gets its id
    if isinstance(value, str | bytes | int | float | None):
        return repr(value)
    parts = list(value.items()) if isinstance(value, dict) else []
    parts += list(value) if isinstance(value, list | tuple | set | frozenset) else []
    parts += [getattr(value, name, None) for name in getattr(value, "__slots__", ())]
    parts += list(getattr(value, "__dict__", {}).items())
    return " ".join(everything(part, known) for part in parts)


def test_nothing_is_kept_of_a_query_string():
    secret = "s3cret"
    lines = [
        formatted(fmt, message)
        for fmt in FORMATS
        for message in (
            ASKED,
            f"Retry: /a?token={secret}",
            f"Retry: /a b?token={secret} {secret}",
            f"Retrying (Retry(total=1)) after connection broken by 'E('x')': /a?token={secret}",
            f'https://h:443 "GET /?thread={secret} HTTP/1.1" 200 1 Authorization: {secret}',
            f'{{"Authorization": "{secret}"}} {STARTED}',
        )
    ]
    log = reading("\n".join(lines))
    found = list(log)
    assert len(found) > 40
    text = everything([found, vars(log)], {})
    assert "connectionpool" in text
    assert secret not in text


# -- Logs that real urllib3s wrote ---------------------------------------------------------------

WRITER = """
import logging, sys, threading
import urllib3
url, path, fmt, threads = sys.argv[1:5]
logging.basicConfig(filename=path, level=logging.DEBUG, format=fmt)
pools = urllib3.PoolManager(maxsize=2)
all_done = threading.Barrier(int(threads))
def ask():
    for n in range(5):
        assert pools.request("GET", url + "?token=s3cret").status == 200
    all_done.wait(30)  # until then nobody else has this thread's number
workers = [threading.Thread(target=ask) for _ in range(int(threads))]
for worker in workers: worker.start()
for worker in workers: worker.join()
print(urllib3.__version__)
"""
OTHER_PYTHON = Path("/tmp/v/310/bin/python")  # one with urllib3 1.26, where there is one
PYTHONS = [sys.executable] + [str(OTHER_PYTHON)] * OTHER_PYTHON.exists()


@pytest.fixture
def closing_server(served):
    """Closes every third connection after an answer, and others with a word."""

    def script(peer):
        number = server.accepted
        while peer.asked():
            if number % 3 == 0:
                peer.answer("Connection: close")
                return
            peer.answer()

    server = served(script)
    return server


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    "fmt",
    [
        "%(asctime)s [pid %(process)d] [%(threadName)s] %(name)s:%(lineno)d %(message)s",
        "%(created)f %(process)d %(thread)d %(message)s",
        '{"t": %(created)f, "pid": %(process)d, "thread": "%(threadName)s", "m": "%(message)s"}',
        "pid=%(process)d thread=%(thread)d %(message)s",
        "%(message)s (%(threadName)s) [pid %(process)d]",
    ],
)
def test_what_processes_and_threads_wrote_at_once_is_told_apart(
    closing_server, tmp_path, python, fmt
):
    path = tmp_path / "app.log"
    arguments = [closing_server.url, str(path), fmt, "4"]
    running = [
        subprocess.Popen([python, "-c", WRITER, *arguments], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    assert all(process.communicate(timeout=60)[0] for process in running)
    log = debug_log.read(path)
    found = list(log)
    # what escapes nothing is no JSON where a message has quotes, as the request lines have
    unescaped = fmt.startswith("{")
    kinds = Counter(type(one.event) for one in found)
    opened = kinds[Starting] + kinds[Resetting]
    assert opened == closing_server.accepted
    assert kinds[Answered] == (0 if unescaped else 2 * 4 * 5)
    assert log.skipped == (2 * 4 * 5 if unescaped else 0)
    assert {process.pid for process in running} == {one.process for one in found}
    assert log.tells_threads
    if not unescaped:
        assert len({one.event.thread for one in found}) == 8
        in_order(found)


def in_order(found: list[Seen]) -> None:
    """On each lane an opening is followed by its answer, as only a lane of one thread has it."""
    opening = set()
    for one in found:
        lane = one.event.thread
        if isinstance(one.event, Starting | Resetting):
            assert lane not in opening
            opening.add(lane)
        elif isinstance(one.event, Answered):
            opening.discard(lane)
    assert not opening


def test_a_log_tells_what_the_live_witness_has_seen(closing_server):
    heard, text = [], io.StringIO()
    logger = logging.getLogger(pool_log.LOGGER)
    with pool_log.listening(heard.append):
        handler = logging.StreamHandler(text)
        handler.setFormatter(logging.Formatter("%(asctime)s [%(thread)d] %(name)s: %(message)s"))
        logger.addHandler(handler)
        try:
            with urllib3.PoolManager(maxsize=2) as pools, ThreadPoolExecutor(4) as threads:
                answers = threads.map(
                    lambda _: pools.request("GET", closing_server.url).status, range(40)
                )
                assert {200} == set(answers)
        finally:
            logger.removeHandler(handler)
    log = reading(text.getvalue())
    threads_of = {}
    told = [one.event for one in log if not isinstance(one.event, Discarding)]
    assert len(told) == len(heard) > 40

    def nameless(event: object) -> str:
        # pool_log reads no ordinals
        return re.sub(r"thread=\d+|, ordinal=\w+", "", repr(event))

    # two threads may write in another order than they were heard
    assert Counter(map(nameless, told)) == Counter(map(nameless, heard))
    for event in told:
        threads_of.setdefault(event.thread, []).append(nameless(event))
    live = {}
    for event in heard:
        live.setdefault(event.thread, []).append(nameless(event))
    assert sorted(threads_of.values()) == sorted(live.values())
    assert log.tells_threads
