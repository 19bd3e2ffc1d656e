"""Inside a watched process: starts its watcher, and writes one report when the process ends.

The program must not notice it: every failure becomes a warning in the report, no thread runs (from
Python 3.12 on, a fork warns if there are threads), no file stays open, and little is imported.

A report is written at a normal end and before ``os._exit`` and ``os.exec*``. For other ends, a
watcher can write interim reports. SIGTERM has no handler here: a handler in Python may come late by
one blocking call, and a pool that terminates its workers would wait forever. The child of a fork
writes a report of its own. A process that dies without a report leaves its `STARTED` file: so it is
counted, and named by what that file says of it.
"""

# Importing pathlib or json takes longer than all of this
# ruff: noqa: PTH100, PTH105, PTH108, PTH110, PTH112, PTH118, PTH120

from __future__ import annotations

import _thread
import atexit
import os
import time

TYPE_CHECKING = False  # importing typing takes longer too
if TYPE_CHECKING:
    from typing import Any

    from keptalive.run.inject import _keptalive_names as names
    from keptalive.run.inject._keptalive_asked import Asked
    from keptalive.run.inject._keptalive_calls import MARK, PATH, in_popen, led_by, like
    from keptalive.run.inject._keptalive_faults import is_ours
    from keptalive.run.inject._keptalive_files import add_byte, create, write
    from keptalive.run.inject._keptalive_finding import factory_of
    from keptalive.run.inject._keptalive_json import as_json
    from keptalive.run.inject._keptalive_self import about, libraries
else:  # in a watched process keptalive may not be importable; this folder was on sys.path
    import _keptalive_names as names
    from _keptalive_asked import Asked
    from _keptalive_calls import MARK, PATH, in_popen, led_by, like
    from _keptalive_faults import is_ours
    from _keptalive_files import add_byte, create, write
    from _keptalive_finding import factory_of
    from _keptalive_json import as_json
    from _keptalive_self import about, libraries

# Interim reports may take this many seconds, and in addition this share of the time
_INTERIM_S, _INTERIM_SHARE = 0.1, 0.02
_PATIENCE_S = 1.0  # to wait for a report, where a lock that it needs may never be released
_HERE = os.path.dirname(os.path.abspath(__file__))
_exit, _execv, _execve = os._exit, os.execv, os.execve


def start() -> None:
    """Watch this process, if `keptalive run` started it, and if it is not watched yet."""
    try:
        folder = os.environ.get(names.REPORTS)
        watcher = os.environ.get(names.WATCHER)
        if hasattr(os._exit, MARK) or not (folder and watcher and os.path.isdir(folder)):
            return
        Share(folder, watcher, os.environ.get(names.SOURCE, "")).attach()
    except Exception as error:
        if not is_ours(error):
            raise


