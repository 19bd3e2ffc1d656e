"""Logs that have records several times, as two handlers write them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.logs.logs import reading

from keptalive.logs import copies as copies_module
from keptalive.logs.explain import explained
from keptalive.records.report import Report

START = "Starting new HTTPS connection (1): api.example.com:443"
RESET = "Resetting dropped connection: api.example.com"


def asked(path: object = "/v1") -> str:
    return f'https://api.example.com:443 "GET {path} HTTP/1.1" 200 512'


def fine(at_ms: int, message: str, *, thread: str = "") -> str:
    seconds, part = divmod(at_ms, 1000)
    clock = f"{9 + seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},{part:03}"
    return f"2026-03-04 {clock} DEBUG urllib3.connectionpool {thread}{message}"


def coarse(second: int, message: str) -> str:
    return fine(second * 1000, message).replace(",000 ", " ", 1)


@pytest.fixture
def explain(tmp_path: Path) -> Callable[[list[str]], Report]:
    def explain_lines(lines: list[str]) -> Report:
        return explained_of(lines, tmp_path / "app.log")

    return explain_lines


def explained_of(lines: list[str], path: Path) -> Report:
    path.write_text("".join(f"{line}\n" for line in lines))
    return explained(str(path))


def counts(report: Report) -> tuple[int | None, ...]:
    (host,) = report.hosts
    return host.requests, host.opened, host.reopened


def times(lines: list[str], copies: int) -> list[str]:
    return [line for line in lines for _ in range(copies)]


SESSION = [
    *(fine(0, START), fine(0, asked("/0"))),
    *(fine(7000, RESET), fine(7000, asked("/1")), fine(14000, asked("/2"))),
    *(fine(21000, RESET), fine(21000, asked("/3"))),
    *(fine(28000, RESET), fine(28000, asked("/4")), fine(35000, asked("/5"))),
]


@pytest.mark.parametrize("copies", [2, 3, 5])
def test_records_that_stand_there_several_times_are_counted_once_and_that_is_said(copies, explain):
    report = explain(times(SESSION, copies))
    assert counts(report) == (6, 4, 3)
    said = "twice" if copies == 2 else f"{copies} times"
    assert report.warnings[0] == f"Each record stands here {said}; counted once."
    assert report.hosts[0].causes[0].evidence == (
        "Idle for 7.0 s; a kept connection still worked after 7.0 s."
    )


def test_handlers_that_are_added_again_and_again_write_more_and_more_copies(explain):
    lines = []
    for job in range(10):
        at = 10 * job
        lines += times([coarse(at, START)], job // 2 + 1)
        lines += times([coarse(at + 1, asked(f"/job/{job}"))], job // 2 + 1)
    report = explain(lines)
    assert counts(report) == (10, 10, 0)
    assert report.warnings[0] == (
        "Records stand here up to 5 times; counted once. This is an assumption, since neither "
        "threads nor milliseconds tell copies from equal requests at once: there were 10 to 30 "
        "requests on 10 to 30 connections."
    )


FORMATS = [
    ("%(asctime)s %(levelname)s %(name)s %(message)s", "%(levelname)s:%(name)s:%(message)s"),
    ("%(message)s", "[%(threadName)s] %(asctime)s %(message)s"),
    ('{"ts": "%(asctime)s", "msg": "%(message)s"}', "%(asctime)s | %(name)s | %(message)s"),
]


@pytest.mark.parametrize("formats", FORMATS)
def test_one_record_in_two_formats_is_counted_once(formats, explain):
    lines = []
    for number, line in enumerate(SESSION):
        message = line.partition("connectionpool ")[2]
        record = logging.LogRecord(
            "urllib3.connectionpool", logging.DEBUG, "connectionpool.py", 7, message, (), None
        )
        record.created, record.msecs = 1.8e9 + 11 * number + 0.25, 250
        lines += [logging.Formatter(form).format(record) for form in formats]
    report = explain(lines)
    assert counts(report) == (6, 4, 3)
    assert report.warnings[0].startswith("Each record stands here twice; counted once.")
    assert report.seconds == 11 * 9  # of the copy that has a time


def test_copies_that_threads_have_interleaved_are_counted_once(explain):
    lines = []
    for number in range(20):
        at = 50 * number
        one = [fine(at, START, thread="[Thread-1] "), fine(at + 9, asked(), thread="[Thread-1] ")]
        two = [fine(at, START, thread="[Thread-2] "), fine(at + 9, asked(), thread="[Thread-2] ")]
        lines += [one[0], two[0], one[0], two[0], one[1], two[1], two[1], one[1]]
    assert counts(explain(lines)) == (40, 40, 0)


# -- What are no copies --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([coarse(0, START), *[coarse(1, asked())] * 6], id="polling"),
        pytest.param([START, *[asked()] * 200], id="without a time"),
        pytest.param(
            [fine(0, START), *[fine(n // 4 + n // 7, asked()) for n in range(90)]], id="fast loop"
        ),
        pytest.param(
            [coarse(0, START), *times([coarse(1, asked(n)) for n in range(9)], 2)],
            id="each asked for twice",
        ),
        pytest.param([*times([coarse(0, START)], 4), coarse(0, asked())], id="not up yet"),
        pytest.param(
            [*times([coarse(0, START), coarse(0, asked())], 2), coarse(1, asked("/b"))],
            id="two threads, and then one",
        ),
    ],
)
def test_equal_requests_in_a_row_are_counted_each(lines, explain):
    report = explain(lines)
    requests = sum("HTTP/1.1" in line for line in lines)
    (host,) = report.hosts
    assert host.opened + host.reused == requests
    assert not any("stand" in warning for warning in report.warnings)


def test_where_nothing_tells_copies_from_equal_requests_a_range_is_said(explain):
    report = explain(times([coarse(n, asked(n)) for n in range(8)], 2))
    assert report.hosts[0].requests == 16
    assert report.warnings[0] == (
        "Each record stands here twice, and nothing tells copies from equal requests: there were 8 "
        "to 16 requests."
    )


def test_copies_in_the_middle_of_a_long_log_are_found(explain):
    plain = [fine(40 * n, asked(n)) for n in range(12_000)]
    doubled = times([fine(500_000 + 40 * n, m) for n, m in enumerate([START, asked("/x")] * 9)], 2)
    report = explain([fine(0, START), *plain, *doubled])
    assert counts(report) == (12_009, 10, 0)
    assert report.warnings[0] == "Records stand here twice; counted once."


# -- Any log -------------------------------------------------------------------------------------


@st.composite
def logs(draw: st.DrawFn) -> list[str]:
    """A log of one connection pool, as urllib3 would write it, with some requests alike."""
    lines, at, ordinal = [], 0, 1
    for _ in range(draw(st.integers(2, 12))):
        at += draw(st.sampled_from([3, 40, 1200, 70_000]))
        kind = draw(st.sampled_from(["new", "reset", "kept", "kept", "failed"]))
        if kind == "new" or not lines:
            lines.append(fine(at, START.replace("(1)", f"({ordinal})")))
            ordinal += 1
        elif kind == "reset":
            lines.append(fine(at, RESET))
        elif kind == "failed":
            lines.append(fine(at, RESET))
            lines.append(
                fine(at, "Retrying (Retry(total=2)) after connection broken by 'Gone('x')': /a")
            )
        at += draw(st.integers(1, 30))
        lines.append(fine(at, asked(draw(st.sampled_from(["/a", "/a", "/b", "/c"])))))
    return lines


@settings(max_examples=60)
@given(logs(), st.integers(2, 6))
def test_any_log_with_copies_gives_what_it_gives_without(tmp_path_factory, lines, copies):
    path = tmp_path_factory.getbasetemp() / "copies.log"
    once, often = explained_of(lines, path), explained_of(times(lines, copies), path)
    assert once.hosts == often.hosts
    assert not any("stand" in warning for warning in once.warnings)
    if len(lines) > 2 or "Starting" in lines[0]:
        assert (
            f"Each record stands here {'twice' if copies == 2 else f'{copies} times'}"
            in (often.warnings[0])
        )


def test_memory_is_bounded_where_all_lines_are_alike(monkeypatch):
    held = []
    take = copies_module.Copies._take

    def observed(self, *arguments):
        take(self, *arguments)
        held.append(sum(len(run.reads) for run in (*self._open, *self._stretch)))

    monkeypatch.setattr(copies_module.Copies, "_take", observed)
    text = f"{START}\n{START}\n" + f"{asked()}\n" * 5000
    assert sum(map(len, reading(text))) == 5002
    assert max(held) <= 32 * 60
