"""HTTP clients to be compared, each alone in a process: ``peers.py NAME URL CA_BUNDLE``.

It reads lines of JSON and answers each with one. The first has the token, for arguments are seen
by everybody; its answer is what the process runs on, null if the client is not installed. Each
line after it has a number of requests: the client makes them, one after the other, and the answer
is what one of them has cost. The process ends with its input.

The standard library is all that this module imports, since not every client can live in the same
environment as requests: niquests brings an urllib3 of its own.
"""

from __future__ import annotations

import asyncio
import faulthandler
import importlib.metadata
import io
import json
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

GIVE_UP_AFTER_S = 60.0
ENCODINGS = "gzip, deflate"  # as requests accepts them, where a client would ask for none by itself

Get = Callable[[], tuple[int, bytes]]
"""Makes one request; returns the status and the whole body."""


class Peer(NamedTuple):
    """One client: the package that it comes in, and how it is set up and closed."""

    label: str
    package: str
    opened: Callable[[str, str, str], AbstractContextManager[Get]]


@contextmanager
def session(url: str, ca_bundle: str, token: str) -> Iterator[Get]:
    """A requests.Session."""
    import requests

    with requests.Session() as session:
        yield _like_requests(session, url, ca_bundle, token)


@contextmanager
def _tuned(url: str, ca_bundle: str, token: str) -> Iterator[Get]:
    from keptalive import tuned_session

    with tuned_session() as session:
        yield _like_requests(session, url, ca_bundle, token)


@contextmanager
def _niquests(url: str, ca_bundle: str, token: str) -> Iterator[Get]:
    import niquests

    with niquests.Session() as session:
        yield _like_requests(session, url, ca_bundle, token)


def _like_requests(session: Any, url: str, ca_bundle: str, token: str) -> Get:
    session.verify = ca_bundle
    session.headers["Authorization"] = f"Bearer {token}"

    def get() -> tuple[int, bytes]:
        response = session.get(url)
        return response.status_code, response.content

    return get


@contextmanager
def _urllib3(url: str, ca_bundle: str, token: str) -> Iterator[Get]:
    import urllib3

    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": ENCODINGS}
    with urllib3.PoolManager(ca_certs=ca_bundle, headers=headers) as pools:

        def get() -> tuple[int, bytes]:
            response = pools.request("GET", url)
            return response.status, response.data

        yield get


@contextmanager
def _httpx(url: str, ca_bundle: str, token: str) -> Iterator[Get]:
    import httpx

    with _like_httpx(httpx, url, ca_bundle, token) as get:
        yield get


@contextmanager
def _httpx2(url: str, ca_bundle: str, token: str) -> Iterator[Get]:
    import httpx2

    with _like_httpx(httpx2, url, ca_bundle, token) as get:
        yield get


@contextmanager
def _like_httpx(httpx: Any, url: str, ca_bundle: str, token: str) -> Iterator[Get]:
    context = ssl.create_default_context(cafile=ca_bundle)  # the way that its manual recommends
    with httpx.Client(verify=context, headers={"Authorization": f"Bearer {token}"}) as client:

        def get() -> tuple[int, bytes]:
            response = client.get(url)
            return response.status_code, response.content

        yield get


@contextmanager
def _aiohttp(url: str, ca_bundle: str, token: str) -> Iterator[Get]:
    import aiohttp

    async def opened() -> aiohttp.ClientSession:
        context = ssl.create_default_context(cafile=ca_bundle)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context),
            headers={"Authorization": f"Bearer {token}"},
        )

    async def ask() -> tuple[int, bytes]:
        async with session.get(url) as response:
            return response.status, await response.read()

    loop = asyncio.new_event_loop()
    try:
        session = loop.run_until_complete(opened())
        try:
            yield lambda: loop.run_until_complete(ask())
        finally:
            loop.run_until_complete(session.close())
    finally:
        loop.close()


@contextmanager
def _pycurl(url: str, ca_bundle: str, token: str) -> Iterator[Get]:
    import pycurl

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.CAINFO, ca_bundle)
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    curl.setopt(pycurl.ACCEPT_ENCODING, ENCODINGS)
    curl.setopt(pycurl.HTTPHEADER, [f"Authorization: Bearer {token}"])

    def get() -> tuple[int, bytes]:
        body = io.BytesIO()
        curl.setopt(pycurl.WRITEFUNCTION, body.write)
        curl.perform()
        return curl.getinfo(pycurl.RESPONSE_CODE), body.getvalue()

    try:
        yield get
    finally:
        curl.close()


PEERS: dict[str, Peer] = {
    "tuned": Peer("tuned Session", "keptalive", _tuned),
    "session": Peer("requests.Session", "requests", session),
    "httpx": Peer("httpx.Client", "httpx", _httpx),
    "httpx2": Peer("httpx2.Client", "httpx2", _httpx2),
    "niquests": Peer("niquests.Session", "niquests", _niquests),
    "urllib3": Peer("urllib3.PoolManager", "urllib3", _urllib3),
    "aiohttp": Peer("aiohttp.ClientSession", "aiohttp", _aiohttp),
    "pycurl": Peer("pycurl.Curl", "pycurl", _pycurl),
}


def runs_on(name: str) -> dict[str, str] | None:
    """The versions of a client and of its TLS library; None if it is not installed."""
    try:
        version = importlib.metadata.version(PEERS[name].package)
    except importlib.metadata.PackageNotFoundError:
        return None
    if name != "pycurl":
        return {"version": version, "tls": ssl.OPENSSL_VERSION}
    import pycurl

    _, libcurl, _, _, _, tls, *_ = pycurl.version_info()
    return {"version": f"{version}, libcurl {libcurl}", "tls": tls}


def cost_of_a_request(get: Get, requests: int) -> dict[str, float]:
    """Make so many requests; the mean of their wall and CPU seconds.

    Raises:
        RuntimeError: an answer is not what /user answers, whole.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(requests):
        status, body = get()
        if status != 200 or not body.endswith(b"}"):
            raise RuntimeError(f"status {status}, {len(body)} bytes")
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"seconds": wall / requests, "cpu_seconds": cpu / requests}


def main(name: str, url: str, ca_bundle: str) -> None:
    token = first_line_read(runs_on(name))
    if token is None:
        return
    with PEERS[name].opened(url, ca_bundle, token) as get:
        answer_each_line(lambda requests: cost_of_a_request(get, requests))


def first_line_read(found: dict[str, str] | None) -> str | None:
    """Read the first line and answer it with the versions; the token, or None."""
    token: str = json.loads(sys.stdin.readline())["token"]
    print(json.dumps({"runs_on": found}), flush=True)
    return token if found else None


def answer_each_line(answered: Callable[[int], dict[str, float]]) -> None:
    """Make the requests that each line asks for; answer it with what this returns."""
    for line in sys.stdin:
        # One that hangs says where, and ends: nobody waits for it for ever
        faulthandler.dump_traceback_later(GIVE_UP_AFTER_S, exit=True)
        answer = answered(json.loads(line)["requests"])
        faulthandler.cancel_dump_traceback_later()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
