"""A log that comes through a pipe: read as it comes, to its end or to Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from tests.logs.logs import lines
from tests.servers.scripted import PATIENCE_S

from keptalive import logs
from keptalive.logs import live
from keptalive.logs.live import live_pieces


class Pipe:
    """A pipe with both of its ends, that is read piece by piece."""

    def __init__(self) -> None:
        reader, self.writer = os.pipe()
        self.stream = os.fdopen(reader, "rb")

    def write(self, text: bytes) -> None:
        os.write(self.writer, text)

    def end(self) -> None:
        os.close(self.writer)

    def pieces(self, show: Callable[[], None] = lambda: None) -> Iterator[bytes]:
        return live_pieces(self.stream, show)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.stream.close()


@pytest.fixture(autouse=True)
def _a_late_test_shows_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "AGAIN_S", PATIENCE_S)


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_pipe_is_read_as_it_comes_and_to_its_end(pipe):
    pieces = pipe.pieces()
    pipe.write(b"one\n")
    assert next(pieces) == b"one\n"
    pipe.write(b"two\n")
    pipe.end()
    assert list(pieces) == [b"two\n"]


def test_ctrl_c_while_a_pipe_is_waited_for_is_its_end(pipe):
    before = signal.getsignal(signal.SIGINT)
    pieces = pipe.pieces(show=press_ctrl_c)  # when nothing has come for a moment
    pipe.write(b"one\n")
    assert list(pieces) == [b"one\n", b""]
    assert signal.getsignal(signal.SIGINT) == before
    pipe.end()


def test_what_is_in_the_pipe_at_ctrl_c_is_read(pipe):
    pieces = pipe.pieces()
    pipe.write(b"one\n")
    assert next(pieces) == b"one\n"
    press_ctrl_c()
    pipe.write(b"two\n")
    assert list(pieces) == [b"two\n"]
    pipe.end()


def test_what_a_writer_still_writes_when_ctrl_c_ends_it_is_read(pipe, monkeypatch):
    monkeypatch.setattr(live, "_GRACE_S", PATIENCE_S)  # to its end: it may be late
    written = threading.Timer(0.05, lambda: (pipe.write(b"last\n"), pipe.end()))
    pieces = pipe.pieces()
    pipe.write(b"one\n")
    next(pieces)
    press_ctrl_c()
    written.start()
    assert list(pieces) == [b"last\n"]


def test_a_writer_that_does_not_end_by_ctrl_c_is_left_behind(pipe):
    def write_on_and_on() -> None:
        with suppress(BrokenPipeError):
            while True:
                pipe.write(b"x" * 65536)

    writer = threading.Thread(target=write_on_and_on)
    pieces = pipe.pieces()
    writer.start()
    next(pieces)
    press_ctrl_c()
    left = sum(map(len, pieces))
    pipe.stream.close()  # and so a write fails
    writer.join()
    pipe.end()
    assert left < 2 * 1024 * 1024


def test_a_second_ctrl_c_acts_as_before(pipe):
    pieces = pipe.pieces()
    pipe.write(b"one\n")
    next(pieces)
    press_ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        press_ctrl_c()
    pieces.close()
    pipe.end()


def test_ctrl_c_while_a_file_is_read_acts_as_before(tmp_path):
    (tmp_path / "a.log").write_bytes(b"x" * 1_000_000)
    with (tmp_path / "a.log").open("rb", buffering=0) as file:
        pieces = live_pieces(file, lambda: None)
        next(pieces)
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()


def test_ctrl_c_that_is_ignored_stays_ignored(pipe):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pieces = pipe.pieces()
        pipe.write(b"one\n")
        next(pieces)
        press_ctrl_c()
        pipe.write(b"two\n")
        assert next(pieces) == b"two\n"
        pipe.end()
        assert list(pieces) == []
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_progress_is_shown_when_nothing_comes_and_not_for_each_line(pipe):
    shown = []

    def show() -> None:
        shown.append(len(seen))
        pipe.end()

    seen: list[bytes] = []
    pipe.write(b"line\n")
    for piece in filter(None, pipe.pieces(show)):
        seen.append(piece)
        if len(seen) < 100:
            pipe.write(b"line\n")
    assert (len(seen), shown) == (100, [100])


def test_an_empty_piece_says_that_nothing_comes_for_a_moment(pipe):
    pieces = pipe.pieces()
    pipe.write(b"line\n")
    assert [next(pieces), next(pieces)] == [b"line\n", b""]
    pipe.end()
    assert list(pieces) == []


def test_in_another_thread_than_the_main_one_no_signal_is_handled(pipe):
    pipe.write(b"one\n")
    pipe.end()
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.extend(pipe.pieces()))
    reader.start()
    reader.join()
    assert read == [b"one\n"]


def test_a_log_is_read_through_whatever_reads_its_stream(tmp_path):
    (tmp_path / "a.log").write_bytes(b"Resetting dropped connection: a\n")
    log = logs.read(
        tmp_path / "a.log", pieces=lambda stream: iter([stream.read().replace(b" a", b" b")])
    )
    assert [one.event.host for one in lines(log)] == ["b"]
