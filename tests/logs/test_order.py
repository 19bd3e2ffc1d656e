"""Logs that have their newest line first."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from tests.logs.logs import lines, reading
from tests.logs.test_copies import RESET, START, asked, coarse, counts, explained_of, fine, logs

from keptalive import logs as reader
from keptalive.errors import UsageError
from keptalive.logs import order
from keptalive.logs.order import oldest_first

SAID = "This log has its newest line first: it was read from its end."
LOG = [
    *(fine(158, START), fine(258, asked(0)), fine(11_158, asked(1))),
    *(fine(22_158, RESET), fine(22_258, asked(2)), fine(33_158, asked(3))),
    *(fine(44_158, RESET), fine(44_258, asked(4)), fine(55_158, asked(5))),
]


def newest_first(written: list[str]) -> list[str]:
    return written[::-1]


def test_a_log_with_its_newest_line_first_is_read_from_its_end(tmp_path):
    report = explained_of(newest_first(LOG), tmp_path / "app.log")
    assert counts(report) == (6, 3, 2)
    assert report.hosts[0].causes[0].evidence == (
        "Idle for 11.0 s; a kept connection still worked after 10.9 s."
    )
    assert report.warnings[0] == SAID


@pytest.mark.parametrize("first", [fine(0, "a"), coarse(0, "a"), "09:00:01 a"])
def test_a_log_in_its_order_is_left_as_it_is(first, tmp_path):
    report = explained_of([first, *LOG], tmp_path / "app.log")
    assert counts(report) == (6, 3, 2)
    assert SAID not in report.warnings


def test_lines_that_threads_wrote_a_moment_too_late_make_no_log_fall(tmp_path):
    written = [fine(40 * n + 9 * (n % 2), asked(n)) for n in range(40)]
    report = explained_of([fine(0, START), written[1], written[0], *written[2:]], tmp_path / "a")
    assert SAID not in report.warnings


@pytest.mark.parametrize("kind", ["gzip", "pipe", "json"])
def test_what_cannot_be_read_from_its_end_is_kept_in_memory(kind):
    text = "".join(f"{line}\n" for line in newest_first(LOG)).encode()
    if kind == "json":
        text = b"".join(
            json.dumps(
                {"ts": 1e9 + 40 - n, "message": line.partition("connectionpool ")[2]}
            ).encode()
            + b"\n"
            for n, line in enumerate(newest_first(LOG))
        )
    stream = io.BytesIO(gzip.compress(text) if kind == "gzip" else text)
    stream.seekable = lambda: kind == "gzip"
    log = reader.read(stream)
    found = lines(log)
    assert [one.at_s for one in found] == sorted(one.at_s for one in found)
    assert (len(found), log.newest_first) == (9, True)


def test_a_pipe_that_is_too_long_to_be_kept_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(order, "MOST_HELD", 500)
    stream = io.BytesIO("\n".join(newest_first(LOG)).encode())
    stream.seekable = lambda: False
    with pytest.raises(UsageError, match="newest line first, and is longer than"):
        list(reader.read(stream))


def test_lines_that_belong_to_the_one_before_stay_behind_it(tmp_path):
    headed = [f"DEBUG {line.partition(' DEBUG')[0]} urllib3.connectionpool" for line in LOG]
    bodies = [f"\n  {line.partition('connectionpool ')[2]}" for line in LOG]
    written = [head + body for head, body in zip(headed, bodies, strict=True)]
    assert counts(explained_of(newest_first(written), tmp_path / "app.log")) == (6, 3, 2)


def test_lines_of_one_second_that_are_in_their_order_stay_in_it(tmp_path):
    groups = [
        [coarse(0, START), coarse(0, asked(0))],
        *[[coarse(11 * n, RESET), coarse(11 * n, asked(n))] for n in range(1, 6)],
    ]
    written = [line for group in reversed(groups) for line in group]
    report = explained_of(written, tmp_path / "app.log")
    assert counts(report) == (6, 6, 5)
    assert report.hosts[0].unanswered == 0


@pytest.mark.parametrize("block", [7, 64, 1000])
def test_a_long_log_is_turned_round_whatever_its_pieces_are(block):
    records = [f"{fine(n, asked(n))}\n" + "  more\n" * (n % 3) for n in range(60)]
    text = "".join(reversed(records)).encode()
    pieces = [text[max(0, end - block) : end] for end in range(len(text), 0, -block)]
    assert b"".join(oldest_first(iter(pieces))).decode() == "".join(records)


def test_a_log_without_any_time_is_no_error_and_stays_bounded():
    text = b"no time here\n" * 200_000
    assert sorted(b"".join(oldest_first(iter([text, b"x"])))) == sorted(b"x" + text)


@settings(max_examples=60)
@given(logs())
def test_any_log_gives_the_same_from_its_end(tmp_path_factory, written):
    path: Path = tmp_path_factory.getbasetemp() / "order.log"
    there = explained_of(written, path)
    back = explained_of(newest_first(written), path)
    assert there.hosts == back.hosts
    assert (back.seconds, back.started_at) == (there.seconds, there.started_at)


def test_times_that_do_not_change_are_read_in_their_order():
    assert not reading("\n".join([coarse(0, START), coarse(0, asked())])).newest_first
