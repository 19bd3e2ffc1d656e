"""SIGINT, SIGTERM and SIGHUP in the command's own process: one exception, raised where it may be.

`install` is for the process of the command line alone. Everything else only says where it may be
interrupted (`allowed`) and where not (`held`); both do nothing where nobody has installed anything,
as in somebody's program.

Only the standard library's light modules: this is imported before anything else, so that Ctrl-C
during the imports leaves no traceback.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is missing elsewhere than on Unix
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class Interrupted(BaseException):
    """A signal asked for the end. Not a KeyboardInterrupt: typer would make an exit code of that.

    Attributes:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Handler:
    """Leaves at once, raises once, or only remembers.

    It leaves at once until a command runs, when there is nothing yet to save or to remove. After
    it has raised it only remembers, so that a second signal does not end the clearing up.
    """

    def __init__(self) -> None:
        self.leaves = True
        self.raises = False
        self.received: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.leaves:
            _leave(number)
        if self.received is None:
            self.received = number
        if self.raises:
            self.raises = False
            raise Interrupted(number)

    def forgive(self, unraisable: sys.UnraisableHookArgs) -> None:
        """What was raised in a destructor is lost: say nothing of it, and raise the next one."""
        if unraisable.exc_type is Interrupted:
            self.raises = True
        else:
            sys.__unraisablehook__(unraisable)


def exit_code(number: int) -> int:
    """The exit code that a shell reports for a program that this signal ended."""
    return 128 + number


def sentence(number: int) -> str:
    """What to say of a command that this signal ended."""
    return "interrupted." if number == signal.SIGINT else f"ended by {signal.Signals(number).name}."


# A signal's handler belongs to the process, and so does what it remembers. Not found by asking for
# the handler: `serve` and `run` put others in its place for a while.
_installed: _Handler | None = None


def install() -> None:
    """Handle the three signals from here on, but for those that are ignored (as under nohup)."""
    global _installed
    _installed = handler = _Handler()
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)
    sys.unraisablehook = handler.forgive


@contextmanager
def allowed() -> Iterator[None]:
    """In this block a signal raises `Interrupted`; one that came before raises it at once.

    Raises:
        Interrupted: once; what comes later is remembered only.
    """
    handler = _installed
    if handler is None:
        yield
        return
    before = (handler.leaves, handler.raises)
    try:
        handler.leaves, handler.raises = False, True
        if handler.received is not None:
            raise Interrupted(handler.received)
        yield
    finally:
        handler.leaves, handler.raises = before


@contextmanager
def held() -> Iterator[None]:
    """In this block a signal is remembered only, but where `allowed` is within: see `received`."""
    handler = _installed
    if handler is None:
        yield
        return
    before = (handler.leaves, handler.raises)
    try:
        handler.leaves = handler.raises = False
        yield
    finally:
        handler.leaves, handler.raises = before


def settle() -> None:
    """Ignore signals from here on: the exit code is decided.

    Else one that comes while the interpreter ends would kill it, since Python puts the defaults
    back there.
    """
    if _installed is not None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def received() -> int | None:
    """The first signal that came since `install`, whether or not it was raised."""
    handler = _installed
    return None if handler is None else handler.received


def _leave(number: int) -> None:
    with suppress(OSError):
        os.write(2, f"keptalive: {sentence(number)}\n".encode())
    os._exit(exit_code(number))
