"""However a process ends, its exit code stays and its report comes, if it can."""

from __future__ import annotations

import re
import signal

import pytest

from keptalive.records.report import LostProcess

from .running import code, connects, ended, watched, whole

PYTHON = r"Python [\d.]+"


@pytest.mark.parametrize(
    ("text", "exit_code", "how"),
    [
        ("", 0, "exit"),
        ("import sys; sys.exit(3)", 3, "exit"),
        ("raise ValueError", 1, "exit"),
        ("import os; os._exit(4)", 4, "os._exit"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", 130, "exit"),
        ("import threading as t; t.Thread(target=t.Event().wait, daemon=True).start()", 0, "exit"),
    ],
)
def test_each_end_reports_once_and_keeps_its_exit_code(text, exit_code, how, capfd):
    ran = code(f"import calls; calls.connect(2); {text}")
    assert ran.exit_code == exit_code
    assert ended(ran) == [how]
    assert connects(ran) == [2]
    assert whole(ran)


def test_calls_in_exit_handlers_and_late_threads_count():
    ran = code(
        "import atexit, calls, threading, time\n"
        "atexit.register(calls.connect)\n"
        "threading.Thread(target=lambda: (threading.main_thread().join(), calls.connect())).start()"
    )
    assert connects(ran) == [2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_process_leaves_what_was_noted_and_is_said_to_be_killed(number):
    ran = code(f"import calls, os; calls.connect(); os.kill(os.getpid(), {int(number)})")
    assert (ran.exit_code, ended(ran), connects(ran)) == (128 + number, [None], [1])
    who = f"process {ran.processes[0].pid} (-c, Python {ran.processes[0].python})"
    said = (
        f"{who} left without a report (killed by {number.name}): what it did after its last "
        "note is not counted, so perfect reuse is a lower bound"
    )
    assert (ran.processes_without_report, ran.warnings) == (0, (said,))
    assert ran.lost == (LostProcess(process=ran.processes[0].pid, program="-c", seen=True),)
    assert [record.is_whole for record in ran.records] == [False]


WHO = rf"process \d+ \(-c, {PYTHON}\)"
MANY = (
    r"2 processes left without a report \(killed, ended without Python's exit, or could not write"
)


@pytest.mark.parametrize(
    ("before", "count", "said"),
    [
        ("", 1, rf"{WHO} left without a report \(killed by SIGKILL\): no new connection was noted"),
        (
            "if os.fork(): os.wait()",
            2,
            rf"{MANY} it\): {WHO} and {WHO}; no new connection was noted",
        ),
    ],
)
def test_processes_that_were_killed_before_they_noted_anything_are_counted(before, count, said):
    ran = code(f"import os\n{before}\nos.kill(os.getpid(), 9)")
    assert (ran.exit_code, ran.processes, ran.processes_without_report) == (137, (), count)
    (warning,) = ran.warnings
    assert re.fullmatch(said, warning), warning
    assert [(one.program, one.seen) for one in ran.lost] == [("-c", False)] * count


@pytest.mark.parametrize("how", ["_exit(0)", 'execv(b"/bin/true", (ctypes.c_char_p * 2)(b"true"))'])
def test_a_process_that_leaves_by_other_means_than_pythons_is_counted_and_named(how, tmp_path):
    program = tmp_path / "leaves.py"
    program.write_text(f"import calls, ctypes\ncalls.connect()\nctypes.CDLL(None).{how}\n")
    ran = watched(program)
    assert (ran.exit_code, connects(ran)) == (0, [1])
    assert [(one.program, one.seen) for one in ran.lost] == [(str(program), True)]
    assert "left without a report (killed, ended without Python's exit" in ran.warnings[0]


NOTES_ONCE = """
import _keptalive_process as ours
import calls, os
ours._INTERIM_S = ours._INTERIM_SHARE = 0
calls.connect(); calls.connect(); calls.connect()
"""


def test_of_a_killed_process_is_known_how_many_connections_came_after_its_last_note():
    ran = code(f"{NOTES_ONCE}os.kill(os.getpid(), 9)")
    assert (connects(ran), [(one.seen, one.missed) for one in ran.lost]) == ([1], [(True, 2)])
    (warning,) = ran.warnings
    assert "after its last note is not counted (2 new connections), so perfect reuse" in warning
    assert ran.doubts == (warning,)  # a limit on their number is not judged by what was seen


def test_a_note_that_came_after_all_leaves_nothing_missed():
    later = "ours._INTERIM_S = 60; calls.connect(); os.kill(os.getpid(), 9)"
    ran = code(f"{NOTES_ONCE}{later}")
    assert (connects(ran), [one.missed for one in ran.lost], ran.doubts) == ([4], [0], ())


@pytest.mark.parametrize("module", [True, False])
def test_what_was_killed_before_it_noted_anything_is_named_by_its_program(module, tmp_path):
    (tmp_path / "dies.py").write_text("import os; os.kill(os.getpid(), 9)")
    named = "dies" if module else "dies.py"
    ran = watched(named, module=module)
    assert [one.program for one in ran.lost] == [named]


def test_the_handlers_of_signals_are_those_of_python(capfd):
    code("import signal; print(signal.getsignal(15) == signal.SIG_DFL)")
    assert capfd.readouterr().out == "True\n"


def test_exec_reports_for_both_programs():
    ran = code(
        "import calls, os, sys; calls.connect(2)\n"
        "os.execlp(sys.executable, 'python', '-c', 'import calls; calls.connect()')"
    )
    assert (ended(ran), connects(ran)) == (["exec", "exit"], [2, 1])
    assert len({one.pid for one in ran.processes}) == 1


def test_an_exec_that_fails_changes_nothing():
    ran = code(
        "import calls, os\n"
        "try: os.execv('/dev/null', ['x'])\n"
        "except PermissionError: calls.connect()\n"
        "try: os.execvp('no-such-command', ['x'])\n"
        "except FileNotFoundError: calls.connect()"
    )
    assert (ended(ran), connects(ran)) == (["exit"], [2])
