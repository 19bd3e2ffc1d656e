"""How lines of httpcore and httpx are found and read."""

from __future__ import annotations

import pytest

from keptalive.errors import UsageError
from keptalive.logs.explain import explained
from keptalive.logs.httpcore.messages import Place, steps_in
from keptalive.logs.httpcore.scanner import HttpcoreScanner

HEAD = "receive_response_headers.complete return_value=(b'HTTP/1.1', 200, b'OK', [{}])"
LENGTH = "(b'Content-Length', b'2')"
REQUEST = [
    "connect_tcp.started host='h' port=80 local_address=None timeout=5.0 socket_options=None",
    "connect_tcp.complete return_value=<httpcore._backends.sync.SyncStream object at 0x7f>",
    "send_request_headers.started request=<Request [b'GET']>",
    "receive_response_headers.started request=<Request [b'GET']>",
    HEAD.format(LENGTH),
    'HTTP Request: GET http://h/a?token=s3cret "HTTP/1.1 200 OK"',
    "receive_response_body.started request=<Request [b'GET']>",
    "receive_response_body.complete",
    "response_closed.started",
    "response_closed.complete",
]


def step(line: str):
    ((_, one),) = steps_in(line.encode())
    return one


@pytest.mark.parametrize(
    ("headers", "version", "closes"),
    [
        (LENGTH, "HTTP/1.1", ""),
        ("(b'Transfer-Encoding', b'chunked')", "HTTP/1.1", ""),
        (f"(b'connection', b'Close'), {LENGTH}", "HTTP/1.1", "close-announced"),
        (LENGTH, "HTTP/1.0", "http-1.0"),
        (f"(b'Connection', b'keep-alive'), {LENGTH}", "HTTP/1.0", ""),
        ("(b'Server', b'x')", "HTTP/1.1", "http-1.0"),
    ],
)
def test_the_head_of_a_response_says_whether_its_connection_ends(headers, version, closes):
    assert step(HEAD.format(headers).replace("HTTP/1.1", version)).closes == closes


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://h/a", Place("h", 80, "http")),
        ("https://h:8443/", Place("h", 8443, "https")),
        ("https://[::1]:8443/a", Place("::1", 8443, "https")),
        ("https://user:[secure]@h/", Place("h", 443, "https")),
    ],
)
def test_the_line_of_httpx_names_the_host(url, place):
    assert step(f'HTTP Request: GET {url} "HTTP/2 200 OK"').place == place


@pytest.mark.parametrize(
    "line",
    [
        "socket.close.started",
        "reclose.started",
        "close.startedly",
        "start_tls.failed because of you",
        "connect_tcp.started",
        "send_request_headers.started",
        'HTTP Request: GET http://h:x/ "HTTP/1.1 200 OK"',
        'HTTP Request: GET /a "HTTP/1.1 200 OK"',
    ],
)
def test_lines_of_others_are_none_of_httpcores(line):
    assert [*steps_in(line.encode())] == []


def block(lines, end="\n") -> bytes:
    return "".join(f"{line}{end}" for line in lines).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_line_of_a_request_is_found(end):
    assert len(HttpcoreScanner().seen(block(REQUEST, end))) == len(REQUEST)


def test_lines_after_many_of_others_are_found():
    scanner = HttpcoreScanner()
    for _ in range(40):
        assert scanner.seen(b"somebody else's line\n" * 5000) == []
    assert len(scanner.seen(block(REQUEST))) == len(REQUEST)
    assert scanner.began_late


def test_lines_that_are_repeated_in_the_next_block_are_of_the_same_request(tmp_path):
    scanner = HttpcoreScanner()
    for line in REQUEST:  # a block for each line
        assert len(scanner.seen(block([line]))) == 1


def run(tmp_path, lines):
    path = tmp_path / "app.log"
    path.write_bytes(block(lines))
    return explained(str(path))


def test_a_log_that_begins_with_a_kept_connection_has_no_opening_of_it(tmp_path):
    (host,) = run(tmp_path, REQUEST[2:] * 3).hosts
    assert (host.host, host.opened, host.reused) == ("http://h:80", 0, 3)


def test_a_request_without_an_end_is_in_flight(tmp_path):
    (host,) = run(tmp_path, [*REQUEST, REQUEST[2]]).hosts
    assert (host.requests, host.opened, host.reused, host.in_flight) == (2, 1, 0, 1)


def test_a_log_with_nothing_to_explain_says_how_to_log_httpx_too(tmp_path):
    with pytest.raises(UsageError, match="httpcore"):
        run(tmp_path, ["nothing"])


@pytest.mark.parametrize("cut", range(len(REQUEST)))
def test_a_log_from_which_lines_are_missing_is_counted_all_the_same(tmp_path, cut):
    lines = [line for number, line in enumerate(REQUEST * 3) if number % len(REQUEST) != cut]
    for host in run(tmp_path, lines).hosts:
        assert host.opened <= 3
        assert host.attempts is None or host.attempts == (
            host.opened + host.reused + host.unanswered + host.in_flight
        )
        assert sum(cause.count for cause in host.causes) == host.opened
