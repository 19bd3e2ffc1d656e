"""SIGUSR1 to `keptalive run`: the report so far, of programs that have no use for that signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from keptalive.run import so_far
from keptalive.run.collect import Ran
from keptalive.run.launch import run
from keptalive.run.so_far import began_after, catches

from .running import connects, quickly

# It asks us, who are its parent, and waits until it may go on
ASKS = "os.kill(os.getppid(), signal.SIGUSR1); open('go_on').read(); "
USES = "import calls, os, signal, sys; calls.connect(2); "


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Whoever is asked here answers, be the machine ever so busy, or has ended."""
    monkeypatch.setattr(so_far, "_PATIENCE_S", 60.0)


class SoFar:
    """Runs a program that sends us SIGUSR1; `first` is what was recorded until then.

    Args:
        code: of the program.
        watcher: for each of its processes.
    """

    def __init__(self, code: str, *, watcher: str = "counting.start") -> None:
        os.mkfifo("go_on")
        reports: list[Ran] = []
        self.ran = run(
            [sys.executable, "-c", code],
            watcher=watcher,
            on_usr1=lambda ran: (reports.append(ran), Path("go_on").write_text("")),
        )
        (self.first,) = reports


def test_a_running_program_is_asked_and_what_it_does_later_is_in_the_last_report():
    seen = SoFar(USES + ASKS + "calls.connect(3)")
    assert (connects(seen.first), seen.first.warnings) == ([2], ())
    assert [record.is_whole for record in seen.first.records] == [True]
    assert (connects(seen.ran), seen.ran.exit_code, seen.ran.warnings) == ([5], 0, ())


def test_what_a_process_did_that_was_killed_before_it_answered_is_not_called_whole():
    os.mkfifo("go_on")
    killed = "os.path.exists = lambda _: os.kill(os.getpid(), signal.SIGKILL); "
    reports: list[Ran] = []
    command = [sys.executable, "-c", USES + killed + ASKS]
    ran = run(command, watcher="counting.start", on_usr1=reports.append)
    assert ran.exit_code == 137
    assert [[record.is_whole for record in one.records] for one in reports] == [[False]]
    assert reports[0].warnings == (
        "1 process did not answer: what came after the last new connection is not counted",
    )


@pytest.mark.complete
def test_a_forks_child_is_asked_too():
    code = (
        "import os; ready, told = os.pipe()\n"
        "if os.fork():\n"
        " import signal; os.read(ready, 1)\n"
        f" {ASKS}\n"
        " os.write(told, b'x'); os.wait()\n"
        "else:\n"
        " import calls; calls.connect(1); os.write(told, b'x'); open('go_on2').read()\n"
    )
    os.mkfifo("go_on2")
    code = code.replace("os.wait()", "open('go_on2', 'w').close(); os.wait()")
    seen = SoFar(code)
    assert (sorted(connects(seen.first)), seen.first.warnings) == ([0, 1], ())


def without_us(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


LOOKS = """
import signal
own = lambda *_: None
number = signal.SIGUSR1
print(repr(signal.getsignal(number)), repr(signal.signal(number, own)))
print(signal.getsignal(number) is own, signal.signal(number, signal.SIG_DFL) is own)
print(repr(signal.signal(number, signal.SIG_IGN)), repr(signal.signal(number, signal.SIG_DFL)))
print(repr(signal.getsignal(number)), repr(signal.getsignal(signal.SIGUSR2)))
for wrong in ("no handler", 7):
    try:
        signal.signal(number, wrong)
    except (TypeError, ValueError) as error:
        print(type(error).__name__, error)
print(repr(signal.getsignal(number)))
"""


def test_to_the_program_the_signal_is_at_its_default_action(capfd):
    plain = without_us(LOOKS)
    assert plain.stdout.count("\n") == 7
    run([sys.executable, "-c", LOOKS], watcher="counting.start")
    assert capfd.readouterr().out == plain.stdout


@pytest.mark.parametrize("watched", [False, True])
def test_a_signal_of_somebody_else_ends_a_program_that_does_not_handle_it(watched):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGUSR1); print('alive')"
    if watched:
        assert run([sys.executable, "-c", code], watcher="counting.start").exit_code == 138
    else:
        assert without_us(code).returncode == -signal.SIGUSR1


