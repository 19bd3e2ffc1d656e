"""Answers from mocks, recordings and caches are no requests and no failures, and are named once."""

from __future__ import annotations

import http.client
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool

from keptalive.records.report import Finding, Report
from keptalive.watching.api import watch

URL = "http://api.example.com/a"


def of(library: str, **members: Any) -> dict[str, Any]:
    """The members of a class or function as a module of this library has them."""
    return {"__module__": f"{library}.some_module", **members}


def answer(adapter: Any, request: Any) -> requests.Response:
    response = requests.Response()
    response.status_code, response.url, response.request = 200, request.url, request
    response.raw, response.connection = io.BytesIO(b"ok"), adapter
    return response


def found(report: Report) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(one.finding, one.facts["answers"], one.facts["libraries"]) for one in report.findings]


def test_what_takes_the_place_of_the_adapters_send_is_named(monkeypatch):
    def send(adapter: Any, request: Any, **settings: Any) -> requests.Response:
        return answer(None, request)

    send.__module__ = "responses"
    monkeypatch.setattr(HTTPAdapter, "send", send)
    with watch() as seen, requests.Session() as session:
        for _ in range(3):
            assert session.get(URL).text == "ok"
        assert seen.opened == seen.reused == 0
    report = seen.result()
    finding: Finding = report.findings[0]
    assert found(report) == [("mocked-answers", 3, ("responses",))]
    assert finding.facts["hosts"] == {"http://api.example.com:80": 3}
    assert finding.evidence == (
        "3 answers came from no socket, but from a mock or a recording (responses): "
        "http://api.example.com:80. Not counted as requests."
    )
    assert (report.hosts, finding.cure, finding.host) == ((), "", None)


@pytest.mark.parametrize(
    ("library", "expected"),
    [
        ("requests_mock", ("mocked-answers", 2, ("requests-mock",))),
        ("cachecontrol", ("cached-answers", 2, ("cachecontrol",))),
        ("somebody", ("mocked-answers", 2, ())),
    ],
)
def test_an_adapter_that_asks_nobody_is_named(library, expected):
    imitation = type(
        "Imitation",
        (BaseAdapter,),
        of(library, send=lambda self, request, **_: answer(self, request), close=lambda self: None),
    )
    with watch() as seen, requests.Session() as session:
        session.mount("http://api.example.com", imitation())
        session.mount("file://", imitation())
        for url in (URL, URL, "file:///etc/hosts"):
            assert session.get(url).text == "ok"
    assert found(seen.result()) == [expected]


def test_a_cache_of_which_the_program_has_derived_a_class_is_named():
    members = {"send": lambda self, request, **_: answer(self, request), "close": lambda self: None}
    adapter = type("CacheControlAdapter", (BaseAdapter,), of("cachecontrol", **members))
    derived = type("TunedToo", (adapter,), {"__module__": "shop.client"})
    with watch() as seen, requests.Session() as session:
        session.mount("http://api.example.com", derived())
        session.get(URL)
    assert found(seen.result()) == [("cached-answers", 1, ("cachecontrol",))]


def test_a_real_request_beside_a_mocked_one_is_counted_alone(serve):
    server = serve()
    imitation = type(
        "Imitation",
        (BaseAdapter,),
        of(
            "betamax",
            send=lambda self, request, **_: answer(self, request),
            close=lambda self: None,
        ),
    )
    with watch() as seen, requests.Session() as session:
        session.mount("http://api.example.com", imitation())
        for url in (URL, server.url, URL, server.url):
            session.get(url)
    report = seen.result()
    (host,) = report.hosts
    assert (host.requests, host.opened, host.reused) == (2, 1, 1)
    assert found(report) == [("mocked-answers", 2, ("betamax",))]


def test_an_adapter_that_sends_on_another_thread_is_no_mock(serve):
    class Aside(HTTPAdapter):
        def send(self, *args: Any, **settings: Any) -> requests.Response:
            with ThreadPoolExecutor(1) as thread:
                return thread.submit(super().send, *args, **settings).result()

    server = serve()
    with watch() as seen, requests.Session() as session:
        session.mount("http://", Aside())
        for _ in range(2):
            assert session.get(server.url).text == "ok"
    report = seen.result()
    assert (found(report), seen.opened, seen.reused) == ([], 1, 1)


class Recorded:
    """A connection that plays a recording, as vcrpy's do."""

    __module__ = "vcr.stubs"
    sock = mock.Mock()
    is_verified = proxy_is_verified = True
    is_closed = False

    def __init__(self, *args: Any, **settings: Any) -> None:
        self.timeout = None

    def connect(self) -> None:
        pass

    def close(self) -> None:
        pass

    def request(self, method: str, url: str, *args: Any, **settings: Any) -> None:
        if "missing" in url:
            raise ValueError("the recording has no answer")

    def getresponse(self) -> Any:
        if urllib3.__version__.startswith("1."):
            head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
            sock = mock.Mock(makefile=lambda *_: io.BytesIO(head + b"ok"))
            response = http.client.HTTPResponse(sock)
            response.begin()
            return response
        return urllib3.HTTPResponse(io.BytesIO(b"ok"), status=200, preload_content=False)


def test_connections_that_play_a_recording_are_no_connections(monkeypatch):
    monkeypatch.setattr(HTTPConnectionPool, "ConnectionCls", Recorded)
    monkeypatch.setattr("urllib3.connectionpool.is_connection_dropped", lambda conn: False)
    with watch() as seen, requests.Session() as session:
        for _ in range(5):
            session.get(URL)
        with pytest.raises(ValueError, match="no answer"):
            session.get(f"{URL}/missing")
    report = seen.result()
    assert found(report) == [("mocked-answers", 5, ("vcrpy",))]
    assert report.hosts == ()  # and no try without an answer


def test_an_imitation_of_a_socket_is_no_connection(serve, monkeypatch):
    class Imitation:
        __module__ = "mocket.socket"

        def __init__(self) -> None:
            self.sent = b""

        def sendall(self, data: bytes) -> None:
            self.sent += data

        def makefile(self, *args: Any) -> Any:
            return io.BytesIO(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        def __getattr__(self, name: str) -> Any:
            return lambda *args: None

    monkeypatch.setattr("urllib3.util.connection.create_connection", lambda *a, **k: Imitation())
    monkeypatch.setattr("urllib3.connectionpool.is_connection_dropped", lambda conn: False)
    with watch() as seen, requests.Session() as session:
        for _ in range(2):
            assert session.get(URL).text == "ok"
    report = seen.result()
    assert found(report) == [("mocked-answers", 2, ("mocket",))]
    assert report.hosts == ()
