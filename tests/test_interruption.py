"""A signal raises an exception, is only noted, or ends the process at once."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from keptalive import interruption

HEAD = """
import os, signal
from keptalive import interruption
from keptalive.interruption import Interrupted, allowed, held, received

def send(number=signal.SIGTERM):
    os.kill(os.getpid(), number)

def raised(act=lambda: None):
    try:
        with allowed():
            act()
    except Interrupted as interrupted:
        return interrupted.number

interruption.install()
"""


def run(code: str) -> tuple[int, str, str]:
    """The exit code and the output of a process that runs this code with our signal handlers."""
    done = subprocess.run([sys.executable, "-c", HEAD + code], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("print(raised(send))", "15"),
        ("print(raised(lambda: send(signal.SIGHUP)), received())", "1 1"),
        ("with allowed():\n with held(): send()\n print(received())\nprint(raised())", "15\n15"),
        ("with held(): print(raised(send))", "15"),
        ("with allowed():\n try: send()\n except Interrupted: send()\n print('on')", "on"),
        ("with held():\n raised(send)\n send(signal.SIGINT)\n print(received())", "15"),
    ],
    ids=[
        "allowed",
        "another signal",
        "held within allowed, then raised by the next",
        "allowed within held",
        "raised once",
        "the first one counts",
    ],
)
def test_a_signal_raises_once_where_it_is_allowed(code: str, printed: str) -> None:
    assert run(code) == (0, f"{printed}\n", "")


def test_outside_of_commands_a_signal_ends_the_process_at_once_with_a_message() -> None:
    assert run("raised()\nsend(signal.SIGHUP)\nprint('on')") == (
        129,
        "",
        "keptalive: ended by SIGHUP.\n",
    )


def test_a_second_signal_while_the_interpreter_ends_changes_no_exit_code() -> None:
    code = """
import sys
class Late:
    def __del__(self, kill=os.kill, pid=os.getpid()):
        kill(pid, 15)

raised(send)
interruption.settle()
sys.modules["late"] = Late()  # collected when the handlers are Python's own again
sys.exit(143)
"""
    assert run(code) == (143, "", "")


def test_a_signal_during_a_destructor_is_raised_by_the_next_block() -> None:
    code = """
class Slow:
    def __del__(self):
        send()
        for _ in range(1000): pass

def drop():
    Slow()
    print("goes on")

print(raised(drop), raised())
"""
    assert run(code) == (0, "goes on\nNone 15\n", "")


def test_after_a_signal_during_a_destructor_the_next_signal_raises() -> None:
    code = """
class Slow:
    def __del__(self):
        send()
        for _ in range(1000): pass

def drop():
    Slow()
    send(signal.SIGHUP)
    print("goes on")

print(raised(drop))
"""
    assert run(code) == (0, "1\n", "")


def test_another_exception_in_a_destructor_is_still_reported() -> None:
    _, _, errors = run("class A:\n def __del__(self): 1 / 0\nA()")
    assert "Exception ignored in" in errors
    assert "ZeroDivisionError" in errors


def test_an_ignored_signal_stays_ignored() -> None:
    ignoring = subprocess.run(
        [sys.executable, "-c", f"{HEAD}print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert ignoring.stdout == "True\n"


def test_without_install_no_signal_is_handled() -> None:
    before = [signal.getsignal(number) for number in interruption.SIGNALS]
    with interruption.held(), interruption.allowed():
        assert [signal.getsignal(number) for number in interruption.SIGNALS] == before
    assert interruption.received() is None
