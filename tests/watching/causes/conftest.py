"""Servers and clients of each kind, under a watch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import requests
from tests.servers.pki import Trusted
from tests.servers.scripted import Server

from keptalive.watching.api import Watch, watch

from .clients import CLIENTS, SCHEMES, Clock, Get


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(clock: Clock) -> Iterator[Watch]:
    with watch(clock=clock) as seen:
        yield seen


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=SCHEMES)
def serve_both(
    request: pytest.FixtureRequest, trusted: Trusted, serve: Callable[..., Server]
) -> Callable[..., Server]:
    """Start servers, of each scheme in turn."""
    tls = trusted.server if request.param == "https" else None
    return lambda *scripts: serve(*scripts, tls=tls)


@pytest.fixture(params=CLIENTS)
def get(request: pytest.FixtureRequest, trusted: Trusted, opened: ExitStack, watched: Watch) -> Get:
    """One kept client of each kind in turn, which asks under the watch."""
    made, gets = CLIENTS[request.param](trusted.bundle)
    return gets(opened.enter_context(made), trusted.bundle)


@pytest.fixture
def session(trusted: Trusted, watched: Watch) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env, made.verify = False, trusted.bundle
        yield made
