"""What a probe does, in which order: it makes events, and draws no conclusions but when to stop.

1. A first request; redirects on the same server are followed.
2. If the connection is kept: two more connections, each begun a little later, with one request
   each. All three are watched until they are closed.
3. Meanwhile one request after the other on a fourth connection, until it is closed.
4. If nothing closed the idle ones, a request on the oldest of them: does the path remember it?
"""

from __future__ import annotations

import enum
import math
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from keptalive.errors import TargetError
from keptalive.interruption import Interrupted
from keptalive.probe import ladder
from keptalive.probe.advice import announced_max
from keptalive.probe.events import Answered, Ended, Event, Failed, Failure, Role
from keptalive.probe.line import Line
from keptalive.probe.route import Route, redirected
from keptalive.probe.settings import REDIRECTS, Settings
from keptalive.probe.talk import Talk
from keptalive.probe.watcher import TICK_S, Watcher
from keptalive.redaction import for_a_file, shown

REDIRECTING = (301, 302, 303, 307, 308)
_GRACE_S = 1.0  # for a server to close after it has announced that
_CONFIRMED_UP_TO = 30  # a limit of so many requests is worth a second look
_OLDER = 1.15  # times the age of a connection that ended: a second one that gets older refutes it
_RESERVE = 0.05  # of the budget, for the request at its end
_MOST_RESERVE_S = 3.0
_PATIENCE = 0.5  # times the idle timeout: for the other connections, once one was closed


class _End(enum.Enum):
    """Why no more requests were sent on a connection."""

    OURS = "enough were sent"
    ANNOUNCED = "the server said that it closes"
    CLOSED = "it closed without a word"
    BROKEN = "a response was not whole"


class Prober:
    """One probe of one server.

    Args:
        route: to the server.
        settings: what may be done.
        watcher: a new one.
    """

    def __init__(self, route: Route, settings: Settings, watcher: Watcher) -> None:
        self._talk = Talk(route, settings, watcher)
        self._settings = settings
        self._watcher = watcher
        self._idle: list[Line] = []
        self._gave_up = False

    @property
    def route(self) -> Route:
        """The route to what was probed, redirects followed."""
        return self._talk.route

    def run(self) -> list[Event]:
        """Probe, and close all connections.

        A signal ends it, and what was seen is kept, once there is anything. Call it in a block of
        `interruption.held`: then a signal ends it only while it waits.

        Raises:
            TargetError: there is no response to the first request.
        """
        answered = False
        try:
            first, answer = self._first()
            answered = True
            ended = self._probe(first, answer)
        except (KeyboardInterrupt, Interrupted):
            if not answered:
                raise
            ended = "interrupted"
        finally:
            at_s = self._watcher.now()
            self._watcher.close()
        self._watcher.note(Ended(at_s=at_s, why=ended))
        return self._watcher.events

    # -- The first request ------------------------------------------------------------------------

    def _first(self) -> tuple[Line, Answered]:
        line = self._talk.open_first()
        visited = [self.route.whole_url]
        while True:
            answer = self._talk.ask(line)
            if isinstance(answer, Failed):
                raise TargetError(_sentence(answer, self.route, self._settings))
            if self._talk.stopped:
                raise TargetError(_wants_fewer(answer, self.route))
            if answer.status not in REDIRECTING or answer.location is None:
                return line, answer
            onward = redirected(self._talk.route, answer.location)
            if onward is None:
                return line, answer  # to another server: this one is what was asked for
            if onward.whole_url in visited or len(visited) > REDIRECTS:
                raise TargetError(_loop(visited, urljoin(visited[-1], answer.location)))
            visited.append(onward.whole_url)
            self._talk.route = onward
            if line.over or not answer.keeps:
                self._talk.leave(line)
                opened = self._talk.open(Role.IDLE)
                if opened is None:
                    return line, answer
                line = opened

    # -- All that follows -------------------------------------------------------------------------

    def _probe(self, first: Line, answer: Answered) -> str:
        self._idle.append(first)
        if not answer.keeps:
            self._without_reuse(first)
            return self._reason()
        for number in range(2):
            began_s = self._idle[-1].answered_s
            self._watcher.pause(until_s=began_s + self._settings.stagger_s)
            if not self._talk.has_time() or not self._open_idle(first if number == 0 else None):
                break
        self._limit(announced_max(answer.keep_alive))
        self._await_closes()
        return self._reason()

    def _reason(self) -> str:
        if self._talk.stopped:
            return "refused"
        return "done" if self._talk.has_time() and not self._gave_up else "budget"

    def _open_idle(self, earlier: Line | None) -> bool:
        session = next(iter(earlier.sessions), None) if earlier is not None else None
        line = self._talk.open(Role.IDLE, session)
        if line is None or isinstance(self._talk.ask(line), Failed):
            return False
        self._idle.append(line)
        return True

    def _without_reuse(self, first: Line) -> None:
        """One more connection: is it so each time, and what does it cost?"""
        self._await_end(first)
        self._open_idle(first)
        self._await_end(self._idle[-1])

    def _await_end(self, line: Line) -> None:
        until_s = min(self._watcher.now() + _GRACE_S, self._talk.deadline_s)
        self._watcher.pause(until_s=until_s, while_=lambda: not line.over)

    def _limit(self, announced_max: int | None) -> None:
        most, pace_s = self._settings.most_requests, self._settings.pace_s
        began_s = self._watcher.now()
        responses, end = self._series(most, pace_s)
        if end is _End.BROKEN:
            self._series(most, pace_s)  # a body that was cut off says nothing of a limit
        elif end in (_End.CLOSED, _End.ANNOUNCED) and 1 <= responses < most:
            if announced_max is not None and responses in (announced_max, announced_max + 1):
                return
            # Half as fast: so a limit of age ends it after half as many
            lasted_s = self._watcher.now() - began_s
            older_s = None if responses <= _CONFIRMED_UP_TO else _OLDER * lasted_s
            self._series(responses + 1, 2 * pace_s, lasts_s=older_s)

    def _series(
        self, most: int, pace_s: float, *, lasts_s: float | None = None
    ) -> tuple[int, _End]:
        """Send requests on one connection: how many responses came, and why there are no more."""
        line = self._talk.open(Role.SERIES) if self._talk.has_time() else None
        if line is None:
            return 0, _End.OURS
        responses = 0
        until_s = math.inf if lasts_s is None else self._watcher.now() + lasts_s
        while responses < most and not (line.over or line.strayed):
            if not self._talk.has_time() or self._watcher.now() > until_s:
                break
            answer = self._talk.ask(line)
            if isinstance(answer, Failed):
                closed = answer.failure in (Failure.CLOSED, Failure.RESET)
                return responses, _End.CLOSED if closed else _End.BROKEN
            responses += 1
            if not answer.keeps:
                self._await_end(line)
                self._talk.leave(line)
                return responses, _End.ANNOUNCED
            self._watcher.pause(until_s=answer.sent_s + pace_s, while_=lambda: not line.over)
        closed = line.ended_s is not None
        self._talk.leave(line)
        return responses, _End.CLOSED if closed else _End.OURS

    def _await_closes(self) -> None:
        if self._settings.silent_drops:
            ladder.climb(self._talk, self._idle)
            if not any(line.ended_s is not None for line in self._idle):
                return
        reserve_s = min(_MOST_RESERVE_S, _RESERVE * self._settings.budget_s)
        end_s = self._talk.deadline_s - reserve_s
        if self._settings.watch_s is not None:
            end_s = min(end_s, self._watcher.now() + self._settings.watch_s)
        if all(line.strayed for line in self._idle):  # no client can use such connections again
            end_s = min(end_s, self._watcher.now() + _GRACE_S)
        while self._any_open() and (left_s := self._stops_at_s(end_s) - self._watcher.now()) > 0:
            until_s = self._watcher.now() + min(left_s, TICK_S)
            self._watcher.pause(until_s=until_s, while_=self._any_open)
        if not any(line.ended_s is not None for line in self._idle):
            oldest = self._idle[0]
            self._gave_up = not oldest.strayed
            if not (oldest.strayed or self._talk.stopped or self._settings.silent_drops):
                self._talk.ask(oldest)

    def _any_open(self) -> bool:
        return not all(line.over for line in self._idle)

    def _stops_at_s(self, end_s: float) -> float:
        """Until when to watch: once one has been closed, the others have some time more."""
        ended = [line for line in self._idle if line.ended_s is not None]
        if not ended:
            return end_s
        last = max(ended, key=lambda line: line.ended_s or 0.0)
        ended_s = last.ended_s or 0.0
        return min(end_s, ended_s + max(_GRACE_S, _PATIENCE * (ended_s - last.answered_s)))


