"""The search for connections that die silently: the path forgets them, and nobody says so.

Nothing can be seen of it, so each connection stays unused for another time and is then asked. One
more is used all the while: if that fails too, the network is down, and nothing was forgotten.
When a time is found, it is narrowed down once (a hybrid of ladder and bisection).
"""

from __future__ import annotations

from collections.abc import Sequence

from keptalive.probe.events import Answered, Role
from keptalive.probe.line import Line
from keptalive.probe.settings import MOST_CONNECTIONS
from keptalive.probe.talk import Talk

_ABOVE = 1.02  # a rung is tried a little later: 60 s means just after 60 s
_STEPS = MOST_CONNECTIONS - 1  # beside the control connection


def climb(talk: Talk, idle: Sequence[Line]) -> None:
    """Wait on each rung, and ask; stop where the server itself has closed a connection.

    Args:
        talk: how to open and ask.
        idle: connections that are idle already: they take the lowest rungs.
    """
    rungs = [rung * _ABOVE for rung in talk.settings.rungs_s]
    lines = [line for line in idle if not line.over]
    if len(lines) < len(idle):
        return
    survived, dropped = _Search(talk, rungs).run(lines)
    if dropped is None or not talk.has_time():
        return
    for line in lines:
        talk.leave(line)  # so that never more than six are open
    step = (dropped - survived) / (_STEPS + 1)
    between = [survived + step * number for number in range(1, _STEPS + 1)]
    _Search(talk, between).run([])


class _Search:
    def __init__(self, talk: Talk, rungs: Sequence[float]) -> None:
        self._talk = talk
        left_s = talk.deadline_s - talk.watcher.now() - talk.settings.answer_s
        self._rungs = [rung for rung in rungs if rung <= left_s][:_STEPS]
        self._control: Line | None = None
        self._control_s = 0.0

    def run(self, lines: list[Line]) -> tuple[float, float | None]:
        """Try every rung: the longest time that was survived, and the shortest that was not."""
        lines = lines[: len(self._rungs)] + self._opened(len(self._rungs) - len(lines))
        waiting = list(zip(lines, self._rungs, strict=False))
        survived, dropped = 0.0, None
        for line, rung in waiting:
            self._await(line.answered_s + rung, lines)
            if line.over or line.tls_closed or not self._talk.has_time():
                break  # the server closes by itself, or time is up
            if isinstance(self._talk.ask(line), Answered):
                survived = rung
            else:
                dropped = dropped or rung
                self._use_control()
        for line in (*lines, *([self._control] if self._control else [])):
            if line.role is not Role.IDLE:
                self._talk.leave(line)
        return survived, dropped

    def _opened(self, number: int) -> list[Line]:
        opened = []
        for _ in range(number):
            line = self._talk.open(Role.RUNG)
            if line is None or not isinstance(self._talk.ask(line), Answered):
                break
            opened.append(line)
        return opened

    def _await(self, until_s: float, lines: Sequence[Line]) -> None:
        watcher = self._talk.watcher

        def goes_on() -> bool:
            return not any(one.ended_s is not None for one in lines)

        while watcher.now() < until_s and self._talk.has_time() and goes_on():
            if watcher.now() >= self._control_s:
                self._use_control()
            watcher.pause(until_s=min(until_s, self._control_s), while_=goes_on)

    def _use_control(self) -> None:
        self._control_s = self._talk.watcher.now() + self._talk.settings.control_s
        line = self._control
        if line is None or line.over or line.tls_closed:
            line = self._control = self._talk.open(Role.CONTROL)
        if line is not None:
            self._talk.ask(line)
