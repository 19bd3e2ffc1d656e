"""A watch whose clock the test sets, servers with and without TLS, and a Session for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests
from tests.servers.pki import Trusted
from tests.servers.scripted import Server
from tests.watching.causes.clients import Clock

from keptalive.watching.api import Watch, watch


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(clock: Clock) -> Iterator[Watch]:
    with watch(clock=clock) as seen:
        yield seen


@pytest.fixture(params=["http", "https"])
def serve_both(
    request: pytest.FixtureRequest, trusted: Trusted, serve: Callable[..., Server]
) -> Callable[..., Server]:
    tls = trusted.server if request.param == "https" else None
    return lambda *scripts: serve(*scripts, tls=tls)


@pytest.fixture
def session(trusted: Trusted, watched: Watch) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env, made.verify = False, trusted.bundle
        yield made
