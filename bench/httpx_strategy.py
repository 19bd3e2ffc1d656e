"""httpx beside the strategies of requests: ``bench.httpx_strategy:Httpx`` in a plan.

An example of a strategy of one's own. Nothing in it is urllib3's, so that the client's sockets and
the server are the witnesses of its connections.
"""

from __future__ import annotations

import ssl

import httpx

from keptalive.bench.access import Access
from keptalive.bench.strategy import Answer, Request, Strategy


class Httpx(Strategy):
    """One `httpx.Client` for all calls."""

    label = "httpx.Client"
    errors = (httpx.HTTPError,)
    thread_safe = True

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        headers = dict(access.headers)
        if access.authorization is not None:
            headers["Authorization"] = access.authorization
        connect_s, read_s = access.timeout_s
        self.client = httpx.Client(
            headers=headers,
            verify=_context(access.verify),
            timeout=httpx.Timeout(read_s, connect=connect_s),
            follow_redirects=True,
        )

    def send(self, request: Request) -> Answer:
        response = self.client.request(
            request.method, request.url, headers=dict(request.headers), content=request.body
        )
        return Answer(
            status=response.status_code,
            body=response.content,
            headers=response.headers,
            redirected_to=str(response.url) if response.history else None,
        )

    def close(self) -> None:
        self.client.close()

    @classmethod
    def settings(cls) -> str:
        return f"httpx {httpx.__version__}: defaults, following redirects"


def _context(verify: str | bool) -> ssl.SSLContext | bool:
    """A context that loads the CA bundle, as httpx's manual recommends."""
    return ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify
