"""What every test can ask for: a server, an address that refuses, certificates."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from .pki import PKI, Trusted
from .pki import trusted as trusted_by
from .scripted import Server


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers; the test's end closes them. Takes what `Server` takes."""
    with ExitStack() as servers:
        yield lambda *scripts, **options: servers.enter_context(Server(*scripts, **options))


@pytest.fixture
def refusing() -> Iterator[str]:
    """A URL whose port is taken, and nobody listens there."""
    with listening_later() as sock:
        yield "http://127.0.0.1:{1}/".format(*sock.getsockname())


@contextlib.contextmanager
def listening_later() -> Iterator[socket.socket]:
    """A socket whose port refuses until ``listen`` is called."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> PKI:
    """Two authorities, and what they vouch for."""
    return PKI.made_in(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def trusted(pki: PKI) -> Trusted:
    """A bundle, and the TLS settings of servers that it vouches for."""
    return trusted_by(pki)
