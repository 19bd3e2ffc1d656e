"""Run somebody's program under watch, and get a report from each Python process that took part.

The program runs as without us: an interpreter of its own, with our standard streams, process group
and working directory. Two things differ: a folder in front of PYTHONPATH, whose `sitecustomize`
starts the watcher in every Python that inherits it and then makes way for an existing one, and the
variables `KEPTALIVE_*`. So whatever starts Python is covered, in whatever virtual environment.

Not watched are processes that do not inherit PYTHONPATH or ignore it (``-E``, ``-I``, ``-S``).
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType
from typing import Any

from keptalive.errors import UsageError
from keptalive.watching.inject import _keptalive_process as inside

_INJECTED = Path(inside.__file__).resolve().parent
_GRACE_S = 1.0  # for those that end just after the program, as multiprocessing's helpers do
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)  # it sends them to the program as well
_FORWARDED = (*_FROM_TERMINAL, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A program that has ended, and what its processes reported.

    Attributes:
        exit_code: the program's own; 128 + N where signal N ended it.
        reports: of each process that gave one, in the order they started: a dict with `pid`,
            `parent`, `program`, `python`, `ended` ("exit", "os._exit", "exec"; None where a process
            was killed or still runs: an interim report), `warnings`, and the watcher's own under
            `report`.
        processes_without_report: Python processes that took part and gave none.
        warnings: what was not seen, or not for certain.
    """

    exit_code: int
    reports: tuple[dict[str, Any], ...]
    processes_without_report: int
    warnings: tuple[str, ...]


def run(command: Sequence[str], *, module: bool = False, watcher: str) -> Ran:
    """Run a script, a module or a command to its end.

    Args:
        command: what to run, and its arguments.
        module: its first word is the name of a module, as after ``python -m``.
        watcher: the dotted name of a callable. Each process calls it once at its start, without
            arguments; it returns an object whose `report()` is a JSON-able dict, asked for at the
            process's end. After a fork the child calls `after_fork()` of that object if it has
            such a method, and else the callable again: its report is to tell of the child alone.
            If it has a method `on_change(note)`, it may call `note()` after each change, holding
            no lock of its own: then a process that gets killed leaves an interim report.

    Raises:
        UsageError: nothing like that can be run.
    """
    words = _module_words(command) if module else _words(command)
    source = _folder_of(watcher.partition(".")[0])
    try:
        folder = Path(tempfile.mkdtemp(prefix="keptalive-run-"))  # 0700
    except OSError as error:
        raise UsageError(
            f"No temporary folder can be made: {error.strerror}. Next: set TMPDIR."
        ) from None
    try:
        exit_code = _run(words, _environment(os.environ, folder, watcher, source))
        running = _await_late_ones(folder)
        return _collected(folder, exit_code, running)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# -- What to run ---------------------------------------------------------------------------------


def _module_words(command: Sequence[str]) -> list[str]:
    if not command or not command[0]:
        raise UsageError("There is no module to run. Next: keptalive run -m MODULE [ARGS].")
    name = command[0]
    spec = _found_module(name)
    if spec is None:
        raise UsageError(
            f"There is no module {name} for {sys.executable}. Next: install it there, or name the "
            f"interpreter that has it: keptalive run /path/to/python -m {name}."
        )
    if spec.submodule_search_locations is not None and _found_module(f"{name}.__main__") is None:
        raise UsageError(
            f"{name} is a package without __main__, so it cannot be run. "
            f"Next: name a module within it, as in -m {name}.MODULE."
        )
    return [sys.executable, "-m", *command]


def _found_module(name: str) -> ModuleSpec | None:
    """Find a module as ``python -m`` would from here, running no code of its packages."""
    paths: list[str] | None = None
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        parent, spec = spec, _found_in(".".join(parts[:count]), paths)
        if spec is None:
            # packages may extend their __path__ as they run: then Python itself is to judge
            return parent if parent is not None and _extends_its_path(parent) else None
        if spec.submodule_search_locations is None:
            return spec if count == len(parts) else None
        paths = list(spec.submodule_search_locations)
    return spec


def _found_in(name: str, paths: list[str] | None) -> ModuleSpec | None:
    if paths is None and (spec := PathFinder.find_spec(name, [str(Path.cwd())])) is not None:
        return spec
    for finder in sys.meta_path:
        with suppress(ImportError, AttributeError):
            if (spec := finder.find_spec(name, paths)) is not None:
                return spec
    return None


def _extends_its_path(package: ModuleSpec) -> bool:
    try:
        return "__path__" in Path(package.origin or "").read_text(errors="replace")
    except OSError:
        return False


def _words(command: Sequence[str]) -> list[str]:
    """The command as it is, or this Python in front of a script."""
    if not command or not command[0]:
        raise UsageError("There is nothing to run. Next: keptalive run SCRIPT [ARGS].")
    name = command[0]
    path = Path(name)
    looks_like_script = path.suffix in (".py", ".pyw", ".pyc", ".pyz")
    if os.sep not in name and not looks_like_script and (found := _on_path(name)):
        return [found, *command[1:]]
    if path.is_dir():
        if not (path / "__main__.py").is_file():
            raise UsageError(
                f"{name} is a folder without __main__.py. Next: name the script in it."
            )
        return [sys.executable, *command]
    if not path.exists():
        raise _missing(name, looks_like_script)
    if looks_like_script or (not os.access(path, os.X_OK) and _is_pythons(path)):
        _check_script(path)
        return [sys.executable, *command]
    if os.sep not in name or not os.access(path, os.X_OK):
        raise UsageError(
            f"{name} is neither a command nor a Python script. "
            f"Next: chmod +x and ./{path.name}, or keptalive run python {name}."
        )
    return list(command)


