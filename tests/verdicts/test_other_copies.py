"""Copies of urllib3 in other packages, and other clients: what is not watched is named."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

import pytest
import urllib3
from tests.causes.records import HOST, opened, process

from keptalive.causes.judge import report
from keptalive.records.process import Circumstance, ProcessRecord
from keptalive.run.final_report import report_of
from keptalive.run.launch import run
from keptalive.watching.copies import count_connections


@pytest.fixture
def vendored(tmp_path, monkeypatch) -> Path:
    """A package with its own copy of urllib3 can be imported."""
    home = tmp_path / "acme" / "_vendor"
    shutil.copytree(Path(urllib3.__file__).parent, home / "urllib3")
    for folder in (home, home.parent):
        (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme"]:
        del sys.modules[name]


def test_the_connections_of_a_copy_are_counted_by_host(vendored, serve, refusing):
    copy = importlib.import_module("acme._vendor.urllib3")
    counts: dict[tuple[str, str], int] = {}
    count_connections(sys.modules["acme._vendor.urllib3.connection"], counts)
    server = serve()
    with copy.PoolManager() as pools:
        for _ in range(3):
            assert pools.request("GET", server.url).data == b"ok"
        with pytest.raises(copy.exceptions.HTTPError):
            pools.request("GET", refusing, retries=0)
    with copy.PoolManager() as pools:
        pools.request("GET", server.url)
    assert counts == {("acme._vendor.urllib3", server.url.rstrip("/")): 2}
    assert urllib3.connection.HTTPConnection._new_conn.__module__ == "urllib3.connection"


def test_a_program_that_uses_a_copy_alone_is_named(vendored, serve, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(vendored))
    server = serve()
    text = f"from acme._vendor import urllib3; urllib3.PoolManager().request('GET', {server.url!r})"
    words = [sys.executable, "-c", text]
    ran = run(words, watcher="keptalive.run.process_watcher.begin")
    result = report_of(ran, words)
    (found,) = result.findings
    assert (found.finding, found.facts) == (
        "unwatched-urllib3",
        {
            "package": "acme._vendor.urllib3",
            "connections": 1,
            "hosts": {server.url.rstrip("/"): 1},
        },
    )
    assert found.evidence.startswith("acme._vendor.urllib3 was used and is not watched")
    assert result.hosts == ()


def noted(*circumstances: Circumstance, busy: bool = False) -> list[str]:
    """The findings of a program of which this was noted."""
    record = ProcessRecord(process=1, started_ns=0, seconds=1.0, circumstances=circumstances)
    records = [record, process(opened(1))] if busy else [record]
    return [one.finding for one in report(records, source="run").findings]


def test_another_client_is_named_where_no_request_was_seen_at_all():
    httpx = Circumstance(kind="unwatched-client", detail="httpx")
    mocked = Circumstance(kind="mocked-answers", host=HOST, detail="responses")
    assert noted(httpx, httpx) == ["unwatched-client"]
    assert noted(httpx, busy=True) == []
    assert noted(httpx, mocked) == ["mocked-answers"]
