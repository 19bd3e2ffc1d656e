"""What the environment does to requests is found, set aside, put back, and reported."""

from __future__ import annotations

import os

import pytest
import requests
import urllib3

from keptalive.bench.influences import (
    BUNDLES,
    PROXIES,
    influences,
    neutral,
    notes,
    refuse_overwritten_urllib3,
)
from keptalive.errors import UsageError

URL = "https://h.example/"


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    for name in (*BUNDLES, *PROXIES, "NETRC", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def netrc(tmp_path):
    path = tmp_path / ".netrc"
    path.write_text("machine h.example login u password p\n")
    path.chmod(0o600)
    return path


def settings() -> dict[str, object]:
    with requests.Session() as session:
        return session.merge_environment_settings(URL, {}, None, None, None)


def credentials() -> str | None:
    with requests.Session() as session:
        return session.prepare_request(requests.Request("GET", URL)).headers.get("Authorization")


def test_those_that_are_set_are_named():
    environment = {"HTTPS_PROXY": "http://p", "CURL_CA_BUNDLE": "b", "https_proxy": "", "X": "y"}
    assert influences(environment) == ("CURL_CA_BUNDLE", "HTTPS_PROXY")


def test_nothing_set_has_no_influence():
    assert influences({}) == ()


def test_requests_follows_none_of_them_meanwhile_and_all_again_afterwards(monkeypatch, netrc):
    neutrally = settings()
    for name in (*BUNDLES, *PROXIES):
        monkeypatch.setenv(name, "http://p:1")
    before, influenced = dict(os.environ), settings()
    assert neutrally != influenced
    assert credentials()
    with neutral():
        assert neutrally == settings()
        assert None is credentials()
        assert influences(os.environ) == ()
    assert before == dict(os.environ)
    assert influenced == settings()
    assert credentials()


@pytest.mark.parametrize("named", [None, "/some/netrc"])
def test_all_is_back_even_after_an_error(monkeypatch, named):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "b")
    if named:
        monkeypatch.setenv("NETRC", named)
    before = dict(os.environ)
    with pytest.raises(KeyError), neutral():
        raise KeyError
    assert before == dict(os.environ)


def test_a_bundle_is_told_by_its_name_and_a_proxy_without_its_credentials():
    environment = {"REQUESTS_CA_BUNDLE": "/ca.pem", "HTTPS_PROXY": "http://u:hidden@p"}
    assert notes(environment, URL, authenticated=True) == [
        "REQUESTS_CA_BUNDLE is set and honoured, as requests does: /ca.pem.",
        "HTTPS_PROXY is set and honoured, as requests does: a proxy.",
    ]


@pytest.mark.parametrize(("authenticated", "expected"), [(False, 1), (True, 0)])
def test_credentials_of_netrc_are_told_where_requests_would_send_them(
    netrc, authenticated, expected
):
    said = notes({}, URL, authenticated=authenticated)
    assert expected == len(said)
    assert all(note.startswith("~/.netrc has credentials") for note in said)


def test_a_host_that_netrc_does_not_name_is_no_news(netrc):
    assert notes({}, "https://other.example/", authenticated=False) == []


def test_urllib3_as_it_was_installed_is_fine():
    refuse_overwritten_urllib3()


@pytest.mark.parametrize("version", ["2.8.900", "2.15.901", "0.0.1", ""])
def test_a_urllib3_of_another_version_than_installed_is_refused(monkeypatch, version):
    monkeypatch.setattr(urllib3, "__version__", version)
    with pytest.raises(UsageError, match="pip uninstall urllib3-future"):
        refuse_overwritten_urllib3()


def test_a_urllib3_with_an_asynchronous_pool_is_refused(monkeypatch):
    monkeypatch.setattr(urllib3, "AsyncPoolManager", object, raising=False)
    with pytest.raises(UsageError, match="urllib3-future"):
        refuse_overwritten_urllib3()
