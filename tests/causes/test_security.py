"""Which headers are secrets, and which hosts are this machine."""

from __future__ import annotations

import base64

import pytest

from keptalive.causes.security import (
    credentials_in,
    is_elsewhere,
    is_exposed,
    is_loopback,
    secrets_in,
)


def test_secrets_are_found_whatever_their_spelling():
    headers = {"AUTHORIZATION": "x", "x-api-key": "x", "Accept": "x"}
    assert secrets_in(headers) == ["Authorization", "X-Api-Key"]


def test_secrets_that_went_along_are_those_that_are_the_same():
    sent, before = {"Cookie": "new", "X-Api-Key": "k"}, {"cookie": "old", "x-api-key": "k"}
    assert secrets_in(sent, like=before) == ["X-Api-Key"]


def test_credentials_are_found_in_their_schemes():
    basic = base64.b64encode(b"me:hunter2").decode()
    assert credentials_in({"Authorization": f"Basic {basic}"}) == [basic, "hunter2"]
    assert credentials_in({"authorization": b"Bearer abc", "Cookie": "a=b"}) == ["abc", "a=b"]


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.8.9.10", "[::1]", "::1", "localhost", "LOCALHOST", "localhost."),
        *("api.localhost", "0.0.0.0", "[::ffff:127.0.0.1]"),
    ],
)
def test_this_machine_is_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        *("127.evil.example", "localhost.example.org", "10.0.0.1", "[::2]", "api.test", ""),
        *("127.0.0.1.example", "notlocalhost", "[fe80::1%eth0]"),
    ],
)
def test_other_machines_are_not_loopback(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "elsewhere"),
    [
        ("http://127.0.0.1:80", False),
        ("http://localhost:8080", False),
        ("http://[::1]:80", False),
        ("http://[::1]", False),
        ("http://localhost", False),
        ("unix:/run/docker.sock", False),
        ("http://127.evil.example:80", True),
        ("http://localhost.example.org:80", True),
        ("http://10.0.0.1:80", True),
    ],
)
def test_what_is_elsewhere_can_be_read_on_the_way(host, elsewhere):
    assert is_elsewhere(host) is elsewhere
    assert is_exposed(host) is elsewhere
    assert not is_exposed(host.replace("http:", "https:"))
