"""Connections of one probe to one address, and requests on them, within its limits."""

from __future__ import annotations

import ssl

from keptalive.errors import TargetError
from keptalive.probe.asking import ask
from keptalive.probe.events import Answered, Failed, Loaded, Refused, Role
from keptalive.probe.line import Line
from keptalive.probe.opening import NotOpenedError, open_line
from keptalive.probe.route import Address, Route, look_up
from keptalive.probe.settings import Settings
from keptalive.probe.watcher import Watcher

_TOO_MANY, _UNAVAILABLE = 429, 503


class Talk:
    """How a probe opens connections and sends requests.

    Attributes:
        route: what is sent, and where; a redirect changes it.
        stopped: the server has said that it wants fewer requests.
    """

    def __init__(self, route: Route, settings: Settings, watcher: Watcher) -> None:
        self.route = route
        self.settings = settings
        self.watcher = watcher
        self.stopped = False
        self._address: Address | None = None
        self._opened = 0

    @property
    def deadline_s(self) -> float:
        """When the probe is to have ended."""
        return self.settings.budget_s

    def open_first(self) -> Line:
        """The first connection: to the first address that can be reached, which all others go to.

        Raises:
            TargetError: there is none.
        """
        limit_s = min(self.settings.answer_s, self.deadline_s)
        addresses, dns_s = look_up(self.route.peer, limit_s=limit_s)
        self.watcher.note(Loaded(dns_s=dns_s, ca_bundle_s=self.route.ca_bundle_s))
        failure = NotOpenedError("there is no address", "check the name")
        for address in dict.fromkeys(addresses):
            self._address = address
            opened = self._tried(Role.IDLE, None)
            if isinstance(opened, Line):
                return opened
            failure = opened
        why, next_step = failure.args
        raise TargetError(f"{why[0].upper()}{why[1:]}. Next: {next_step}.")

    def open(self, role: Role, session: ssl.SSLSession | None = None) -> Line | None:
        """Another connection; None if it cannot be opened, which has been noted."""
        opened = self._tried(role, session)
        if isinstance(opened, Line):
            return opened
        self.watcher.note(Refused(at_s=self.watcher.now(), why=opened.args[0]))
        return None

    def _tried(self, role: Role, session: ssl.SSLSession | None) -> Line | NotOpenedError:
        assert self._address is not None  # noqa: S101 - `open_first` comes first
        try:
            return self._open(self._address, role, session)
        except NotOpenedError as error:
            return error

    def _open(self, address: Address, role: Role, session: ssl.SSLSession | None) -> Line:
        self._opened += 1
        until_s = min(self.watcher.now() + self.settings.answer_s, self._latest_s)
        return open_line(
            self.watcher,
            self.route,
            address,
            number=self._opened,
            role=role,
            until_s=until_s,
            session=session,
        )

    @property
    def _latest_s(self) -> float:
        """No wait goes beyond this, so that a short budget still gets its one answer."""
        return self.deadline_s + 1.0

    def ask(self, line: Line) -> Answered | Failed:
        """Send the request, and read the response."""
        until_s = min(self.watcher.now() + self.settings.answer_s, self._latest_s)
        found = ask(self.watcher, line, self.route.request, until_s=until_s)
        if isinstance(found, Answered) and _wants_fewer(found):
            self.stopped = True
        return found

    def has_time(self) -> bool:
        """Whether the probe may go on."""
        return self.watcher.now() < self.deadline_s and not self.stopped

    def leave(self, line: Line) -> None:
        """Close this connection from our side."""
        self.watcher.unwatch(line)
        line.close()


def _wants_fewer(answer: Answered) -> bool:
    """RFC 6585, section 4; a 503 says so only with a time (RFC 9110, section 15.6.4)."""
    if answer.status == _TOO_MANY:
        return True
    return answer.status == _UNAVAILABLE and answer.retry_after is not None
