"""A plain HTTP/1.1 server that keeps its connections, for tests: the fixture `keepalive_server`.

It answers what a test has set, in threads of the test's own process, without TLS. The names are
those of pytest-httpserver, whose server closes each connection. Loaded only where it is used.
(PYTEST_DONT_REWRITE: it asserts nothing.)
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs

from keptalive.pytest_plugin.http_threads import Arrived, HttpThreads, Sent

_JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, as it arrived.

    Attributes:
        method: "GET" and so on.
        path: without its query.
        query: the values of each name in it.
        headers: by their names, in any case.
        body: without its framing.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Message = field(repr=False)
    body: bytes

    def json(self) -> Any:
        """The body, if it is JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """What a handler may return.

    Attributes:
        body: bytes; a str, which is sent as UTF-8; anything else is sent as JSON.
        status: 200 and so on.
        headers: a ``Connection: close`` among them is obeyed after the response.
    """

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Any]


class Expectation:
    """Requests that are expected, and what is sent for them; made by `expect_request`."""

    def __init__(self, path: str | re.Pattern[str], method: str | None) -> None:
        self._path = path
        self._method = method
        self._handler: Handler | None = None

    def respond_with_json(
        self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send this value as JSON."""
        theirs = headers or {}
        is_typed = "content-type" in {name.lower() for name in theirs}
        ours = {} if is_typed else {"Content-Type": _JSON}
        sent = Response(json.dumps(value).encode(), status, {**ours, **theirs})
        self.respond_with_handler(lambda _: sent)

    def respond_with_data(
        self, data: str | bytes = b"", status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send this text, or these bytes."""
        sent = Response(data, status, headers or {})
        self.respond_with_handler(lambda _: sent)

    def respond_with_handler(self, handler: Handler) -> None:
        """Send what this function returns for a `Request`: a `Response`, or only its body."""
        self._handler = handler

    def handler_of(self, request: Request) -> Handler | None:
        """What answers this request; None if it is another one, or nothing is set yet."""
        if self._method not in (None, request.method):
            return None
        if isinstance(self._path, str):
            return self._handler if self._path == request.path else None
        return self._handler if self._path.fullmatch(request.path) else None


class KeepaliveServer:
    """A server that runs while its `with` block lasts, or from `start` to `close`.

    Attributes:
        requests: what has arrived, in that order.
        accepted: how many connections it has accepted: a count independent of keptalive's own.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.accepted = 0
        self._lock = threading.Lock()
        self._expected: list[Expectation] = []
        self._raised: list[BaseException] = []
        self._threads = HttpThreads(on_connection=self._count, respond=self._respond)

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self._threads.port}"

    def url_for(self, path: str) -> str:
        """The URL of a path."""
        return f"{self.url}/{path.removeprefix('/')}"

    def expect_request(self, path: str | re.Pattern[str], method: str | None = None) -> Expectation:
        """Expect requests for this path; then call one of the result's ``respond_with_...``.

        Where several match, that which was expected last is used. A request that nobody expects
        gets a 500.

        Args:
            path: without its query; a compiled pattern must match it from end to end.
            method: None for any.
        """
        expectation = Expectation(path, method)
        with self._lock:
            self._expected.append(expectation)
        return expectation

    def drop_connections(self) -> None:
        """Close every connection now, as servers do with those that were idle for too long."""
        self._threads.drop_connections()

    def check(self) -> None:
        """Raise what a handler has raised, the first of it.

        Raises:
            BaseException: that one. The client got a 500.
        """
        with self._lock:
            raised, self._raised = self._raised, []
        if raised:
            raise raised[0]

    @contextmanager
    def for_one_test(self) -> Iterator[KeepaliveServer]:
        """Count from nothing, and forget at the end what was expected in between.

        Connections that are open stay so.

        Raises:
            BaseException: what a handler has raised.
        """
        with self._lock:
            self.requests, self.accepted, self._raised = [], 0, []
            before = list(self._expected)
        try:
            yield self
        finally:
            with self._lock:
                self._expected = before
        self.check()

    def start(self) -> KeepaliveServer:
        """Accept connections from now on."""
        self._threads.start()
        return self

    def close(self) -> None:
        """Close its port and all connections."""
        self._threads.close()

    def __enter__(self) -> KeepaliveServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _count(self) -> None:
        with self._lock:
            self.accepted += 1

    def _respond(self, arrived: Arrived) -> Sent:
        request = _request(arrived)
        with self._lock:
            self.requests.append(request)
            expected = list(self._expected)
        handler = next(filter(None, (one.handler_of(request) for one in reversed(expected))), None)
        if handler is None:
            return Sent(status=500, reason="No response is set for this request")
        try:
            return _sent(handler(request))
        except BaseException as error:  # noqa: BLE001 - `check` raises it; pytest.fail is no Exception
            with self._lock:
                self._raised.append(error)
            return Sent(status=500, reason=f"The handler raised {type(error).__name__}")


def _request(arrived: Arrived) -> Request:
    path, _, query = arrived.target.partition("?")
    return Request(
        method=arrived.method,
        path=path,
        query=parse_qs(query, keep_blank_values=True),
        headers=arrived.headers,
        body=arrived.body,
    )


def _sent(returned: Any) -> Sent:
    response = returned if isinstance(returned, Response) else Response(returned)
    if isinstance(response.body, bytes):
        kind, body = "application/octet-stream", response.body
    elif isinstance(response.body, str):
        kind, body = "text/plain; charset=utf-8", response.body.encode()
    else:
        kind, body = _JSON, json.dumps(response.body).encode()
    return Sent(body=body, content_type=kind, status=response.status, headers=response.headers)
