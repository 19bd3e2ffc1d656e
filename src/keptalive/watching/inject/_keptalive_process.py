"""Within a watched process: start its watcher, and write one report when the process ends.

The program must not notice: every failure is a warning in the report, no thread runs beside it
(from Python 3.12 on, a fork would warn of that), no file stays open, and a start imports little.

A report is written at a normal end and before ``os._exit`` and ``os.exec*``. For other ends a
watcher may ask for interim ones. SIGTERM is left alone: a handler in Python may be late by one
blocking call, and a pool that terminates its workers would wait for that forever. A fork begins a
share of its own. A process that dies without any report leaves its `STARTED` file, by which it is
counted.
"""

# pathlib costs more than all of this, and so does json. Nor can json be imported at the end: where
# a signal interrupts an import, the lock of a module that json needs may be held.
# ruff: noqa: PTH105, PTH108, PTH110, PTH112, PTH118, PTH123

from __future__ import annotations

import _thread
import atexit
import os
import sys
import time
from _json import encode_basestring_ascii as _quoted

TYPE_CHECKING = False  # typing costs more, too
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# What `program.run` sets in the environment
REPORTS = "KEPTALIVE_REPORTS"  # the folder for all reports of this run
WATCHER = "KEPTALIVE_WATCHER"  # module.callable
SOURCE = "KEPTALIVE_SOURCE"  # where the watcher's package is, for those who do not have it

# How the files in that folder end; they begin with the process id and a dash
STARTED, INTERIM, REPORT, UNWATCHED = ".started", ".interim", ".json", ".unwatched"

# Interim reports may take this many seconds, and this share of the time
_INTERIM_S, _INTERIM_SHARE = 0.1, 0.02
_PATIENCE_S = 1.0  # for a report in a place where its locks may be held, and never released

_exit, _execv, _execve = os._exit, os.execv, os.execve


def start() -> None:
    """Watch this process, if it was started for that."""
    try:
        folder = os.environ.get(REPORTS)
        watcher = os.environ.get(WATCHER)
        if folder and watcher and os.path.isdir(folder):
            Share(folder, watcher, os.environ.get(SOURCE, "")).attach()
    except Exception:  # noqa: BLE001, S110 - nowhere to say it, and the program goes on
        pass


