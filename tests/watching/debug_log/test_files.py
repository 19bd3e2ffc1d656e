"""A log in any form of bytes, and one that is followed while it grows."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.watching.debug_log.logs import ANSWER, ASKED, START, STARTED, events, reading, seen

from keptalive.errors import UsageError
from keptalive.watching import debug_log

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
    monkeypatch.setattr(follower.log._source, "_replaced", lambda _file: next(replaced))
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
