"""A log file that is followed while a program writes it, as `tail -F` does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keptalive.logs.explain import SoFar, explained
from keptalive.logs.following import followed_pieces

LINE = 'urllib3.connectionpool: http://h:80 "GET / HTTP/1.1" 200 1\n'


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


class Followed:
    """A log file, its pieces as they are read, and what its program does at each moment of quiet.

    After the last of these Ctrl-C is pressed.
    """

    def __init__(self, path: Path, *doings: Callable[[], object]) -> None:
        self._doings = iter([*doings, press_ctrl_c])
        with path.open("rb", buffering=0) as file:
            self.read = b"".join(followed_pieces(file, self._quiet))

    def _quiet(self) -> None:
        next(self._doings, lambda: None)()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_text("one\n")
    return path


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_what_is_written_while_a_file_is_followed_is_read_until_ctrl_c(log):
    before = signal.getsignal(signal.SIGINT)
    followed = Followed(log, lambda: append(log, "two\n"), lambda: append(log, "three\n"))
    assert followed.read == b"one\ntwo\nthree\n"
    assert signal.getsignal(signal.SIGINT) == before


def test_a_file_that_was_renamed_away_is_read_to_its_end_and_then_the_new_one(log, tmp_path):
    def rotate() -> None:
        append(log, "last of the old\n")
        log.rename(tmp_path / "app.log.1")
        log.write_text("first of the new\n")

    assert Followed(log, rotate).read == b"one\nlast of the old\nfirst of the new\n"


def test_a_file_that_is_gone_for_a_while_is_read_on_where_it_comes_back(log):
    read = Followed(log, log.unlink, lambda: log.write_text("back\n")).read
    assert read == b"one\nback\n"


def test_a_file_that_was_truncated_is_read_from_its_beginning(log):
    assert Followed(log, lambda: log.write_text("2\n")).read == b"one\n2\n"


def test_a_log_that_is_followed_becomes_a_report_of_all_of_it(tmp_path):
    log, counted = tmp_path / "app.log", []
    log.write_text(LINE)

    def show(so_far: SoFar) -> None:
        counted.append(so_far.requests)
        if len(counted) < 3:
            append(log, LINE)
        else:
            press_ctrl_c()

    (host,) = explained(str(log), show=show, follows=True).hosts
    assert host.requests == counted[-1] == 3


def test_of_a_rotated_log_the_newest_part_is_followed(tmp_path):
    log, old = tmp_path / "app.log", tmp_path / "app.log.1"
    old.write_text(f"2026-03-04 09:21:58,000 {LINE}")
    log.write_text(f"2026-03-04 09:21:59,000 {LINE}")
    shown = []

    def show(so_far: SoFar) -> None:
        shown.append(so_far.requests)
        if len(shown) < 2:
            append(log, f"2026-03-04 09:22:00,000 {LINE}")
        else:
            press_ctrl_c()

    (host,) = explained(str(log), str(old), show=show, follows=True).hosts
    assert host.requests == shown[-1] == 3


def test_a_pipe_is_followed_to_its_end() -> None:
    def pieces() -> Iterator[bytes]:
        reader, writer = os.pipe()
        os.write(writer, b"one\n")
        os.close(writer)
        with open(reader, "rb", buffering=0) as stream:  # noqa: PTH123
            yield from followed_pieces(stream, lambda: None)

    assert b"".join(pieces()) == b"one\n"
