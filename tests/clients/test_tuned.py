"""The tuned adapter trusts what requests would trust: the settings of each request, no others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
import requests

from keptalive import tuned_session
from keptalive.lookalike.process import Lookalike


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(["keep-alive"]) as started:
        yield started


def test_a_path_object_is_the_bundle_it_names(lookalike: Lookalike) -> None:
    url = lookalike.url("keep-alive") + "/user"
    with tuned_session() as session:
        assert session.get(url, verify=lookalike.ca_bundle, timeout=5).status_code == 401
        with pytest.raises(requests.exceptions.SSLError):
            session.get(url, verify=Path(certifi.where()), timeout=5)


def test_a_path_object_does_not_stand_for_the_default_bundle(
    lookalike: Lookalike, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = str(lookalike.ca_bundle)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", default)
    url = lookalike.url("keep-alive") + "/user"
    with tuned_session() as session:
        assert session.get(url, timeout=5).status_code == 401
        with pytest.raises(requests.exceptions.SSLError):
            session.get(url, verify=Path(certifi.where()), timeout=5)


def test_alternating_settings_on_one_session_never_meet(lookalike: Lookalike) -> None:
    url = lookalike.url("keep-alive") + "/user"
    with tuned_session() as session:
        for _ in range(2):
            assert session.get(url, verify=str(lookalike.ca_bundle), timeout=5).status_code == 401
            with pytest.raises(requests.exceptions.SSLError):
                session.get(url, verify=True, timeout=5)
