"""A CA bundle of the environment that replaces ``session.verify`` is named, with the variable."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import requests

from keptalive.records.report import Finding, Report
from keptalive.watching.api import watch


def bundles(report: Report) -> list[Finding]:
    return [one for one in report.findings if one.finding == "bundle-from-environment"]


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_it_is_named_where_the_request_failed_for_it(serve, trusted, pki, monkeypatch, variable):
    monkeypatch.setenv(variable, pki.other)
    server = serve(tls=trusted.server)
    with watch() as seen, requests.Session() as session:
        session.verify = trusted.bundle
        for _ in range(2):
            with pytest.raises(requests.exceptions.SSLError):
                session.get(server.url)
        assert session.get(server.url, verify=trusted.bundle).text == "ok"
    report = seen.result()
    (found,) = bundles(report)
    (host,) = report.hosts
    [place] = found.facts["requests_at"]
    assert found.facts == {
        "variable": variable,
        "bundle": pki.other,
        "verify": trusted.bundle,
        "requests_at": {place: 2},
        "errors": host.errors,
    }
    assert found.evidence.startswith(
        f"{variable} ({pki.other}) replaced session.verify ({trusted.bundle}) at "
        f"{place}; 2 requests failed (SSL"
    )
    assert "Pass verify= in each call" in found.cure


def test_verify_false_of_a_session_is_replaced_too(serve, trusted, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", trusted.bundle)
    server = serve(tls=trusted.server)
    with watch() as seen, requests.Session() as session:
        session.verify = False
        assert session.get(server.url).text == "ok"
    (found,) = bundles(seen.result())
    assert (found.facts["verify"], found.facts["errors"]) == ("False", {})


def test_where_nothing_was_replaced_there_is_no_finding(
    serve, trusted, pki, monkeypatch, tmp_path: Path
):
    copy = shutil.copy(trusted.bundle, tmp_path / "copy.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", trusted.bundle)
    server, plain = serve(tls=trusted.server), serve()
    with watch() as seen:
        for verify in (True, trusted.bundle, str(copy), copy):
            with requests.Session() as session:
                session.verify = verify
                session.get(server.url)
                session.get(plain.url)
        with requests.Session() as session:
            session.verify, session.trust_env = trusted.bundle, False
            session.get(server.url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki.other)
        with requests.Session() as session:
            session.verify = pki.other
            session.get(server.url, verify=trusted.bundle)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", trusted.bundle)
        with requests.Session() as session:
            session.verify = pki.other
            session.get(server.url, verify=trusted.bundle)  # the call's own, not the environment's
    assert bundles(seen.result()) == []
