"""However a process ends, its exit code stays and its report comes, if it can."""

from __future__ import annotations

import signal

import pytest

from .running import code, connects, ended, whole


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
        f"{who} was killed before the end, or could not report it: "
        "what came after the last new connection is not counted"
    )
    assert (ran.processes_without_report, ran.warnings) == (0, (said,))


@pytest.mark.parametrize(
    ("before", "count", "said"),
    [
        ("", 1, "a process was killed before the end"),
        ("if os.fork(): os.wait()", 2, "2 processes were killed before the end"),
    ],
)
def test_processes_that_were_killed_before_they_noted_anything_are_counted(before, count, said):
    ran = code(f"import os\n{before}\nos.kill(os.getpid(), 9)")
    assert (ran.exit_code, ran.processes, ran.processes_without_report) == (137, (), count)
    (warning,) = ran.warnings
    assert warning.startswith(said)


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
