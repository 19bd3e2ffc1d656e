"""What fails in a watcher is a warning, and nothing that the program notices."""

from __future__ import annotations

import time

import pytest

from .running import code, connects


@pytest.mark.parametrize(
    ("watcher", "said"),
    [
        ("counting.broken", "not watched: RuntimeError: broken watcher"),
        ("counting.Faulty", "no report: ValueError: no report today"),
        ("counting.not_json", "no report: TypeError"),
        ("counting.a_list", "no report: TypeError: a report is a dict, not a list"),
        ("counting.missing", "not watched: AttributeError"),
        ("counting.missing.start", "not watched: ModuleNotFoundError"),
    ],
)
def test_a_fault_of_the_watcher_is_a_warning_and_no_more(watcher, said, capfd):
    ran = code("print('fine')", watcher=watcher)
    assert capfd.readouterr() == ("fine\n", "")
    assert (ran.exit_code, ran.processes, ran.processes_without_report) == (0, (), 1)
    (warning,) = ran.warnings
    assert said in warning


def test_a_note_that_fails_leaves_the_one_before():
    text = "import calls, os; calls.connect(2); os.kill(os.getpid(), 9)"
    ran = code(text, watcher="counting.start_once")
    assert connects(ran) == [1]
    assert len(ran.warnings) == 1  # that it was killed


def test_a_report_that_never_comes_delays_the_end_by_a_second_at_most():
    began = time.monotonic()
    ran = code("import os; os._exit(3)", watcher="counting.Locked")
    assert (ran.exit_code, ran.processes_without_report) == (3, 1)
    assert time.monotonic() - began < 5


def test_a_fork_after_the_run_has_ended_disturbs_nobody(tmp_path, capfd):
    code(
        "import os, shutil; shutil.rmtree(os.environ['KEPTALIVE_REPORTS']); os.fork() and os.wait()"
    )
    assert capfd.readouterr() == ("", "")
