"""The three strategies of requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import requests
from urllib3.exceptions import HTTPError

from keptalive.bench.access import Access
from keptalive.bench.strategy import Answer, Request, Strategy
from keptalive.tuned import SafeRetry, TunedSession, tuned_session


def answer_of(response: requests.Response) -> Answer:
    """A response of requests as an answer; it holds nothing of the connection."""
    return Answer(
        status=response.status_code,
        body=response.content,
        headers=response.headers,
        redirected_to=response.url if response.history else None,
    )


class Fresh(Strategy):
    """`requests.get` for every call: a new Session, and so a new pool, each time."""

    label = "requests.get"
    errors = (OSError, HTTPError, ValueError)  # RequestException is an OSError
    built_on_urllib3 = True
    thread_safe = True

    def send(self, request: Request) -> Answer:
        return answer_of(
            requests.request(
                request.method,
                request.url,
                auth=self.access.auth,
                headers=dict((*self.access.headers, *request.headers)),
                data=request.body,
                verify=self.access.verify,
                timeout=self.access.timeout_s,
                hooks=self.access.hooks,
            )
        )

    @classmethod
    def settings(cls) -> str:
        return "requests' defaults"


class OneSession(Strategy):
    """One `requests.Session` for all calls, authentication set once."""

    label = "Session"
    errors = Fresh.errors
    built_on_urllib3 = True
    thread_safe = True  # requests does not promise it, and programs rely on it; pools are

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self.session = access.applied_to(self.make_session())

    @classmethod
    def make_session(cls) -> requests.Session:
        """The Session to share."""
        return requests.Session()

    def send(self, request: Request) -> Answer:
        return answer_of(
            self.session.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                data=request.body,
                timeout=self.access.timeout_s,
            )
        )

    def close(self) -> None:
        self.session.close()

    @classmethod
    def settings(cls) -> str:
        return "requests' defaults"


# A benchmark that a server asks to slow down ends at once, rather than wait here unseen
_IMPATIENT: dict[str, Any] = {
    "status_forcelist": (502, 503, 504),
    "respect_retry_after_header": False,
}


class Tuned(OneSession):
    """The same with the tuned adapter: CA bundle loaded once, retries, fitted pools."""

    label = "tuned Session"
    retry: ClassVar[Mapping[str, Any]] = {}  # the plan's settings
    pool: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def make_session(cls) -> TunedSession:
        return tuned_session(max_retries=SafeRetry(**{**_IMPATIENT, **cls.retry}), **cls.pool)

    @classmethod
    def settings(cls) -> str:
        return cls.make_session().describe()


STRATEGIES: dict[str, type[Strategy]] = {"fresh": Fresh, "session": OneSession, "tuned": Tuned}
