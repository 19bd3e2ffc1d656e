"""Warnings in words: names of headers and hosts, counts, and never a value."""

from __future__ import annotations

import pytest

from keptalive.causes.security import is_elsewhere, is_exposed, secrets_in, sentences
from keptalive.records.evidence import Traffic

HOST = "https://api.test:443"


def test_secrets_are_found_whatever_their_spelling():
    headers = {"AUTHORIZATION": "x", "x-api-key": "x", "Accept": "x"}
    assert secrets_in(headers) == ["Authorization", "X-Api-Key"]


@pytest.mark.parametrize(
    ("host", "elsewhere"),
    [
        ("http://127.0.0.1:80", False),
        ("http://localhost:8080", False),
        ("http://[::1]:80", False),
        ("http://localhost.example.org:80", True),
        ("http://10.0.0.1:80", True),
    ],
)
def test_what_is_elsewhere_can_be_read_on_the_way(host, elsewhere):
    assert is_elsewhere(host) is elsewhere
    assert is_exposed(host) is elsewhere
    assert not is_exposed(host.replace("http:", "https:"))


def test_nothing_is_said_of_traffic_without_blemish():
    assert list(sentences(HOST, Traffic(requests=9, attempts=9, reused=8))) == []


def test_an_address_that_refuses_at_once_is_not_worth_a_warning():
    quick, slow = Traffic(in_vain={"::1": (9, 0.02, "E")}), Traffic(in_vain={"::1": (2, 9.0, "E")})
    assert list(sentences(HOST, quick)) == []
    assert list(sentences(HOST, slow)) == [
        f"{HOST} is tried at ::1 in vain (E) before another address answers: 9.0 s lost. (2 times)"
    ]
