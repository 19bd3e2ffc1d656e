"""What other people's classes do to requests and urllib3 goes on as ever while a watch lasts."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import Any
from unittest import mock

import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from tests.servers.peer import answers
from tests.servers.scripted import Server
from urllib3.connectionpool import HTTPConnectionPool

from keptalive.watching.api import watch


class OwnPool(HTTPConnectionPool):
    """Other signatures than urllib3's, as subclasses may have them."""

    def _get_conn(self, timeout=None, extra=1):
        return super()._get_conn(timeout)

    def _put_conn(self, conn, *more):
        return super()._put_conn(conn)

    def _new_conn(self, *more):
        return super()._new_conn()

    def urlopen(self, method, url, *more, **settings):
        return super().urlopen(method, url, *more, **settings)


class Answers(BaseAdapter):
    """Answers by itself, without a connection."""

    def __init__(self):
        pass

    def send(self, request, **settings):
        response = requests.Response()
        response.status_code, response._content, response.request = 200, b"by itself", request
        return response

    def close(self):
        pass


class NoPlace(Answers):
    __slots__ = ()


class OwnSession(requests.Session):
    def send(self, request, **settings):
        return super().send(request, **settings)


def own_pool(url: str) -> Any:
    host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
    with OwnPool(host, int(port)) as pool:
        return pool.urlopen("GET", "/").status, pool.num_connections


def own_adapter(url: str) -> Any:
    with OwnSession() as session:
        session.mount("http://", NoPlace())
        return session.get(url).text


def spied_adapter(url: str) -> Any:
    with requests.Session() as session:
        adapter = mock.MagicMock(spec=HTTPAdapter)
        adapter.send.return_value = Answers().send(None)
        session.mount("http://", adapter)
        request = session.prepare_request(requests.Request("GET", url))
        return session.send(request, allow_redirects=False).text, len(adapter.mock_calls)


def replaced_connection(url: str) -> Any:
    with HTTPConnectionPool("127.0.0.1", 9) as pool:
        pool.ConnectionCls = mock.Mock()
        made = pool.ConnectionCls.return_value
        made.getresponse.return_value = urllib3.HTTPResponse(b"", status=201, preload_content=False)
        status = None
        with suppress(AttributeError):  # urllib3 1.26 wants http.client's response
            status = pool.urlopen("GET", "/", preload_content=False).status
        return status, pool.ConnectionCls.call_count, made.request.call_count


def patched_within(url: str) -> Any:
    failing = mock.patch.object(HTTPConnectionPool, "_new_conn", side_effect=OSError("none"))
    with failing as patched, requests.Session() as session:
        with pytest.raises(requests.ConnectionError) as raised:
            session.get(url)
    return type(raised.value), patched.call_count, requests.get(url).text


def by_hand(url: str) -> Any:
    host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
    with HTTPConnectionPool(host, int(port)) as pool:
        connection = pool._get_conn(timeout=1)
        connection.request("GET", "/")
        connection.getresponse()
        pool._put_conn(connection)
        return pool.num_connections


def pickled(url: str) -> Any:
    with requests.Session() as session:
        session.get(url)
        copied = pickle.loads(pickle.dumps(session))
    with copied:
        return copied.get(url).text, vars(session).keys() == vars(copied).keys()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(answers()) as started:
        yield started


@pytest.mark.parametrize(
    "program",
    [
        own_pool,
        own_adapter,
        spied_adapter,
        replaced_connection,
        patched_within,
        by_hand,
        pickled,
    ],
)
def test_it_comes_out_alike_with_and_without_a_watch(server, program: Callable[[str], Any]):
    outcomes = []
    for context in (nullcontext(), watch()):
        with context:
            outcomes.append(program(server.url))
    assert outcomes[0] == outcomes[1]
