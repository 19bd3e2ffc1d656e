"""TLS servers and proxies, and two Sessions that send the same requests to them."""

from __future__ import annotations

import os
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from tests.servers.peer import answers
from tests.servers.pki import PKI, written
from tests.servers.scripted import PATIENCE_S, Server
from tests.servers.scripts import proxy
from tests.versions import REQUESTS_IS_STRICT, URLLIB3_1
from urllib3.exceptions import HTTPWarning

from keptalive import tuned_session
from keptalive.tuned.learning import Learned


@pytest.fixture(autouse=True)
def _nothing_trusted_by_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    # What requests loads, in 50 ms, into each context that is not to verify anything
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    monkeypatch.setenv("SSL_CERT_DIR", os.devnull)


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("keptalive.tuned.idle.time", clock)
    return clock


def only(session: Any) -> Learned:
    """What is learned of the only host, by a Session or an adapter."""
    (learned,) = session.learned().values()
    return learned


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    """A test that leaves a thread fails."""
    before = set(threading.enumerate())  # those of a server that is ending may end meanwhile
    yield
    assert set(threading.enumerate()) <= before


Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Put a file there by renaming, as those who rotate certificates do."""
    return lambda name, *parts: written(tmp_path / name, *parts)


# Servers


@pytest.fixture
def tls_server(serve: Callable[..., Server], pki: PKI) -> Callable[..., Server]:
    """Start a server that answers everything: for localhost, unless another certificate is given.

    ``closes``: after each response. ``demands``: a certificate of every client.
    """

    def start(
        cert: trustme.LeafCert | None = None, *, closes: bool = False, demands: bool = False
    ) -> Server:
        tls = pki.context(cert or pki.ca.issue_cert("localhost"), demands=demands)
        return serve(answers(closes=closes), tls=tls, host="localhost")

    return start


@pytest.fixture
def plain_server(serve: Callable[..., Server]) -> Server:
    """One without TLS."""
    return serve(host="localhost")


@pytest.fixture
def start_proxy(serve: Callable[..., Server], pki: PKI) -> Callable[..., Server]:
    """Start a proxy: reached through TLS where it has a certificate."""

    def start(cert: trustme.LeafCert | None = None) -> Server:
        return serve(proxy, tls=pki.context(cert) if cert else None, host="localhost")

    return start


# Clients

# A request's status, with the warnings of urllib3 that came with it, or the error's type
Outcome = int | tuple[Any, ...] | type[Exception]
Step = dict[str, Any] | Callable[[], object]  # one request's settings, or what happens then
Asked = Callable[..., list[Outcome]]


def asked(session: requests.Session, url: str, *steps: Step, **attributes: Any) -> list[Outcome]:
    """What becomes of these requests, one after the other, on this Session with these attributes.

    ``url`` among a request's settings sends it elsewhere.
    """
    outcomes = []
    with session:
        for name, value in attributes.items():
            setattr(session, name, value)
        for step in steps:
            if callable(step):
                step()
            else:
                outcomes.append(outcome(session, {"url": url, "timeout": PATIENCE_S, **step}))
    return outcomes


def outcome(session: requests.Session, settings: dict[str, Any]) -> Outcome:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("error")
        warnings.simplefilter("always", HTTPWarning)
        if URLLIB3_1:  # drops the socket of a proxy with another name unclosed
            warnings.simplefilter("ignore", ResourceWarning)
        try:
            status = session.get(**settings).status_code
        except OSError as error:  # every error of requests is one
            return type(error)
    return (status, *(warning.category for warning in told)) if told else status


@pytest.fixture
def tuned() -> Asked:
    """Ask these things of the tuned Session."""
    return lambda *steps, **attributes: asked(tuned_session(), *steps, **attributes)


@pytest.fixture
def agreed(tuned: Asked) -> Asked:
    """Ask the same of a plain Session and of the tuned one, of which the same must become."""

    def ask_both(*steps: Any, **attributes: Any) -> list[Outcome]:
        expected = asked(requests.Session(), *steps, **attributes)
        assert expected == tuned(*steps, **attributes)
        return expected

    return ask_both


@pytest.fixture
def strictly(tuned: Asked, agreed: Asked) -> Asked:
    """The same, where other settings could meet a kept connection: of requests if it is strict."""
    return agreed if REQUESTS_IS_STRICT else tuned


@pytest.fixture
def afresh(tuned: Asked, agreed: Asked) -> Asked:
    """The same, where files change: of requests if it reads them into a context of their own."""
    return tuned if URLLIB3_1 else agreed


@pytest.fixture
def both(strictly: Asked, agreed: Asked) -> int:
    """How many Sessions `strictly` asks."""
    return 2 if strictly is agreed else 1


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Each loading of CA bundles into a TLS context from here on."""
    loaded: list[tuple[Any, ...]] = []
    load = ssl.SSLContext.load_verify_locations

    def counted(context: ssl.SSLContext, *args: Any, **named: Any) -> None:
        loaded.append((*args, named))
        load(context, *args, **named)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counted)
    return loaded
