"""Servers and clients of each kind, under a watch."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import requests
from tests.tuned.servers import (
    Authority,
    Server,
    authority,
)

from keptalive.watching.api import Watch, watch

from .clients import (
    CLIENTS,
    Clock,
    Get,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(clock: Clock) -> Iterator[Watch]:
    with watch(clock=clock) as seen:
        yield seen


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = authority(tmp_path_factory.mktemp("watched"))
    # so that a server can ask for a certificate late, a TLS message of its own
    made.server.verify_mode, made.server.post_handshake_auth = ssl.CERT_OPTIONAL, True
    made.server.load_verify_locations(made.bundle)
    return made


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["http", "https"])
def serve(
    request: pytest.FixtureRequest, trusted: Authority, opened: ExitStack
) -> Callable[..., Server]:
    """Start servers that play scripts, of each scheme in turn."""
    tls = trusted.server if request.param == "https" else None
    return lambda *scripts: opened.enter_context(Server(*scripts, tls=tls))


@pytest.fixture
def serve_plain(opened: ExitStack) -> Callable[..., Server]:
    return lambda *scripts: opened.enter_context(Server(*scripts))


@pytest.fixture(params=CLIENTS)
def get(
    request: pytest.FixtureRequest, trusted: Authority, opened: ExitStack, watched: Watch
) -> Get:
    """One kept client of each kind in turn, which asks under the watch."""
    made, gets = CLIENTS[request.param](trusted.bundle)
    return gets(opened.enter_context(made), trusted.bundle)


@pytest.fixture
def session(trusted: Authority, watched: Watch) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env, made.verify = False, trusted.bundle
        yield made
