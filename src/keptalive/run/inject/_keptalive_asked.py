"""Answers SIGUSR1 of `keptalive run` with an interim report, where the program has no use for it.

The program must not notice it:

- We handle SIGUSR1 only while the program leaves it at its default action, which would end the
  process. To the program it seems to be at its default, and `signal.pause` goes on.
- While we handle it, a file says so (`ASKABLE`): `keptalive run` signals no other process. Whoever
  handles the signal in C, past the module `signal`, calls `withdraw`.
- `keptalive run` makes another file first (`ASKED`). Without it somebody else has sent the signal,
  and the process ends by it, as without us.
"""

# Importing signal takes longer than all of this, since it imports enum
# ruff: noqa: PTH108, PTH110

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # typeshed has no stub of it
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from keptalive.run.inject._keptalive_calls import like
    from keptalive.run.inject._keptalive_faults import is_ours
    from keptalive.run.inject._keptalive_names import ASKABLE, ASKED, SIGNAL
else:
    from _keptalive_calls import like
    from _keptalive_faults import is_ours
    from _keptalive_names import ASKABLE, ASKED, SIGNAL

_NUMBER = getattr(_signal, SIGNAL, None)
_DEFAULT = _signal.SIG_DFL
_signal_, _getsignal, _pause = _signal.signal, _signal.getsignal, getattr(_signal, "pause", None)


class Asked:
    """The handler of SIGUSR1 in this process, and after a fork in the child.

    Args:
        answer: writes an interim report; it raises nothing but what is the program's.
    """

    def __init__(self, answer: Callable[[], None]) -> None:
        self._answer = answer
        self._handler = self._handle  # one object, by which it is known again
        self._path = ""
        self._pid = 0
        self._answers = 0
        self._is_offered = False

    def attach(self) -> None:
        """Handle the signal, if nobody does; called once, on the main thread."""
        if _NUMBER is None or _getsignal(_NUMBER) is not _DEFAULT:
            return  # ignored, as under nohup, or somebody's
        try:
            _signal_(_NUMBER, self._handler)
        except ValueError:  # in a subinterpreter
            return
        _signal.signal = like(_signal_, self._sets)
        _signal.getsignal = like(_getsignal, self._gets)
        if _pause is not None:
            _signal.pause = like(_pause, self._pauses)
            imported = sys.modules.get("signal")
            if imported is not None:  # it has copied this function
                imported.pause = _signal.pause  # type: ignore[attr-defined]
        self._offer()

    def begins(self, path: str, pid: int) -> None:
        """This process, or the child after a fork, has files whose names begin so."""
        self._path, self._pid = path, pid
        if self._is_offered:
            self._offer()

    def withdraw(self) -> None:
        """The program handles the signal itself from now on, perhaps."""
        self._is_offered = False
        self._remove(ASKABLE)

    def _offer(self) -> None:
        self._is_offered = True
        try:
            os.close(os.open(self._path + ASKABLE, os.O_CREAT | os.O_WRONLY, 0o600))
        except OSError as error:  # the folder is gone, or full: nobody asks
            if not is_ours(error):
                raise

    def _remove(self, kind: str) -> bool:
        """Remove this file of ours; whether it was there."""
        try:
            os.unlink(self._path + kind)
        except OSError as error:
            if not is_ours(error):
                raise
            return False
        return True

    # -- What the program calls --------------------------------------------------------------------

    def _sets(self, *arguments: Any, **named: Any) -> Any:
        if named or len(arguments) != 2 or arguments[0] != _NUMBER:
            return self._as_theirs(_signal_(*arguments, **named))
        handler = arguments[1]
        if type(handler) is int and handler == _DEFAULT:
            before = _signal_(_NUMBER, self._handler)
            self._offer()
            return self._as_theirs(before)
        was_offered = self._is_offered
        self.withdraw()
        try:
            return self._as_theirs(_signal_(*arguments))
        except (TypeError, ValueError):  # no handler, or not on the main thread
            if was_offered:
                self._offer()
            raise

    def _gets(self, *arguments: Any, **named: Any) -> Any:
        return self._as_theirs(_getsignal(*arguments, **named))

    def _as_theirs(self, handler: Any) -> Any:
        return _DEFAULT if handler is self._handler else handler

    def _pauses(self) -> None:
        """Until a signal of the program's comes."""
        answers = -1
        while answers != self._answers and _pause is not None:
            answers = self._answers
            _pause()

    # -- The signal --------------------------------------------------------------------------------

    def _handle(self, number: int, _frame: Any) -> None:
        if self._pid != os.getpid() or not os.path.exists(self._path + ASKED):
            _signal_(number, _DEFAULT)
            os.kill(os.getpid(), number)
            return
        self._answers += 1
        try:
            self._answer()
        finally:
            self._remove(ASKED)