class Share:
    """The watching of this process; after a fork, of the child.

    An exception of the program that is raised while this code runs reaches the program: see
    `is_ours`. Where Python itself calls this code, at the end and after a fork, Python prints that
    exception and continues, as it does for any other function that it calls there.
    """

    def __init__(self, folder: str, watcher: str, source: str) -> None:
        self.folder = folder
        self.named = watcher
        self.source = source
        self.watcher: Any = None
        self.active, self.ready, self.turn = False, False, 0
        self._began = self._noting_s = 0.0
        self.pid = 0
        self._skipped = False
        self.asked = Asked(self._answer)

    def attach(self) -> None:
        """Begin, and install handlers for the ways in which a process can end."""
        atexit.register(self.finish, "exit")  # registered first, so called last
        os.register_at_fork(after_in_child=self._after_fork)
        os._exit = like(_exit, self._exits)
        os.execv = like(_execv, self._execs)
        os.execve = like(_execve, self._execs_with)
        self._begin()
        self.asked.attach()
        try:
            self.watcher = self._made_watcher()
        except Exception as error:  # noqa: BLE001 - `_warn` raises it again
            self._warn("not watched", error)
        self.ready = True

    def finish(self, how: str) -> None:
        """Write the report. If the process continues, it is written again later."""
        if not self.active or self.pid != os.getpid():
            return
        turn = self.turn = self.turn + 1  # a later one may overtake this one, and then counts
        try:
            if self.ready:
                self._write(how, names.REPORT, self._reported_or_null(), turn)
            else:  # it ended before the program's code ran
                os.unlink(self.path + names.STARTED)
        except Exception as error:  # ours: counted as a process without a report
            if not self._is_ours(error):
                raise

    def note(self) -> None:
        """Write an interim report; if these have already taken too much time, only count."""
        began = time.perf_counter()
        allowed = _INTERIM_S + _INTERIM_SHARE * (began - self._began)
        if not self.ready or self.pid != os.getpid():
            return
        try:
            if self._noting_s > allowed:
                self._skipped = True
                add_byte(self.path + names.SKIPPED)
            else:
                self._write_interim(self._reported())
        except Exception as error:  # ours: the last interim report stays
            if not self._is_ours(error):
                raise
        finally:
            self._noting_s += time.perf_counter() - began

    def _write_interim(self, report: str, half: str = "") -> None:
        self._write(None, names.INTERIM, report, half=half)
        if self._skipped:
            self._skipped = False
            os.unlink(self.path + names.SKIPPED)

    def _answer(self) -> None:
        """Write an interim report since `keptalive run` has asked for one."""
        if not self.ready or self.watcher is None:
            return
        report = getattr(self.watcher, "report_so_far", self.watcher.report)
        try:
            self._write_interim(as_json(report()), half="asked")
        except Exception as error:  # ours: the last interim report stays
            if not self._is_ours(error):
                raise

    def _is_ours(self, error: Exception) -> bool:
        return is_ours(error, {self.named.partition(".")[0]})

    # -- Beginnings ------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.active = self.ready = self._skipped = False
        self._began, self._noting_s = time.perf_counter(), 0.0
        self.pid = os.getpid()
        self.warnings: list[str] = []
        self.path = os.path.join(self.folder, f"{self.pid}-{time.time_ns():x}")
        error = create(self.path + names.STARTED, as_json(about()))
        if error is not None and not self._is_ours(error):
            raise error  # else it is counted without its name
        self.asked.begins(self.path, self.pid)
        self.active = True

    def _made_watcher(self) -> Any:
        watcher = factory_of(self.named, self.source)()
        if hasattr(watcher, "on_change"):
            watcher.on_change(self.note)
        if hasattr(watcher, "on_signals_in_c"):
            watcher.on_signals_in_c(self.asked.withdraw)
        return watcher

    def _after_fork(self) -> None:
        # Popen(preexec_fn=...) calls this too, before it executes another program: not watched
        self.active = self.active and not in_popen()
        if not self.active:
            return
        try:
            self._begin()
            self._restart_watcher()
        except Exception as error:  # ours: it stays inactive
            if not self._is_ours(error):
                raise

    def _restart_watcher(self) -> None:
        """Make a watcher for the child; until that has succeeded there is none."""
        parents, self.watcher = self.watcher, None
        self.warnings.append("not watched since its fork: it was interrupted")
        self.ready = True
        after_fork = getattr(parents, "after_fork", None)
        try:
            if after_fork is None:
                self.watcher = self._made_watcher()
            else:
                after_fork()
                self.watcher = parents
        except Exception as error:  # noqa: BLE001 - `_warn` raises it again
            self._warn("not watched since its fork", error)
        del self.warnings[0]

    # -- Ends ------------------------------------------------------------------------------------

    def _exits(self, status: int) -> Any:
        try:
            self._finish_aside("os._exit")
        finally:
            _exit(status)

    def _execs(self, path: Any, argv: Any, /) -> Any:
        self._before_exec(path)
        before = os.environ.get(PATH)
        os.environ.update(led_by(_HERE, os.environ))
        try:
            _execv(path, argv)
        finally:  # it comes here only if it has failed
            if before is not None:
                os.environ[PATH] = before

    def _execs_with(self, path: Any, argv: Any, env: Any) -> Any:
        self._before_exec(path)
        changes = led_by(_HERE, env) if hasattr(env, "get") else {}
        _execve(path, argv, {**env, **changes} if changes else env)

    def _before_exec(self, path: Any) -> None:
        try:
            found = os.path.exists(path)  # os.execvp tries each folder of PATH
        except Exception as error:  # the call itself raises it again
            if not is_ours(error):
                raise
            found = False
        if found:
            self._finish_aside("exec")

    def _finish_aside(self, how: str) -> None:
        """Finish on another thread, because this one may hold a lock and be interrupted in it."""
        if not self.active or self.pid != os.getpid():
            return
        done = _thread.allocate_lock()
        done.acquire()

        def finish() -> None:
            try:
                self.finish(how)
            except Exception:  # noqa: BLE001, S110 - the program raises nothing on this thread
                pass
            finally:
                done.release()

        try:
            _thread.start_new_thread(finish, ())
        except RuntimeError as error:  # the interpreter shuts down, or no thread can be started
            if not is_ours(error):
                raise
            self.finish(how)
            return
        for _ in range(10):  # a machine that stands still meanwhile takes one of these at most
            if done.acquire(timeout=_PATIENCE_S / 10):
                return

    # -- The report ------------------------------------------------------------------------------

    def _reported_or_null(self) -> str:
        if self.watcher is not None:
            try:
                return self._reported()
            except Exception as error:  # noqa: BLE001 - `_warn` raises it again
                self._warn("no report", error)
        return "null"

    def _write(
        self, how: str | None, kind: str, report: str, turn: int | None = None, half: str = ""
    ) -> None:
        contents = {
            **about(),
            "libraries": libraries(),
            "ended": how,
            "warnings": self.warnings,
        }
        # a signal's handler may run while this thread writes one
        half = f"{self.path}.{_thread.get_ident():x}{half}"
        write(half, f'{as_json(contents)[:-1]}, "report": {report}}}')
        if turn in (None, self.turn):
            os.replace(half, self.path + kind)

    def _reported(self) -> str:
        report = self.watcher.report()
        if not isinstance(report, dict):
            raise TypeError(f"a report is a dict, not a {type(report).__name__}")
        return as_json(report)

    def _warn(self, what: str, error: Exception) -> None:
        """Add a warning about a fault of ours.

        Raises:
            Exception: this error, if it is the program's.
        """
        if not self._is_ours(error):
            raise error
        self.warnings.append(f"{what}: {type(error).__name__}: {error}")