# -- Sentences for a target that fails ------------------------------------------------------------

_SENTENCES = {
    Failure.CLOSED: "closed the connection without a response. Next: check what listens there",
    Failure.RESET: "reset the connection instead of a response. Next: check what listens there",
    Failure.TRUNCATED: "ended in the middle of its response. Next: look into the server's log",
    Failure.TOO_LONG: (
        "sent a response that did not end within {seconds} s and 1 MiB. "
        "Next: name a URL with a short response"
    ),
    Failure.SILENT: "sent no response in {seconds} s. Next: name a URL that answers sooner",
    Failure.NOT_HTTP: "does not speak HTTP/1.1: it sent '{said}'. Next: check the port",
}


def _sentence(failed: Failed, route: Route, settings: Settings) -> str:
    seconds = min(settings.answer_s, settings.budget_s)
    said = _SENTENCES[failed.failure]
    if failed.failure in (Failure.CLOSED, Failure.RESET, Failure.SILENT) and route.context is None:
        said += ", or try https://"
    elif failed.failure in (Failure.CLOSED, Failure.RESET):
        said += ", and whether it wants a client certificate"
    said = said.format(seconds=f"{seconds:g}", said=shown(failed.said))
    return f"{shown(route.url)} {said}."


def _loop(visited: list[str], onward: str) -> str:
    paths = [urlsplit(url).path for url in (*visited, onward)]
    named = " → ".join(shown(for_a_file(path)) for path in paths[:4])
    what = "in a loop" if onward in visited else f"more than {REDIRECTS} times"
    return f"The server redirects {what} ({named}). Next: name the URL that it should lead to."


def _wants_fewer(answer: Answered, route: Route) -> str:
    phrase = HTTPStatus(answer.status).phrase
    wait = f"wait {shown(answer.retry_after)} s" if answer.retry_after else "wait a while"
    return (
        f"{shown(route.url)} answered {answer.status} {phrase}: the server wants fewer requests. "
        f"Next: {wait} before you probe it again."
    )
