"""Lines that are like earlier ones are read faster, and to the same events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.logs.logs import ASKED, STARTED, Line, lines, reading

from keptalive.logs import scanner, threads
from keptalive.logs.copies import Copies
from keptalive.logs.known import KnownLines
from keptalive.logs.lines import Lines

LEARNED_FROM = 8  # lines: fewer than really are, so that a test is short
FORMS = [
    "{day}:{second},{part} DEBUG [{thread}] urllib3.connectionpool: {message}",
    "{day}:{second} [{thread}] {message}",
    "[{day}:{second}.{part}Z] {thread} {message}",
    "DEBUG {day}:{second},{part} {thread} urllib3.connectionpool {message}",
    "{epoch}.{part} {thread} {message}",
    "DEBUG:urllib3.connectionpool:{message}",
    "{message}",
    "{day}:{second},{part} {thread} {message} [pid 7]",
    "{day}:{second},{part} {thread} {message}\r",
]
MESSAGES = [
    ASKED,
    ASKED.replace("200", "302"),
    ASKED.replace("h.example:443", "other.example:8443"),
    'https://h.example:443 "GET /a b HTTP/1.1" 200 12',
    'https://h.example:443 "GET /Retry: /x HTTP/1.1" 200 12',
    'https://h.example:443 "GET /very/long',
    STARTED,
    STARTED.replace("(1)", "(7)"),
    "Resetting dropped connection: h.example",
    "Connection pool is full, discarding connection: h.example. Connection pool size: 10",
    "Retrying (Retry(total=2)) after connection broken by 'Gone('x')': /a",
    "Retry: /a",
    "Redirecting /a -> /b",
    "an order is paid",
    f"Starting new HTTPS connection (1): h.example:443{ASKED}",
]
THREADS = ["MainThread", "Thread-1", "Thread-2"]


def written(form: str, second: int, part: int, thread: str, message: str) -> str:
    return form.format(
        day=f"2026-11-22 15:{second // 60:02}",
        second=f"{second % 60:02}",
        part=f"{part:03}",
        epoch=1795359845 + second,
        thread=thread,
        message=message,
    )


def beginning(form: str) -> str:
    """So many usual lines that all of them are known."""
    usual = [MESSAGES[0], MESSAGES[6], MESSAGES[8]]
    return "".join(
        f"{written(form, 0, number, thread, message)}\n"
        for number in range(LEARNED_FROM)
        for thread in THREADS
        for message in usual
    )


@contextmanager
def learning_fast(*, knows: bool = True) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "_SAMPLE", LEARNED_FROM)
        # whether there are copies among lines is not looked at where lines are known
        patch.setattr(Copies, "once", lambda _, reads: list(reads))
        patch.setattr(scanner, "may_have_copies", lambda *_: False)
        if not knows:
            patch.setattr(KnownLines, "learn", lambda *_: None)
            patch.setattr(KnownLines, "learn_response", lambda *_: None)
        yield


def in_pieces(text: str) -> Iterator[bytes]:
    """The beginning as a block of its own: what it is learned from is known in the next."""
    raw = text.encode()
    half = raw.index(b"=====\n")
    yield raw[:half]
    yield raw[half:]


def outcome(text: str, *, knows: bool) -> tuple[list[Line], int, int, int]:
    with learning_fast(knows=knows):
        log = reading(text, pieces=lambda _: in_pieces(text))
        return renumbered(lines(log)), log.lines, log.urllib3_lines, log.skipped


def renumbered(read: list[Line]) -> list[Line]:
    """With threads numbered as they come: which number a thread has says nothing."""
    numbers: dict[int, int] = {}
    return [
        one._replace(
            event=replace(one.event, thread=numbers.setdefault(one.event.thread, len(numbers) + 1))
        )
        for one in read
    ]


STARTED_BARE = ("{message}", 0, 0, "MainThread", STARTED)
LINES = st.tuples(
    st.sampled_from(FORMS),
    st.sampled_from([0, 1, 1, 59, 60, 130]),
    st.integers(0, 999),
    st.sampled_from(THREADS),
    st.sampled_from(MESSAGES),
)


@settings(max_examples=100)
@example("{message}", [], [(FORMS[0], 0, 0, "MainThread", "Redirecting /a -> /b"), STARTED_BARE])
@given(st.sampled_from(FORMS), st.lists(LINES, max_size=12), st.lists(LINES, max_size=12))
def test_known_lines_are_read_as_any_others(form, like, other):
    text = "".join(f"{written(form, *rest)}\n" for _, *rest in like)
    text += "".join(f"{written(*one)}\n" for one in other)
    text = f"{beginning(form)}=====\n{text}"
    assert outcome(text, knows=True) == outcome(text, knows=False)


@pytest.mark.parametrize("form", FORMS[:7])
def test_known_lines_are_not_searched_for_what_they_are_from(form, monkeypatch):
    searched = []
    whole_line = Lines._of

    def of(self, text, *rest, **options):
        searched.append(text)
        return whole_line(self, text, *rest, **options)

    monkeypatch.setattr(Lines, "_of", of)
    usual = [MESSAGES[0], MESSAGES[6], MESSAGES[8]]
    more = "".join(f"{written(form, n, n, 'Thread-1', usual[n % 3])}\n" for n in range(100))
    found, *_ = outcome(f"{beginning(form)}=====\n{beginning(form)}=====\n{more}", knows=True)
    assert len(found) == 2 * len(THREADS) * 3 * LEARNED_FROM + 100
    assert len(searched) < len(found) / 2
