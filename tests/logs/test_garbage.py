"""No garbage is an error, nor costs too much, and nothing secret is kept."""

from __future__ import annotations

import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.logs.logs import (
    ANSWER,
    ASKED,
    FORMATS,
    MESSAGES,
    NOTHING,
    START,
    STARTED,
    events,
    formatted,
    lines,
    reading,
)

from keptalive import logs
from keptalive.logs import Reading
from keptalive.logs.messages import NEEDLES
from keptalive.records.pool_events import Resetting


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
    assert lines(log) == []
    assert (log.urllib3_lines, log.skipped) == (1, 1)


@pytest.mark.parametrize(
    "cut", ["Start", "Retry: ", 'https://h:443 "GET /very/long', "Retrying (Retry(t"]
)
def test_a_line_that_was_cut_off_early_is_counted_where_the_logger_is_named(cut):
    log = reading(f"DEBUG:urllib3.connectionpool:{cut}\n")
    assert lines(log) == []
    assert (log.urllib3_lines, log.skipped) == (1, 1)


BY_HAND = [
    '{"ts": "2026-11-22 15:04:05,500", "thread": "Thread-7", "msg": "%s"}',
    '{"ts": "2026-11-22 15:04:05,500", "thread": "Thread-7", "bad": %%d, "msg": "%s"}',
]


@pytest.mark.parametrize("fmt", BY_HAND)
def test_json_whose_quotes_are_not_escaped_is_read_as_what_it_was_meant_to_be(fmt):
    log = reading("\n".join([fmt % STARTED, fmt % ASKED]))
    found = lines(log)
    assert [one.event for one in found] == [START, ANSWER]
    assert [one.at_s for one in found] == [1795359845.5] * 2
    assert (log.urllib3_lines, log.skipped, log.knows_threads) == (2, 0, True)


def test_a_host_without_port_where_ports_are_told_was_cut_off():
    log = reading(f"{STARTED}\nStarting new HTTPS connection (2): h.exa\n")
    assert [one.event for one in lines(log)] == [START]
    assert log.skipped == 1


def test_two_lines_torn_into_one_give_the_one_that_can_be_read():
    torn = f"Starting new HTTPS connection (1): h:4432026-11-22 15:04:05 DEBUG {ASKED}\n"
    assert events(torn) == [ANSWER]


def test_a_message_behind_one_that_is_cut_off_is_read():
    torn = "Starting new HTTPS connection (1Resetting dropped connection: h\n"
    assert events(torn) == [Resetting(thread=1, host="h")]


def test_a_hole_before_a_line_is_no_part_of_it():
    log = reading(b"\0" * 3_000_000 + f"{STARTED}\n".encode() + b"\0" * 70 + ASKED.encode())
    assert [one.event for one in lines(log)] == [START, ANSWER]
    assert log.lines == 2


def test_lines_of_megabytes_are_passed_over_and_counted():
    long = b"x" * 3_000_000
    log = reading(
        long + b"\n" + STARTED.encode() + b" " + long + b"\n" + ASKED.encode() + b"\n" + long
    )
    assert [one.event for one in lines(log)] == [ANSWER]
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
        st.sampled_from([needle.text for needle in NEEDLES]),
        st.sampled_from([f.encode() for f in FORMATS]),
        st.sampled_from(
            [b"\n", b"\r", b"\0", b'{"', b'"}', b" ", b"\xff\xfe", b"\x1f\x8b", b"urllib3.", b"[::"]
        ),
        st.sampled_from([b"2026-11-22 15:04:05,123 ", b"9999999999.9", b"[pid 1] ", b"Thread-1 "]),
        st.binary(max_size=12),
    ),
    max_size=30,
)


@settings(max_examples=400)
@given(PIECES)
def test_no_garbage_is_ever_an_error(pieces):
    log = reading(b"".join(pieces))
    found = lines(log)
    assert len(found) + log.skipped <= log.urllib3_lines <= log.lines


@given(PIECES, st.integers(1, 40))
def test_it_makes_no_difference_how_the_bytes_come(pieces, size):
    class Drop(io.BytesIO):
        def read1(self, _size=-1):
            return super().read1(size)

    def without_threads(log: Reading) -> list[object]:
        # what makes threads is learned as it comes
        return [(type(one.event), one.source, one.at_s) for one in lines(log)]

    raw = b"".join(pieces)
    whole, dropped = reading(raw), logs.read(Drop(raw))
    assert without_threads(whole) == without_threads(dropped)
    assert (whole.lines, whole.skipped, whole.bytes) == (
        dropped.lines,
        dropped.skipped,
        dropped.bytes,
    )


@given(st.sampled_from(MESSAGES), st.sampled_from(FORMATS), st.data())
def test_a_line_cut_off_anywhere_is_no_error_and_no_other_events(message, fmt, data):
    text = formatted(fmt, message[0])
    found = events(text[: data.draw(st.integers(0, len(text)))])
    assert len(found) <= 1
    assert all(isinstance(event, type(message[1])) for event in found)


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
    written = [
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
    log = reading("\n".join(written))
    found = lines(log)
    assert len(found) > 40
    text = everything([found, vars(log)], {})
    assert "connectionpool" in text
    assert secret not in text
