"""The three ways to ask, each one small class.

A fourth is a subclass of `Strategy` and an entry in `STRATEGIES`. A strategy is made anew for each
trial; making and closing it are part of its time, since a program pays for them too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import ClassVar

import requests

from keptalive.bench.access import Access
from keptalive.tuned import SafeRetry, TunedSession, tuned_session


class Strategy(ABC):
    """One way of making the same authenticated requests."""

    name: ClassVar[str]
    label: ClassVar[str]

    def __init__(self, access: Access) -> None:
        self.access = access

    @abstractmethod
    def get(self, url: str) -> requests.Response:
        """GET this URL, its body read.

        Raises:
            requests.RequestException: as requests does.
        """

    def close(self) -> None:  # noqa: B027 - nothing to close is a sound default
        """Close what is still open."""

    @classmethod
    def settings(cls) -> str:
        """What is particular about it, in a few words for the result file."""
        return "requests' defaults"

    def __enter__(self) -> Strategy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Fresh(Strategy):
    """`requests.get` for every call: a new Session, and so a new pool, each time."""

    name = "fresh"
    label = "requests.get"

    def get(self, url: str) -> requests.Response:
        return requests.get(
            url,
            auth=self.access.auth,
            headers=dict(self.access.headers),
            verify=self.access.verify,
            timeout=self.access.timeout_s,
        )


class OneSession(Strategy):
    """One `requests.Session` for all calls, authentication set once."""

    name = "session"
    label = "Session"

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self.session = access.applied_to(self.make_session())

    @staticmethod
    def make_session() -> requests.Session:
        """The Session to share."""
        return requests.Session()

    def get(self, url: str) -> requests.Response:
        return self.session.get(url, timeout=self.access.timeout_s)

    def close(self) -> None:
        self.session.close()


class Tuned(OneSession):
    """The same with the tuned adapter: CA bundle loaded once, retries, fitted pools."""

    name = "tuned"
    label = "tuned Session"

    @staticmethod
    def make_session() -> TunedSession:
        # A benchmark that is told to slow down ends at once, rather than wait here unseen
        patience = SafeRetry(status_forcelist=(502, 503, 504), respect_retry_after_header=False)
        return tuned_session(max_retries=patience)

    @classmethod
    def settings(cls) -> str:
        return cls.make_session().describe()


STRATEGIES: dict[str, type[Strategy]] = {way.name: way for way in (Fresh, OneSession, Tuned)}