WAITS = f"""{USES}
import threading
owns, woke = set(), threading.Event()
signal.signal(signal.SIGUSR2, lambda *_: owns.add("own"))
def asks():
    {ASKS}
    print("asked", flush=True)
    while not woke.is_set():
        os.kill(os.getpid(), signal.SIGUSR2)
        woke.wait(0.1)  # one that came before the pause began wakes nobody
threading.Thread(target=asks).start()
signal.pause()
woke.set()
print("after", *owns)
"""


def test_a_program_that_waits_for_a_signal_of_its_own_goes_on_waiting(capfd):
    seen = SoFar(WAITS)
    assert connects(seen.first) == [2]
    assert capfd.readouterr().out == "asked\nafter own\n"


OWN = {
    "a handler": "signal.signal(signal.SIGUSR1, lambda *_: print('harmed')); ",
    "ignored": "signal.signal(signal.SIGUSR1, signal.SIG_IGN); ",
    "blocked": "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]); ",
    "in C": "import faulthandler; faulthandler.register(signal.SIGUSR1); ",
    "asyncio": (
        "import asyncio; loop = asyncio.new_event_loop(); "
        "loop.add_signal_handler(signal.SIGUSR1, print); "
    ),
}


@pytest.mark.parametrize("use", quickly(OWN, "a handler", "in C"))
def test_a_program_that_has_a_use_for_the_signal_is_left_alone(use, capfd):
    watcher = "keptalive.run.process_watcher.begin" if use == "in C" else "counting.start"
    seen = SoFar("import signal; " + OWN[use] + USES + ASKS, watcher=watcher)
    (warning,) = seen.first.warnings
    assert warning == (
        "1 process handles SIGUSR1 otherwise, and was not asked: what came after the last new "
        "connection is not counted"
    )
    assert seen.ran.exit_code == 0
    out, errors = capfd.readouterr()
    assert (out, errors) == ("", "")


@pytest.mark.complete
def test_a_handler_that_was_there_only_for_a_while_is_no_use_any_more():
    code = USES + "signal.signal(signal.SIGUSR1, print); signal.signal(signal.SIGUSR1, 0); " + ASKS
    seen = SoFar(code)
    assert (connects(seen.first), seen.first.warnings) == ([2], ())


@pytest.mark.complete
def test_a_process_that_ignored_it_from_the_start_is_left_alone():
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        code = "import signal; print(signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN)"
        ran = run([sys.executable, "-c", code], watcher="counting.start")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ran.exit_code == 0


def test_without_anybody_who_wants_the_report_the_signal_goes_to_the_program():
    os.mkfifo("never")
    code = (
        "import os, signal, sys; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(3))\n"
        "os.kill(os.getppid(), signal.SIGUSR1); open('never').read()"
    )
    assert run([sys.executable, "-c", code], watcher="counting.start").exit_code == 3


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_who_catches_a_signal_is_asked_of_the_system():
    number = signal.SIGUSR2

    def caught(do: Callable[[], object]) -> bool:
        do()
        return catches(os.getpid(), number)

    before = signal.getsignal(number)
    try:
        assert not caught(lambda: signal.signal(number, signal.SIG_DFL))
        assert caught(lambda: signal.signal(number, lambda *_: None))
        assert not caught(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [number]))
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        signal.signal(number, before)
    assert not catches(2**30, number)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_another_process_with_the_id_of_one_that_has_ended_is_not_asked():
    an_hour = 3600 * 10**9
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        now = time.time_ns()
        assert not began_after(child.pid, now)
        assert began_after(child.pid, now - an_hour)
    assert not began_after(2**30, now - an_hour)
