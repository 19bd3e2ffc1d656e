"""What every strategy is given: where the server is, a login, headers, a CA bundle, timeouts.

No token and no header's value leaves this object by ``repr`` or ``str``; only the request's own
headers carry them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from requests.structures import CaseInsensitiveDict

TIMEOUT_S = (10.0, 30.0)  # connect, read: requests itself would wait for ever


class BearerAuth(AuthBase):
    """``Authorization: Bearer TOKEN`` (RFC 6750), as an auth object rather than a header.

    A header would be overwritten by a matching entry of ~/.netrc; an auth object wins over it
    (requests ``Session.prepare_request``).
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header to this request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BearerAuth) and other._token == self._token

    def __hash__(self) -> int:
        return hash((type(self), self._token))


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The same for every strategy, so that they differ in nothing but their connections.

    Attributes:
        base_url: of the server, without a slash at its end: for a client that adds paths itself.
        headers: those that every request has.
        on_response: called with each response of requests, before a redirect of it is followed; an
            exception of it ends the benchmark.
    """

    auth: AuthBase | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    verify: str | bool = True
    timeout_s: tuple[float, float] = TIMEOUT_S
    base_url: str = ""
    on_response: Callable[..., Any] | None = field(default=None, repr=False)

    @property
    def authorization(self) -> str | None:
        """The value of the Authorization header, for clients other than requests; None without."""
        request = requests.PreparedRequest()
        request.headers = CaseInsensitiveDict()
        if self.auth is None:
            return None
        return str(self.auth(request).headers["Authorization"])

    def applied_to(self, session: requests.Session) -> requests.Session:
        """The session, with authentication, headers and trust set once.

        What is not set here stays as a session of one's own has it.
        """
        if self.auth is not None:
            session.auth = self.auth
        session.headers.update(self.headers)
        if self.verify is not True:
            session.verify = self.verify
        if self.on_response is not None:
            session.hooks["response"].append(self.on_response)
        return session

    @property
    def hooks(self) -> dict[str, Any]:
        """``on_response`` as requests wants it for one request."""
        return {} if self.on_response is None else {"response": self.on_response}


def auth_for(kind: str, token: str | None) -> AuthBase | None:
    """The auth object for this kind, "bearer", "basic" or "none"; None without a token.

    Basic authentication sends the token as the password of the user "keptalive": GitHub reads
    the token alone and takes any user name.
    """
    if token is None or kind == "none":
        return None
    return BearerAuth(token) if kind == "bearer" else HTTPBasicAuth("keptalive", token)