class Share:
    """This process's share in the run; after a fork, the child's."""

    def __init__(self, folder: str, watcher: str, source: str) -> None:
        self.folder = folder
        self.named = watcher
        self.source = source
        self.watcher: Any = None
        self.active = self.ready = False
        self._began = self._noting_s = 0.0
        self.pid = 0

    def attach(self) -> None:
        """Begin, and be told of all ends that a process can come to."""
        atexit.register(self.finish, "exit")  # the first registered is the last called
        os.register_at_fork(after_in_child=self._after_fork)
        os._exit = _like(_exit, self._exits)
        os.execv = _like(_execv, self._execs)
        os.execve = _like(_execve, self._execs_with)
        self._begin()
        self._make_watcher()
        self.ready = True

    def finish(self, how: str) -> None:
        """Write the report; again, if the process went on after all."""
        if not self.active or self.pid != os.getpid():
            return
        try:
            if self.ready:
                self._write(how, REPORT, self._reported_or_null())
            else:  # ended while we started: it has done nothing that we could have missed
                os.unlink(self.path + STARTED)
        except (Exception, SystemExit):  # noqa: BLE001, S110 - counted as a process without one
            pass

    def note(self) -> None:
        """Write an interim report, unless they have taken too much of the time already."""
        began = time.perf_counter()
        allowed = _INTERIM_S + _INTERIM_SHARE * (began - self._began)
        if not self.ready or self._noting_s > allowed or self.pid != os.getpid():
            return
        try:  # noqa: SIM105 - contextlib is not loaded yet
            self._write(None, INTERIM, self._reported())
        except (Exception, SystemExit):  # noqa: BLE001, S110 - the last note stays
            pass
        self._noting_s += time.perf_counter() - began

    # -- Beginnings ------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.active = self.ready = False
        self._began, self._noting_s = time.perf_counter(), 0.0
        self.pid = os.getpid()
        self.warnings: list[str] = []
        self.path = os.path.join(self.folder, f"{self.pid}-{time.time_ns():x}")
        os.close(os.open(self.path + STARTED, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        self.active = True

    def _make_watcher(self) -> None:
        self.watcher = None
        try:
            self.watcher = self._factory()()
            if hasattr(self.watcher, "on_change"):
                self.watcher.on_change(self.note)
        except (Exception, SystemExit) as error:  # noqa: BLE001
            self._warn("not watched", error)

    def _factory(self) -> Callable[[], Any]:
        module, _, name = self.named.rpartition(".")
        top = module.partition(".")[0]
        last_resort = _Source(self.source, top)  # theirs comes first, whatever it is
        sys.meta_path.append(last_resort)
        try:
            __import__(top)
        finally:
            sys.meta_path.remove(last_resort)
        __import__(module)
        factory: Callable[[], Any] = getattr(sys.modules[module], name)
        return factory

    def _after_fork(self) -> None:
        try:
            # Popen(preexec_fn=...) forks in Python's sight, then executes: no share in between
            self.active = self.active and not _in_popen()
            if self.active:
                self._begin()
                self._restart_watcher()
                self.ready = True
        except (Exception, SystemExit):  # noqa: BLE001, S110 - it stays inactive
            pass

    def _restart_watcher(self) -> None:
        told = getattr(self.watcher, "after_fork", None)
        if told is None:
            self._make_watcher()
            return
        try:
            told()
        except (Exception, SystemExit) as error:  # noqa: BLE001
            self._warn("not watched since its fork", error)
            self.watcher = None

    # -- Ends ------------------------------------------------------------------------------------

    def _exits(self, status: int) -> Any:
        try:
            self._finish_aside("os._exit")
        finally:
            _exit(status)

    def _execs(self, path: Any, argv: Any, /) -> Any:
        self._before_exec(path)
        _execv(path, argv)

    def _execs_with(self, path: Any, argv: Any, env: Any) -> Any:
        self._before_exec(path)
        _execve(path, argv, env)

    def _before_exec(self, path: Any) -> None:
        try:
            found = os.path.exists(path)  # os.execvp tries the whole PATH
        except Exception:  # noqa: BLE001 - the call itself will say so
            found = False
        if found:
            self._finish_aside("exec")

    def _finish_aside(self, how: str) -> None:
        """Finish on another thread: this one may have been interrupted while it held a lock."""
        if not self.active or self.pid != os.getpid():
            return
        done = _thread.allocate_lock()
        done.acquire()

        def finish() -> None:
            try:
                self.finish(how)
            finally:
                done.release()

        try:
            _thread.start_new_thread(finish, ())
        except RuntimeError:  # the interpreter shuts down, or there is no room for a thread
            self.finish(how)
            return
        done.acquire(timeout=_PATIENCE_S)

    # -- The report ------------------------------------------------------------------------------

    def _reported_or_null(self) -> str:
        if self.watcher is not None:
            try:
                return self._reported()
            except (Exception, SystemExit) as error:  # noqa: BLE001
                self._warn("no report", error)
        return "null"

    def _write(self, how: str | None, kind: str, report: str) -> None:
        contents = {
            "pid": self.pid,
            "parent": os.getppid(),
            "program": _program(),
            "python": ".".join(map(str, sys.version_info[:3])),
            "ended": how,
            "warnings": self.warnings,
        }
        half = f"{self.path}.{_thread.get_ident():x}"
        with open(os.open(half, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(f'{_json(contents)[:-1]}, "report": {report}}}')
        os.replace(half, self.path + kind)

    def _reported(self) -> str:
        report = self.watcher.report()
        if not isinstance(report, dict):
            raise TypeError(f"a report is a dict, not a {type(report).__name__}")
        return _json(report)

    def _warn(self, what: str, error: BaseException) -> None:
        self.warnings.append(f"{what}: {type(error).__name__}: {error}")


def _json(value: object) -> str:
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _quoted(str.__str__(value))
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value) if abs(value) < float("inf") else "null"
    if isinstance(value, dict):
        pairs = (f"{_key(key)}: {_json(content)}" for key, content in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_json, value))}]"
    raise TypeError(f"a report cannot have a {type(value).__name__}")


def _key(key: object) -> str:
    return _json(key) if isinstance(key, str) else _quoted(_json(key))


def _program() -> str:
    """What runs here, without its arguments: those may be secret."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        return str(multiprocessing.current_process().name)
    return str((getattr(sys, "argv", None) or [""])[0])


def _in_popen() -> bool:
    frame = sys._getframe()  # noqa: SLF001
    while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    where = frame.f_globals.get("__name__"), frame.f_code.co_name
    return where == ("subprocess", "_execute_child")


class _Source:
    """A finder that knows one package, in a folder that sys.path does not have."""

    def __init__(self, folder: str, name: str) -> None:
        self._folder = folder
        self._name = name

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Any:
        if name != self._name:
            return None
        # importlib.machinery has it as well, for the price of importing that
        (paths,) = (f for f in sys.meta_path if getattr(f, "__name__", "") == "PathFinder")
        return paths.find_spec(name, [self._folder])


def _like(theirs: Any, ours: Callable[..., Any]) -> Callable[..., Any]:
    """A plain function in the place of one of `os`, which answers to the same name."""

    def wrapper(*args: Any, **named: Any) -> Any:
        return ours(*args, **named)

    wrapper.__name__ = wrapper.__qualname__ = theirs.__name__
    wrapper.__doc__ = theirs.__doc__
    wrapper.__module__ = theirs.__module__
    wrapper.__wrapped__ = theirs  # type: ignore[attr-defined]
    return wrapper
