"""What urllib3 says, in every logging format."""

from __future__ import annotations

import pytest
from tests.logs.logs import (
    FORMATS,
    MESSAGES,
    NOTHING,
    START,
    STARTED,
    events,
    formatted,
    lines,
    one,
    reading,
)

from keptalive.records.pool_events import RetryingStatus


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize(("message", "event"), MESSAGES)
def test_every_message_is_read_in_every_format(message, event, fmt, ending):
    log = reading(f"noise\n{formatted(fmt, message)}{ending}")
    (only,) = lines(log)
    assert (event, "urllib3.connectionpool") == (only.event, only.source)
    assert (log.lines, log.urllib3_lines, log.skipped) == (2, 1, 0)


@pytest.mark.parametrize("fmt", FORMATS[1:2] + FORMATS[7:8])
@pytest.mark.parametrize("message", NOTHING)
def test_other_messages_are_urllib3s_too_but_are_no_events(message, fmt):
    log = reading(formatted(fmt, message) + "\n")
    assert lines(log) == []
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
    assert [one.event for one in lines(log)] == [START]
    assert (log.urllib3_lines, log.skipped) == (1, 0)


def test_where_the_logger_is_named_an_unnamed_retry_is_somebody_elses():
    assert [RetryingStatus(thread=1)] == events("INFO:jobs:Retry: /a\n")
    named = f"DEBUG:urllib3.connectionpool:{STARTED}\n"
    assert events(named + "INFO:jobs:Retry: /a\n") == [START]
