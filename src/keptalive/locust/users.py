"""The users that a locustfile takes: requests.get, a Session, a tuned Session, or one's own.

They are Locust's `HttpUser`; only what sends the requests is another. As in Locust, a user does not
read proxies, ~/.netrc and CA bundles from the environment: ``self.client.trust_env`` and
``self.client.verify`` in ``on_start`` change that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import requests
from locust import HttpUser
from locust.clients import HttpSession, ResponseContextManager
from locust.user.users import User
from requests.adapters import HTTPAdapter

from keptalive.errors import KeptaliveError
from keptalive.locust import events
from keptalive.locust.current_user import begins
from keptalive.tuned import TunedSession, tuned_session

events.listen()

SENDS = "_send_request_safe_mode"  # Locust's method around `requests.Session.request`
if not hasattr(HttpSession, SENDS):
    raise KeptaliveError(
        "This version of Locust sends requests in another way. Next: pip install 'locust<3'."
    )


class ConnectionsMixin(User):
    """Counts the connections of each user of this class; put it before the class of the user.

    class Shop(ConnectionsMixin, HttpUser):
        ...

    What such a user sends through requests or urllib3 is counted as its own, in greenlets that it
    starts too. Without this class, connections of users are counted all together.
    """

    abstract = True

    def start(self, group: Any) -> Any:
        greenlet = super().start(group)
        begins(greenlet, type(self).__name__)  # it has not begun to run
        return greenlet


class _Client(HttpSession):
    """Locust's client with the adapters of requests itself: Locust's own share a TLS context."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.mount("https://", HTTPAdapter())
        self.mount("http://", HTTPAdapter())


class _FreshClient(_Client):
    """Sends each request as `requests.get` does, with a Session of its own.

    What was set on the client goes along: headers, cookies, authentication, verify, proxies.
    """

    def _send_request_safe_mode(self, method: Any, url: Any, **settings: Any) -> Any:
        try:
            with requests.Session() as session:
                for name in ("headers", "auth", "proxies", "params", "verify", "cert", "hooks"):
                    setattr(session, name, getattr(self, name))
                session.trust_env, session.max_redirects = self.trust_env, self.max_redirects
                session.cookies.update(self.cookies)
                return session.request(method, url, **settings)
        except (
            requests.exceptions.MissingSchema,
            requests.exceptions.InvalidSchema,
            requests.exceptions.InvalidURL,
        ):
            raise  # as Locust's: these are mistakes of the locustfile
        except requests.RequestException as error:
            return ResponseContextManager(error)


class _TunedClient(HttpSession, TunedSession):
    """Locust's client on a tuned Session."""

    def __init__(self, tuned: Mapping[str, Any], **settings: Any) -> None:
        super().__init__(**settings)
        adapter = tuned_session(**tuned).get_adapter("https://")
        self.mount("https://", adapter)
        self.mount("http://", adapter)


class _Http(ConnectionsMixin, HttpUser):
    """A user with a client of ours."""

    abstract = True

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)  # type: ignore[no-untyped-call]
        self.client = self._make_client(
            base_url=self.host, request_event=environment.events.request, user=self
        )
        self.client.trust_env = False  # as `HttpUser` has it

    def _make_client(self, **settings: Any) -> HttpSession:
        raise NotImplementedError


class FreshUser(_Http):
    """Sends each request as `requests.get` does: with a new Session, and so a new connection."""

    abstract = True

    def _make_client(self, **settings: Any) -> HttpSession:
        return _FreshClient(**settings)


class SessionUser(_Http):
    """Sends all its requests with one `requests.Session`."""

    abstract = True

    def _make_client(self, **settings: Any) -> HttpSession:
        return _Client(**settings)


class TunedUser(_Http):
    """Sends all its requests with one tuned Session.

    Attributes:
        tuned: arguments of `keptalive.tuned_session`, as in ``tuned = {"max_idle": 4}``.
    """

    abstract = True
    tuned: ClassVar[Mapping[str, Any]] = {}

    def _make_client(self, **settings: Any) -> HttpSession:
        return _TunedClient(self.tuned, **settings)
