"""Signals that are meant for the program reach it, once."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from .running import PROGRAMS, code, driven, on_terminal, until


@pytest.mark.parametrize(
    ("arguments", "number", "exit_code", "how"),
    [
        ([], signal.SIGTERM, 143, None),
        (["handle"], signal.SIGTERM, 5, "exit"),
        ([], signal.SIGINT, 4, "exit"),
    ],
)
def test_a_signal_to_us_goes_to_the_program(arguments, number, exit_code, how):
    with driven(PROGRAMS / "waits.py", *arguments, start_new_session=True) as running:
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(number)
        running.stdout.read()
    ran = json.loads(Path("ran.json").read_text())
    assert (running.returncode, ran["exit_code"]) == (exit_code, exit_code)
    assert [one["ended"] for one in ran["processes"]] == [how]


def test_ctrl_c_interrupts_the_program_once():
    with on_terminal(PROGRAMS / "waits.py") as running:
        until(running.stdout, b"ready")
        running.stdin.write(b"\x03")
        running.stdin.flush()
        shown = running.stdout.read()
    assert running.returncode == 4
    assert shown.count(b"interrupted once") == 1
    assert b"Traceback" not in shown
    (process,) = json.loads(Path("ran.json").read_text())["processes"]
    assert [host["connects"] for host in process["report"]["hosts"]] == [1]


def test_an_ignored_signal_stays_ignored(capfd):
    show = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        code(show)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert capfd.readouterr().out == "True\n"