def _on_path(name: str) -> str | None:
    # a virtual environment that is not activated has its console scripts beside its Python
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


def _missing(name: str, looks_like_script: bool) -> UsageError:
    if looks_like_script or os.sep in name:
        return UsageError(f"There is no {name} in {Path.cwd()}. Next: check the path.")
    if name.isidentifier() and _found_module(name) is not None:
        return UsageError(f"There is no command {name}. Next: keptalive run -m {name}.")
    return UsageError(f"There is no command {name} on the PATH. Next: check its name, or its path.")


def _is_pythons(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            first = file.readline(200)
    except OSError as error:
        raise _unreadable(path, error) from None
    return first.startswith(b"#!") and b"python" in first


def _check_script(path: Path) -> None:
    """Find out before the run what Python would say at its start."""
    if path.suffix == ".pyc" or zipfile.is_zipfile(path):
        return
    try:
        text = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    if b"\0" in text:
        raise UsageError(f"{path} is a binary file, not a Python script. Next: name the script.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the program itself will print them
            compile(text, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        where = f"{path}, line {error.lineno}" if error.lineno else str(path)
        raise UsageError(
            f"{where}: {error.msg}. Next: mend it; Python {sys.version_info[0]}."
            f"{sys.version_info[1]} would not run it."
        ) from None
    except (ValueError, RecursionError, MemoryError):  # too much for compile: Python will tell
        pass


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be read: {error.strerror}. Next: check its permissions.")


# -- Running it ----------------------------------------------------------------------------------


def _folder_of(top: str) -> str:
    """Where the watcher's package or module lies, for processes that do not have it."""
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {top!r}", name=top)
    home = Path(spec.origin).resolve().parent
    return str(home if spec.submodule_search_locations is None else home.parent)


def _environment(
    ours: Mapping[str, str], folder: Path, watcher: str, source: str
) -> dict[str, str]:
    # an empty PYTHONPATH is none, while an empty entry in it would be the working directory
    path = [str(_INJECTED), *filter(None, [ours.get("PYTHONPATH")])]
    return {
        **ours,
        "PYTHONPATH": os.pathsep.join(path),
        inside.REPORTS: str(folder),
        inside.WATCHER: watcher,
        inside.SOURCE: source,
    }


def _run(words: list[str], environment: dict[str, str]) -> int:
    with _forwarding() as started:
        try:
            # close_fds: what a shell has opened for the program is for the program
            program = subprocess.Popen(words, env=environment, close_fds=False)  # noqa: S603
        except OSError as error:
            raise _not_started(words[0], error) from None
        started(program)
        code = program.wait()
    return 128 - code if code < 0 else code


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

    def __init__(self) -> None:
        self._program: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def __call__(self, program: subprocess.Popen[bytes]) -> None:
        self._program = program
        for number in self._early:
            program.send_signal(number)

    def handle(self, number: int, _frame: FrameType | None) -> None:
        if number in _FROM_TERMINAL and _in_foreground():
            return  # the program had it from the terminal; we have to be there when it ends
        if self._program is None:
            self._early.append(number)
        elif self._program.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._program.pid, number)


@contextmanager
def _forwarding() -> Iterator[_Forwarding]:
    forwarding = _Forwarding()
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


# -- What they reported --------------------------------------------------------------------------


def _await_late_ones(folder: Path) -> int:
    """Wait a little for processes that still run; say how many do."""
    give_up = time.monotonic() + _GRACE_S
    while running := sum(map(_runs, _silent(folder))):
        if time.monotonic() > give_up:
            break
        time.sleep(0.01)
    return running


def _silent(folder: Path) -> list[int]:
    """The processes that started and have not reported."""
    names = {path.stem for path in folder.glob(f"*{inside.STARTED}")}
    reported = {path.stem for path in folder.glob(f"*{inside.REPORT}")}
    return [int(name.split("-")[0]) for name in sorted(names - reported)]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    with suppress(OSError, IndexError):  # Linux: dead, but nobody has asked for its exit code
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return True


def _collected(folder: Path, exit_code: int, running: int) -> Ran:
    reports = []
    notes = []
    finals = {path.stem: path for path in folder.glob(f"*{inside.REPORT}")}
    interims = {path.stem: path for path in folder.glob(f"*{inside.INTERIM}")}
    latest = {**interims, **finals}
    silent = sum(path.stem not in latest for path in folder.glob(f"*{inside.STARTED}"))
    for _, path in sorted(latest.items(), key=lambda named: named[0].split("-")[1]):
        contents = json.loads(path.read_text())
        notes += [f"{_who(contents)}: {warning}" for warning in contents["warnings"]]
        if isinstance(contents["report"], dict):
            reports.append(contents)
        else:
            silent += 1
    for path in folder.glob(f"*{inside.UNWATCHED}"):
        silent += 1
        notes.append(f"process {path.stem} was not watched: {path.read_text()}")
    if running:
        notes.append(f"{running} of its processes still run: what they do from here on is not seen")
    if not reports and not silent:
        notes.append(
            "no Python process took part, or none that heeds PYTHONPATH (-E, -I and -S do not)"
        )
    return Ran(
        exit_code=exit_code,
        reports=tuple(reports),
        processes_without_report=silent,
        warnings=tuple(dict.fromkeys(notes)),
    )


def _who(contents: Mapping[str, Any]) -> str:
    return f"process {contents['pid']} ({contents['program']}, Python {contents['python']})"
