"""Handles SIGINT, SIGTERM and SIGHUP in a command: one exception, raised only where it is allowed.

Only the command line calls `install`. Other code says where a signal may interrupt it (`allowed`)
and where not (`held`). Both do nothing without `install`, for example in a user's program.

This module imports little, because it is imported first: Ctrl-C during the other imports must not
leave a traceback.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class Interrupted(BaseException):
    """A signal came. Not a KeyboardInterrupt, because typer turns that into an exit code.

    Attributes:
        number: the number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Handler:
    """The signal handler: it exits at once, raises once, or only notes the signal.

    Until a command runs, it exits at once: there is nothing to save or to remove yet. After it has
    raised, it only notes further signals, so that they do not interrupt the cleaning up.
    """

    def __init__(self) -> None:
        self.exits = True
        self.raises = False
        self.received: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.exits:
            _exit(number)
        if self.received is None:
            self.received = number
        if self.raises:
            self.raises = False
            raise Interrupted(number)

    def on_unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Python drops what is raised in a destructor: then raise again at the next signal."""
        if unraisable.exc_type is Interrupted:
            self.raises = True
        else:
            sys.__unraisablehook__(unraisable)


def exit_code(number: int) -> int:
    """The exit code that a shell reports for a program that ended by this signal."""
    return 128 + number


def sentence(number: int) -> str:
    """The message for a command that ended by this signal."""
    return "interrupted." if number == signal.SIGINT else f"ended by {signal.Signals(number).name}."


# Global, because signal handlers belong to the process. `signal.getsignal` would not find it while
# `serve` or `run` has replaced it.
_installed: _Handler | None = None


def install() -> None:
    """Handle the three signals from now on; one that is ignored (as under nohup) stays ignored."""
    global _installed
    _installed = handler = _Handler()
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)
    sys.unraisablehook = handler.on_unraisable


def is_installed() -> bool:
    """Whether this process is a command of keptalive's, and nobody else's."""
    return _installed is not None


@contextmanager
def allowed() -> Iterator[None]:
    """In this block a signal raises `Interrupted`; a signal that came before raises it at once.

    Raises:
        Interrupted: once; later signals are only noted.
    """
    handler = _installed
    if handler is None:
        yield
        return
    before = (handler.exits, handler.raises)
    try:
        handler.exits, handler.raises = False, True
        if handler.received is not None:
            raise Interrupted(handler.received)
        yield
    finally:
        handler.exits, handler.raises = before


@contextmanager
def held() -> Iterator[None]:
    """In this block a signal is only noted (see `received`), except in an inner `allowed` block."""
    handler = _installed
    if handler is None:
        yield
        return
    before = (handler.exits, handler.raises)
    try:
        handler.exits = handler.raises = False
        yield
    finally:
        handler.exits, handler.raises = before


def settle() -> None:
    """Ignore signals from now on: the exit code is decided.

    Otherwise a signal could kill the process while the interpreter ends, since Python restores the
    default handlers there.
    """
    if _installed is not None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def received() -> int | None:
    """The number of the first signal since `install`, raised or not; None if none came."""
    handler = _installed
    return None if handler is None else handler.received


def note(number: int) -> None:
    """A signal came while another handler was installed: raise it at the next `allowed`."""
    if _installed is not None and _installed.received is None:
        _installed.received = number


def _exit(number: int) -> None:
    with suppress(OSError):
        os.write(2, f"keptalive: {sentence(number)}\n".encode())
    os._exit(exit_code(number))
