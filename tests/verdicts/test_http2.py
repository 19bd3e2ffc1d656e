"""urllib3's own HTTP/2 is named where it is in use, since reuse means something else there."""

from __future__ import annotations

from typing import Any

import pytest
from urllib3 import PoolManager
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from keptalive.render.verdict import NOTHING_TO_CHANGE, verdict
from keptalive.watching.api import watch


class HTTP2Connection(HTTPSConnection):
    """In the place of urllib3's, which needs the package h2; this one speaks HTTP/1.1."""

    __module__ = "urllib3.http2.connection"


@pytest.fixture
def ask(serve: Any, trusted: Any) -> Any:
    """Send three requests over TLS, and give the report."""
    server = serve(tls=trusted.server)

    def report() -> Any:
        with watch() as seen, PoolManager(ca_certs=trusted.bundle) as pool:
            for _ in range(3):
                pool.request("GET", server.url)
        return server, seen.result()

    return report


def test_http2_is_named_with_its_hosts_and_nothing_is_to_be_changed_for_it(ask, monkeypatch):
    # as urllib3.http2.inject_into_urllib3 does
    monkeypatch.setattr(HTTPSConnectionPool, "ConnectionCls", HTTP2Connection)
    server, report = ask()
    (finding,) = report.findings
    host = f"https://127.0.0.1:{server.port}"
    assert (finding.finding, finding.seconds) == ("http2", 0.0)
    assert finding.facts == {"connections": 1, "hosts": {host: 1}}
    assert finding.evidence.startswith(
        f"urllib3's HTTP/2 is in use for {host} (1 connection). HTTP/2 can carry several requests "
        "at once on one connection; urllib3 sends one at a time"
    )
    assert verdict(report) == NOTHING_TO_CHANGE


def test_http1_is_not_called_http2(ask):
    assert ask()[1].findings == ()
