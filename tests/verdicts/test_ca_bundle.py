"""What loading the CA bundle for each connection costs a program, and what is said of it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import certifi
import pytest
import requests
import urllib3
from tests.servers.peer import answers
from tests.servers.pki import Trusted
from tests.servers.scripted import PATIENCE_S, Server
from tests.servers.scripts import together

from keptalive import tuned_session, watch
from keptalive.records.report import Finding, Report
from keptalive.render.verdict import NOTHING_TO_CHANGE, verdict


@pytest.fixture(scope="module")
def bundle(trusted: Trusted, tmp_path_factory: pytest.TempPathFactory) -> str:
    """As large as everybody's, and with the authority of the tests in it."""
    path = tmp_path_factory.mktemp("bundle") / "large.pem"
    path.write_text(Path(trusted.bundle).read_text() + Path(certifi.where()).read_text())
    return str(path)


Make = Callable[..., requests.Session]


@pytest.fixture
def made(bundle: str) -> Iterator[Callable[..., requests.Session]]:
    """Makes Sessions that trust the bundle; the test's end closes them."""
    with ExitStack() as stack:

        def make(kind: Make = requests.Session, **settings: Any) -> requests.Session:
            session = stack.enter_context(kind(**settings))
            session.trust_env, session.verify = False, bundle
            return session

        yield make


def at_once(number: int, call: Callable[[], object]) -> None:
    with ThreadPoolExecutor(number) as threads:
        for done in [threads.submit(call) for _ in range(number)]:
            done.result(PATIENCE_S)


def price(report: Report) -> Finding | None:
    """What is said of the bundle: at most one finding, and never beside "Nothing to change"."""
    found = [one for one in report.findings if one.finding == "ca-bundle"]
    assert len(found) <= 1
    assert verdict(report).startswith(NOTHING_TO_CHANGE) != bool(found)
    return found[0] if found else None


def test_ten_threads_with_a_plain_session_are_told_what_a_tuned_one_would_save(
    serve, trusted, made
):
    server, session = serve(together(10), tls=trusted.server), made()
    with watch() as watched:
        at_once(10, lambda: session.get(server.url, timeout=PATIENCE_S))
    report = watched.result()
    (host,), found = report.hosts, price(report)
    assert host.perfect is not None
    assert (host.opened, host.perfect.most, server.accepted) == (10, 10, 10)
    assert found is not None
    assert (found.host, found.facts["loads"], found.facts["library"]) == (host.host, 10, "requests")
    assert found.seconds == pytest.approx(0.9 * host.phases["ca_bundle"], rel=0.01)
    assert ", all threads together." in found.evidence
    assert found.cure.startswith("tuned_session() loads it once and would save about ")
    assert "could be saved otherwise: see the other finding below." in verdict(report)


def test_ten_threads_with_a_tuned_session_have_nothing_to_change(serve, trusted, made):
    server = serve(together(10), tls=trusted.server)
    session = made(tuned_session, threads=10)
    with watch() as watched:
        at_once(10, lambda: session.get(server.url, timeout=PATIENCE_S))
    assert watched.result().hosts[0].opened == 10
    assert price(watched.result()) is None


def test_one_connection_needs_its_one_load(serve, trusted, made):
    server, session = serve(tls=trusted.server), made()
    with watch() as watched:
        for _ in range(3):
            session.get(server.url, timeout=PATIENCE_S)
    assert watched.result().hosts[0].phases["ca_bundle"] > 0
    assert price(watched.result()) is None


def test_several_hosts_have_one_sum(serve, trusted, made):
    session, servers = made(), [serve(tls=trusted.server) for _ in range(3)]
    with watch() as watched:
        for server in servers * 2:
            session.get(server.url, timeout=PATIENCE_S)
    found = price(watched.result())
    assert found is not None
    assert (found.host, found.facts["loads"]) == (None, 3)
    assert sorted(found.facts["hosts"]) == sorted(server.url.rstrip("/") for server in servers)
    assert found.seconds == pytest.approx(found.facts["seconds_ca_bundle"] * 2 / 3, rel=0.01)


def test_what_one_session_saves_anyhow_is_not_said_again(serve, trusted, made):
    server = serve(tls=trusted.server)
    with watch() as watched:
        for _ in range(4):
            made().get(server.url, timeout=PATIENCE_S)
    report = watched.result()
    assert [cause.cause for cause in report.hosts[0].causes] == ["new-session", "first-use"]
    assert "ca-bundle" not in [one.finding for one in report.findings]


def test_what_the_server_closes_is_cheaper_without_and_saved_once(serve, trusted, made):
    server, session = serve(answers(closes=True), tls=trusted.server), made()
    with watch() as watched:
        for _ in range(4):
            session.get(server.url, timeout=PATIENCE_S)
    report = watched.result()
    found = price(report)
    assert found is not None
    assert found.facts["seconds_saved_beside_reuse"] == 0
    assert found.cure.endswith(" With perfect reuse, there would be nothing more to save here.")


def test_a_session_for_each_thread_is_told_of_one_for_all(serve, trusted, made):
    server = serve(together(3), tls=trusted.server)
    with watch() as watched:
        at_once(3, lambda: made().get(server.url, timeout=PATIENCE_S))
    found = price(watched.result())
    assert found is not None
    assert found.cure.startswith("One tuned_session() in place of 3 Sessions loads it once ")


@pytest.mark.parametrize("shared", [False, True], ids=["ca_certs", "ssl_context"])
def test_urllib3_by_itself_is_told_of_one_context(serve, trusted, bundle, shared):
    server = serve(together(3), tls=trusted.server, host="localhost")
    settings: dict[str, Any] = {"maxsize": 3, "ca_certs": bundle}
    if shared:
        settings = {"maxsize": 3, "ssl_context": ssl.create_default_context(cafile=bundle)}
    with urllib3.PoolManager(**settings) as manager, watch() as watched:
        at_once(3, lambda: manager.request("GET", server.url, timeout=PATIENCE_S))
    found = price(watched.result())
    if shared:
        assert found is None
        return
    assert found is not None
    assert found.facts["library"] == "urllib3"
    assert "PoolManager(ssl_context=...)" in found.cure


def test_plain_http_has_no_bundle(serve):
    server: Server = serve(together(2))
    with requests.Session() as session, watch() as watched:
        session.trust_env = False
        at_once(2, lambda: session.get(server.url, timeout=PATIENCE_S))
    assert price(watched.result()) is None
