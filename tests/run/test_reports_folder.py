"""Whatever becomes of the folder with the reports is said, and what is left in it is reported."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from keptalive.records.counts import HostCounts
from keptalive.records.plain import as_plain
from keptalive.records.process import ProcessRecord
from keptalive.run.collect import Ran, collected
from keptalive.run.folder import seal
from keptalive.run.process import Ended
from keptalive.run.process_reports import ProcessReport, left_in

from .running import code, connects, whole

FOLDER = "import calls, os, shutil\nfolder = os.environ['KEPTALIVE_REPORTS']\ncalls.connect(2)\n"
DELETES = "shutil.rmtree(folder)\n"
CLEARS = "for name in os.listdir(folder): os.unlink(os.path.join(folder, name))\n"
SAID = "the folder with the reports was deleted while the program ran, so "


@pytest.fixture(autouse=True)
def _a_temporary_folder_to_clear(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))


@pytest.mark.parametrize(
    "text",
    [
        DELETES,
        f"{DELETES}os.fork() and os.wait()",
        f"{DELETES}os._exit(0)",
        f"{DELETES}os.execlp('true', 'true')",
        f"{DELETES}import subprocess, sys\nsubprocess.run([sys.executable, '-c', ''])",
        f"{CLEARS}os.kill(os.getpid(), 9)",
        "shutil.rmtree(os.environ['TMPDIR'])",
    ],
)
def test_a_folder_that_the_program_deletes_is_said(text, capfd, tmp_path):
    ran = code(FOLDER + text)
    (tmp_path / "temporary").mkdir(exist_ok=True)  # pytest itself needs it now
    assert (ran.processes, capfd.readouterr()) == ((), ("", ""))
    (warning,) = ran.warnings
    assert warning.startswith(f"{SAID}there is no report (")
    assert warning.endswith("). Next: set TMPDIR to a folder that nothing clears")


def test_what_comes_after_the_folder_was_cleared_is_reported():
    ran = code(f"{FOLDER}{CLEARS}")
    assert connects(ran) == [2]
    (warning,) = ran.warnings
    assert warning.startswith(f"{SAID}reports are missing (")
    assert ran.doubts == ran.warnings


@pytest.mark.parametrize(
    ("pid", "exit_code", "doubtful"), [(8, 0, False), (7, 0, True), (7, 9, False)]
)
def test_a_process_that_was_killed_leaves_no_doubt_unless_the_program_ended_well(
    folder, pid, exit_code, doubtful
):
    (folder / f"{pid}-1.started").touch()
    (folder / f"{pid}-1.interim").write_text(a_report(pid=pid))
    if pid != ENDED.pid:
        (folder / "7-1.json").write_text(a_report(ended="exit"))
    ran = collected(folder, replace(ENDED, exit_code=exit_code), frozenset())
    assert "left without a report" in ran.warnings[0]
    assert bool(ran.doubts) is doubtful


def test_what_a_record_itself_warns_of_is_a_doubt(beside):
    def put(folder: Path) -> None:
        record = {**as_plain(RECORD), "warnings": ["HTTPAdapter.send was replaced."]}
        (folder / "8-1.json").write_text(a_report(pid=8, report=record, ended="exit"))

    ran = beside(put)
    assert (ran.warnings, ran.doubts) == ((), ("HTTPAdapter.send was replaced.",))


COUNTS = HostCounts(host="http.client", connects=2)
RECORD = ProcessRecord(process=7, started_ns=1, seconds=2.0, hosts=(COUNTS,))
ENDED = Ended(
    exit_code=0,
    seconds=2.0,
    cpu_seconds=1.0,
    signals=(),
    pid=7,
    python="python",
    ignores_path=False,
)


def a_report(**changes: object) -> str:
    whole = {"pid": 7, "parent": 1, "program": "x", "python": "3", "libraries": {}, "ended": None}
    return json.dumps({**whole, "warnings": [], "report": as_plain(RECORD), **changes})


@pytest.fixture
def folder(tmp_path):
    """A folder of a run, as processes find it."""
    (tmp_path / "run").mkdir()
    seal(tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def beside(folder):
    """What is collected from a folder with the report of a process, when this was put beside it."""

    def put(make: Callable[[Path], object]) -> Ran:
        (folder / "7-1.started").touch()
        (folder / "7-1.json").write_text(a_report(ended="exit"))
        make(folder)
        return collected(folder, ENDED, frozenset())

    return put


GARBAGE = {
    "another's file": lambda folder: (folder / "notes.txt").write_text("hello"),
    "a report without a process": lambda folder: (folder / "report.json").write_text("{}"),
    "a start without a process": lambda folder: (folder / "garbage.started").touch(),
    "a process that cannot be": lambda folder: (folder / "99999999999999-1.started").touch(),
    "an unwatched one without a process": lambda folder: (folder / "x.unwatched").touch(),
    "a folder": lambda folder: (folder / "x.json").mkdir(),
    "a dot file": lambda folder: (folder / ".nfs0001").touch(),
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_file_that_is_not_ours_is_counted_and_no_trouble(garbage, beside):
    ran = beside(GARBAGE[garbage])
    assert (connects(ran), ran.processes_without_report) == ([2], 0)
    assert ran.warnings == (
        "1 file in the folder with the reports not written by keptalive, ignored",
    )
    assert ran.doubts == ()


UNREADABLE = {
    "half a report": b'{"pid": 1, "par',
    "nothing": b"",
    "bytes": bytes(range(256)),
    "a list": b"[]",
    "another's object": b'{"a": 1}',
    "a report of words": a_report(report="x").encode(),
    "a warning that is none": a_report(warnings=[1]).encode(),
    "a record without what it must have": a_report(report={}).encode(),
    "a count that is a word": a_report(
        report={**as_plain(RECORD), "hosts": [{"opened": "x"}]}
    ).encode(),
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("contents", UNREADABLE)
def test_a_report_that_cannot_be_read_is_counted_and_no_trouble(contents, beside):
    def put(folder: Path) -> None:
        (folder / "77-1a.json").write_bytes(UNREADABLE[contents])
        (folder / "77-1a.started").touch()

    ran = beside(put)
    assert (connects(ran), ran.processes_without_report) == ([2], 1)
    assert ran.warnings == (
        "1 report was cut short or cannot be read, and not counted. Next: is the disk full?",
    )
    assert ran.doubts == ran.warnings


NO_FILE = {
    "a pipe": os.mkfifo,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
}


@pytest.mark.parametrize("kind", NO_FILE)
def test_a_report_that_is_no_file_is_counted_and_not_waited_for(kind, beside):
    ran = beside(lambda folder: NO_FILE[kind](folder / "77-1a.json"))
    assert (connects(ran), ran.processes_without_report) == ([2], 1)
    assert "1 report was cut short or cannot be read" in ran.warnings[0]


def test_a_reason_that_cannot_be_read_is_one_line(beside):
    def put(folder: Path) -> None:
        (folder / "77.unwatched").write_bytes(b"first" * 100 + b"\nsecond")
        (folder / "78.unwatched").write_bytes(b"\xff")

    assert beside(put).warnings == (
        f"process 77 was not watched: {'first' * 60}",
        "process 78 was not watched: the reason cannot be read",
    )


def test_what_the_program_puts_into_the_folder_while_it_runs_is_no_trouble():
    plant = "import calls, os\ncalls.connect(2)\nfolder = os.environ['KEPTALIVE_REPORTS']\n"
    ran = code(f"{plant}os.mkfifo(os.path.join(folder, '77-1a.json'))")
    assert (connects(ran), ran.processes_without_report) == ([2], 1)


def test_a_whole_report_can_be_read():
    assert msgspec.json.decode(a_report(), type=ProcessReport).report == RECORD


def test_of_a_process_whose_last_report_is_cut_short_the_one_before_is_reported(folder):
    (folder / "7-1.started").touch()
    (folder / "7-1.interim").write_text(a_report())
    (folder / "7-1.json").write_text(a_report(ended="exit")[:-9])
    left = left_in(folder)
    assert left.latest["7-1"].report == RECORD
    assert (left.silent, left.unreadable, left.foreign) == ((), 1, 0)


def test_half_a_report_of_a_process_that_was_killed_while_it_wrote_is_not_foreign(folder):
    (folder / "7-1.started").touch()
    (folder / "7-1.7f00aa").write_text(a_report()[:9])
    left = left_in(folder)
    assert (left.silent, left.unreadable, left.foreign) == (("7-1",), 0, 0)


def test_reports_come_in_the_order_in_which_processes_started(folder):
    for stem in ("9-a", "8-9", "7-10"):
        (folder / f"{stem}.json").write_text(a_report())
    assert list(left_in(folder).latest) == ["8-9", "9-a", "7-10"]


def test_a_folder_that_may_not_be_read_is_as_one_that_is_gone(tmp_path):
    left = left_in(tmp_path / "gone")
    assert (left.is_cleared, left.latest, left.silent) == (True, {}, ())


def test_a_report_that_a_full_disk_does_not_take_is_said(capfd):
    text = (
        "import _keptalive_process, calls, os, resource, signal\n"
        "_keptalive_process._INTERIM_S = 60  # as if a note took no time\ncalls.connect(2)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))\n"
    )
    ran = code(text)
    assert capfd.readouterr() == ("", "")
    assert connects(ran) == [2]  # the last note
    (warning,) = ran.warnings
    assert "left without a report" in warning


def test_a_folder_that_is_left_alone_is_no_matter():
    assert whole(code("import os; print(sorted(os.listdir(os.environ['KEPTALIVE_REPORTS'])))"))
    assert "KEPTALIVE_REPORTS" not in os.environ
