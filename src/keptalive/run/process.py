"""The program's own process: its environment, its start, and the signals that are meant for it."""

from __future__ import annotations

import importlib.util
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from keptalive import interruption
from keptalive.errors import UsageError
from keptalive.run.command import ignores_path, python_of
from keptalive.run.inject import _keptalive_names as inside

_INJECTED = Path(inside.__file__).resolve().parent
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)  # it sends them to the program as well
_FORWARDED = (*_FROM_TERMINAL, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The process that was started, when it has ended.

    Attributes:
        exit_code: 128 + N where signal N ended it.
        seconds: how long it ran.
        cpu_seconds: what it and those of its children for which it waited took of the processors.
        pid: its process id, which it kept if it executed another program.
        python: the name of the Python that it was at its end; None if it was another program, or
            if that is not known.
        ignores_path: it was started with an option that makes Python ignore PYTHONPATH.
        signals: that came for us meanwhile, and were handed on.
    """

    exit_code: int
    seconds: float
    cpu_seconds: float
    pid: int
    python: str | None
    ignores_path: bool
    signals: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Descriptors for a program's standard streams; None: our own."""

    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None


OURS = Streams()


def folder_of(top: str) -> str:
    """Where the watcher's package or module lies, for processes that do not have it."""
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {top!r}", name=top)
    home = Path(spec.origin).resolve().parent
    return str(home if spec.submodule_search_locations is None else home.parent)


def environment(
    ours: Mapping[str, str],
    folder: Path,
    watcher: str,
    source: str,
    *,
    timeline: bool = False,
    tuned: bool = False,
) -> dict[str, str]:
    """Our own environment, and in it where a watched process finds its watcher."""
    # an empty PYTHONPATH is none, while an empty entry in it would be the working directory
    path = [str(_INJECTED), *filter(None, [ours.get("PYTHONPATH")])]
    return {
        **{
            name: value
            for name, value in ours.items()
            if name not in (inside.TIMELINE, inside.TUNED)
        },
        "PYTHONPATH": os.pathsep.join(path),
        inside.REPORTS: str(folder),
        inside.WATCHER: watcher,
        inside.SOURCE: source,
        **({inside.TIMELINE: "1"} if timeline else {}),
        **({inside.TUNED: "1"} if tuned else {}),
    }


def run_to_end(
    words: list[str],
    variables: Mapping[str, str],
    streams: Streams = OURS,
    *,
    on_usr1: Callable[[float], None] | None = None,
) -> Ended:
    """Run this command; its end, which may be another program's that it has executed.

    Args:
        words: the command.
        variables: its environment.
        streams: its standard streams.
        on_usr1: called at SIGUSR1, with the seconds since the start; without it that signal goes to
            the program, as others do.

    Raises:
        UsageError: it cannot be started.
        Interrupted: a signal came before it was started.
    """
    with _forwarding(on_usr1) as started:
        with interruption.allowed():
            pass  # a signal that came before these handlers ends us: nothing is started
        began, cpu_before = time.perf_counter(), _cpu_of_children()
        try:
            # close_fds: what a shell has opened for the program is for the program
            program = subprocess.Popen(  # noqa: S603
                words,
                env=variables,
                close_fds=False,
                stdin=streams.stdin,
                stdout=streams.stdout,
                stderr=streams.stderr,
            )
        except OSError as error:
            raise _not_started(words[0], error) from None
        started(program)
        name = _name_at_end(program.pid)
        code = program.wait()
    return Ended(
        exit_code=128 - code if code < 0 else code,
        seconds=time.perf_counter() - began,
        cpu_seconds=_cpu_of_children() - cpu_before,
        pid=program.pid,
        python=python_of(words, name),
        ignores_path=ignores_path(words),
        signals=tuple(started.signals),
    )


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _name_at_end(pid: int) -> str | None:
    """Wait for the end of this process; what program it was then, if the system tells."""
    with suppress(OSError, AttributeError):  # macOS has no waitid before Python 3.13
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").rstrip("\n")
    return None


def _not_started(name: str, error: OSError) -> UsageError:
    if isinstance(error, FileNotFoundError):
        return UsageError(
            f"{name} cannot be started: what its first line asks for is not there. "
            f"Next: mend that line, or keptalive run python {name}."
        )
    return UsageError(
        f"{name} cannot be started: {error.strerror}. "
        f"Next: is it a program for this machine, and does a script begin with #! ?"
    )


class _Forwarding:
    """Hands signals on to the program; those that come before it starts are kept for it."""

    def __init__(self, on_usr1: Callable[[float], None] | None) -> None:
        self._program: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._on_usr1 = on_usr1
        self._began = 0.0
        self._is_reporting = False
        self.signals: list[int] = []

    def __call__(self, program: subprocess.Popen[bytes]) -> None:
        self._program, self._began = program, time.perf_counter()
        for number in self._early:
            program.send_signal(number)

    def handle(self, number: int, _frame: FrameType | None) -> None:
        self.signals.append(number)
        if number == signal.SIGUSR1 and self._on_usr1 is not None:
            self._reports(self._on_usr1)
        elif self._program is None:
            self._early.append(number)
        elif number in _FROM_TERMINAL and _in_foreground():
            return  # the program had it from the terminal; we have to be there when it ends
        elif self._program.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._program.pid, number)

    def _reports(self, on_usr1: Callable[[float], None]) -> None:
        """Here and now, while the program is waited for; once at a time."""
        if self._program is None or self._program.returncode is not None or self._is_reporting:
            return
        self._is_reporting = True
        try:
            on_usr1(time.perf_counter() - self._began)
        finally:
            self._is_reporting = False


@contextmanager
def _forwarding(on_usr1: Callable[[float], None] | None) -> Iterator[_Forwarding]:
    forwarding = _Forwarding(on_usr1)
    before = {}
    with suppress(ValueError):  # not on the main thread: then signals are not ours to handle
        for number in _FORWARDED:
            if (
                signal.getsignal(number) != signal.SIG_IGN
            ):  # as under nohup: the program inherits it
                before[number] = signal.signal(number, forwarding.handle)
    try:
        yield forwarding
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_foreground() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
