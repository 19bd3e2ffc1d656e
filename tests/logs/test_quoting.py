"""Lines that something has quoted or redacted since they were logged."""

from __future__ import annotations

import csv
import html
import io
import json

import pytest
from tests.logs.logs import ASKED, START, STARTED, answered, events, lines, reading, starting

from keptalive.logs import Discarding
from keptalive.logs.explain import explained
from keptalive.records.pool_events import Answered, Resetting, Retrying, RetryingStatus, Starting

RESET = "Resetting dropped connection: h.example"
FULL = "Connection pool is full, discarding connection: h.example. Connection pool size: 10"
RETRYING = (
    "Retrying (Retry(total=2, connect=None)) after connection broken by "
    "'ProtocolError('Connection aborted.', Gone('R'))': /a"
)
ALL = [STARTED, ASKED, RESET, FULL, RETRYING, ASKED, "Retry: /a", ASKED]
STAMP = "2026-11-22 15:04:05,123"


def csv_of(messages: list[str], *, last: bool = False) -> str:
    text = io.StringIO()
    rows = csv.writer(text, quoting=csv.QUOTE_ALL)
    for message in messages:
        rows.writerow(["app", message, STAMP] if last else [STAMP, "app", message])
    return text.getvalue()


def html_of(messages: list[str], line: str) -> str:
    return "".join(line.format(html.escape(message)) for message in messages)


QUOTED = {
    "csv": csv_of(ALL),
    "csv, time last": csv_of(ALL, last=True),
    "csv of json": csv_of([json.dumps({"message": one, "ts": STAMP}) for one in ALL]),
    "json in json": "\n".join(json.dumps({"log": json.dumps({"m": one})}) for one in ALL),
    "html": html_of(ALL, f"{STAMP} DEBUG {{}}<br>\n"),
    "html on one line": html_of(ALL, f"{STAMP} DEBUG {{}}<br/>"),
    "html table": html_of(ALL, f"<tr><td>{STAMP}</td><td>{{}}</td></tr>\n"),
    "html twice": html_of([html.escape(one) for one in ALL], f"{STAMP} {{}}\n"),
}


@pytest.mark.parametrize("text", QUOTED.values(), ids=QUOTED)
def test_quoted_lines_are_read_as_they_were_logged(text):
    log = reading(text)
    kinds = [type(one.event) for one in lines(log)]
    assert kinds == [
        *(Starting, Answered, Resetting, Discarding),
        *(Retrying, Answered, RetryingStatus, Answered),
    ]
    assert log.skipped == 0


@pytest.mark.parametrize("name", ["csv", "csv, time last", "html", "html on one line"])
def test_quoted_lines_have_their_times(name):
    assert {one.at_s for one in lines(reading(QUOTED[name]))} == {1795359845.123}


def test_empty_quotes_elsewhere_do_not_make_it_csv():
    line = json.dumps({"user": "", "message": ASKED})
    assert events(f'{line}\n"" "" {ASKED}\n') == [answered("h.example", 443)] * 2


NAMES = [
    *("<host>", "<redacted host>", "<tenant>.example.com", "[REDACTED]", "***", "xxx.xxx"),
    *("{host}", "(redacted)", "***.example.com", "api.[REDACTED].com"),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", ["", "<br>", " (MainThread)", "\r"])
def test_a_redacted_host_is_one_host_in_every_message(name, end):
    messages = [
        f"Starting new HTTPS connection (1): {name}:443",
        f'https://{name}:443 "GET /<path>/0 HTTP/1.1" 200 12',
        f"Resetting dropped connection: {name}",
        f"Connection pool is full, discarding connection: {name}. Connection pool size: 10",
    ]
    found = events("".join(f"{STAMP} DEBUG {one}{end}\n" for one in messages))
    host = name.strip("[]") if name == "[REDACTED]" else name
    assert found == [
        starting(host, 443),
        answered(host, 443),
        Resetting(thread=1, host=host),
        Discarding(thread=1, host=host, pool_size=10),
    ]


@pytest.mark.parametrize("place", ["<host>:<port>", "***:***", "[host]:[port]", "<host>", "***"])
def test_a_redacted_port_is_the_usual_one(place):
    host = place.partition(":")[0].strip("[]")
    found = events(f'https://{place} "GET /a HTTP/1.1" 200 12\n')
    assert found == [answered(host, 443)]


def test_what_one_name_may_stand_for_is_said(tmp_path):
    text = "\n".join((STARTED, ASKED)).replace("h.example", "<host>")
    (tmp_path / "a.log").write_text(text)
    (warning,) = explained(str(tmp_path / "a.log")).warnings
    assert warning.startswith("Names of hosts are removed from this log")


@pytest.mark.parametrize(
    "line",
    [
        'INFO:httpx:HTTP Request: GET https://h.example "HTTP/1.1 200 OK"',
        'INFO: "https://[REDACTED] "Mozilla/5.0 (X11)"',
        "Starting new HTTPS connection (1): <br>",
        "see https://h.example &quot;here&quot;",
    ],
)
def test_what_looks_like_it_is_no_event(line):
    assert events(f"{line}\n{STARTED}\n") == [START]


def test_a_response_in_a_quoting_that_nobody_knows_is_counted():
    log = reading(f"DEBUG urllib3.connectionpool {ASKED.replace(chr(34), '%22')}\n")
    assert (lines(log), log.skipped) == ([], 1)
