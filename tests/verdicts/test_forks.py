"""A Session that is carried over a fork is named, whether or not it went wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import requests
import urllib3
from tests.marks import complete
from tests.servers.peer import Peer
from tests.servers.scripted import PATIENCE_S, Server

from keptalive import tuned_session
from keptalive.causes.judge import nothing_to_change, report
from keptalive.records.process import ProcessRecord
from keptalive.records.report import Finding, Report
from keptalive.watching.api import Watch, watch

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
]
NAME = "session-after-fork"


def in_child(act: Callable[[], object]) -> ProcessRecord:
    """The record of a fork's child that does this, as `keptalive run` watches it."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - not seen from here
        try:
            with watch() as seen:
                act()
                os.write(writes, msgspec.json.encode(seen.record()))
        finally:
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        record = msgspec.json.decode(pipe.read(), type=ProcessRecord)
    os.waitpid(child, 0)
    return record


def together(seen: Watch, *children: ProcessRecord) -> Report:
    return report([seen.record(), *children], source="run")


def places(found: Finding, name: str) -> list[str]:
    return [Path(place.partition(":")[0]).name for place in found.facts[name]]


def of_fork(result: Report) -> list[Finding]:
    return [one for one in result.findings if one.finding == NAME]


def test_a_session_that_the_child_uses_too_is_named_though_nothing_went_wrong(serve):
    server = serve()
    with watch() as seen, requests.Session() as session:
        session.get(server.url)
        child = in_child(lambda: [session.get(server.url) for _ in range(3)])
        result = together(seen, child)
    (found,) = of_fork(result)
    (host,) = result.hosts
    assert server.accepted == 1
    assert (host.opened, host.reused, host.perfect.most, result.left_open) == (1, 3, 1, 1)
    assert (found.facts["processes"], found.facts["connections_shared"]) == (1, 1)
    assert places(found, "sessions_at") == places(found, "requests_at") == ["test_forks.py"]
    assert found.facts["errors"] == {}
    assert "1 connection was used by both" in found.evidence
    assert "Make the Session in each process" in found.cure
    assert not nothing_to_change(host, result.findings)


def test_what_several_children_share_is_one_connection(serve):
    server = serve()
    with watch() as seen, requests.Session() as session:
        session.get(server.url)
        children = [in_child(lambda: session.get(server.url)) for _ in range(3)]
        (found,) = of_fork(together(seen, *children))
    assert server.accepted == 1
    assert (found.facts["processes"], found.facts["connections_shared"]) == (3, 1)
    assert "1 connection was used by several processes" in found.evidence


def test_errors_on_a_shared_connection_are_explained_by_the_fork(serve, trusted):
    server = serve(tls=trusted.server)
    with watch() as seen, requests.Session() as session:
        session.verify = trusted.bundle
        session.get(server.url)
        child = in_child(lambda: [session.get(server.url) for _ in range(2)])
        with pytest.raises(requests.RequestException):  # TLS counts records: the server is lost
            session.get(server.url, timeout=PATIENCE_S)
        session.get(server.url)
        result = together(seen, child)
    (found,) = of_fork(result)
    (host,) = result.hosts
    failed = next(one for one in host.causes if one.cause != "first-use")
    assert (server.accepted, host.opened) == (2, 2)
    assert sum(found.facts["errors"].values()) == host.unanswered == 1
    assert failed.cause == "failed-request"
    assert failed.facts["shared_after_fork"] == 1
    assert "several processes had used after a fork" in failed.evidence
    assert failed.cure == "Make the Session in each process: see session-after-fork."


def test_by_luck_the_child_takes_none_of_the_connections(serve):
    server = serve()
    with watch() as seen, requests.Session() as session:
        session.get(server.url)
        held = session.get(server.url, stream=True)  # its connection is not in the pool
        child = in_child(lambda: session.get(server.url))
        held.close()
        result = together(seen, child)
    (found,) = of_fork(result)
    assert found.facts["connections_shared"] == 0
    assert "By luck, none of these connections was used by both." in found.evidence


def test_a_bare_pool_manager_is_named_too(serve):
    server = serve()
    with watch() as seen, urllib3.PoolManager() as pools:
        pools.request("GET", server.url)
        (found,) = of_fork(together(seen, in_child(lambda: pools.request("GET", server.url))))
    assert found.evidence.startswith("A Session or PoolManager had open connections at a fork")


def makes_its_own(session: requests.Session, url: str) -> None:
    with requests.Session() as own:
        own.get(url)


def closes_it_first(session: requests.Session, url: str) -> None:
    session.close()
    session.get(url)


def sends_nothing(session: requests.Session, url: str) -> None:
    pass


@pytest.mark.parametrize("act", [makes_its_own, closes_it_first, complete(sends_nothing)])
def test_a_child_with_connections_of_its_own_is_no_finding(serve, act):
    server = serve()
    with watch() as seen, requests.Session() as session:
        session.get(server.url)
        child = in_child(lambda: act(session, server.url))
        session.get(server.url)  # the child has harmed nothing
        result = together(seen, child)
    assert of_fork(result) == []
    assert server.accepted == 1 + (act is not sends_nothing)
    assert all(nothing_to_change(host, result.findings) for host in result.hosts)


def test_a_session_that_was_not_used_before_is_no_finding(serve):
    server = serve()
    with watch() as seen, requests.Session() as session:
        assert of_fork(together(seen, in_child(lambda: session.get(server.url)))) == []


def test_a_tuned_session_begins_anew_in_the_child(serve):
    server = serve()
    with watch() as seen, tuned_session() as session:
        session.get(server.url)
        result = together(seen, in_child(lambda: session.get(server.url)))
    assert of_fork(result) == []
    assert server.accepted == 2


def test_what_the_child_finds_closed_it_opens_for_itself(serve):
    def answers_once(peer: Peer) -> None:
        assert peer.request()
        peer.respond()

    server: Server = serve(answers_once)
    with watch() as seen, requests.Session() as session:
        session.get(server.url)
        server.wait_for_scripts(1)
        result = together(seen, in_child(lambda: session.get(server.url)))
    assert server.accepted == 2
    assert of_fork(result)[0].facts["connections_shared"] == 0
