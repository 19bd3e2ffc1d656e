"""The one request before anything is measured, against servers whose answers each test sets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
import requests
from requests.auth import AuthBase, HTTPBasicAuth
from tests.servers.peer import Peer
from tests.servers.scripted import Server

from keptalive.bench.access import Access, BearerAuth
from keptalive.bench.github.preflight import Allowance, ask_once, explain, same_origin
from keptalive.bench.github.token import MAKE_ONE
from keptalive.bench.refusals import Credentials, asks_to_stop
from keptalive.bench.strategy import Answer, Request
from keptalive.errors import TargetError

Head = tuple[int, Mapping[str, str]]


@contextmanager
def server(answer: Callable[[str], Head]) -> Iterator[tuple[str, list[str | None]]]:
    """A server on loopback; gives its URL and the Authorization values that it was sent."""
    credentials: list[str | None] = []

    def script(peer: Peer) -> None:
        while request := peer.request():
            credentials.append(request.headers.get("authorization"))
            status, headers = answer(request.target)
            peer.respond(status, *map(": ".join, headers.items()), body=b"")

    with Server(script) as serving:
        yield serving.url.rstrip("/"), credentials


ACCESS = Access(auth=BearerAuth("a-token"))


def test_it_says_what_the_server_grants() -> None:
    with server(
        lambda _: (200, {"x-ratelimit-remaining": "4999", "x-ratelimit-limit": "5000"})
    ) as (
        url,
        credentials,
    ):
        granted = ask_once(Request(url=url + "/user"), ACCESS, Credentials(token_source="a test"))
    assert granted == Allowance(remaining=4999, limit=5000)
    assert credentials == ["Bearer a-token"]


def test_a_server_that_names_no_limit_grants_nothing_known() -> None:
    with server(lambda _: (200, {})) as (url, _):
        assert ask_once(Request(url=url), ACCESS, Credentials()) == Allowance()


def test_a_redirect_on_the_same_server_is_followed() -> None:
    moved = {"/old": (301, {"Location": "/new"}), "/new": (200, {"x-ratelimit-remaining": "7"})}
    with server(lambda path: moved[path]) as (url, _):
        assert ask_once(Request(url=url + "/old"), ACCESS, Credentials()).remaining == 7


def test_a_redirect_to_another_host_is_refused_and_gets_no_credentials() -> None:
    with (
        server(lambda _: (200, {})) as (other, credentials),
        server(lambda _: (302, {"Location": other})) as (url, _),
    ):
        with pytest.raises(TargetError) as refused:
            ask_once(Request(url=url), ACCESS, Credentials())
    assert f"--target {other}" in str(refused.value)
    assert credentials == []


def test_endless_redirects_are_given_up() -> None:
    with server(lambda path: (302, {"Location": path + "x"})) as (url, _):
        with pytest.raises(TargetError, match="goes on redirecting"):
            ask_once(Request(url=url + "/"), ACCESS, Credentials())


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"Retry-After": "17"}, "wait 17 s"),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0"}, "wait 0 s"),
        (403, {}, "check what the token or the plan's headers may read"),
        (429, {}, "wait 60 s"),
    ],
)
def test_403_and_429_stop_the_run_and_say_how_long_to_wait(
    status: int, headers: dict[str, str], wait: str
) -> None:
    with server(lambda _: (status, headers)) as (url, _):
        with pytest.raises(TargetError, match=wait):
            ask_once(Request(url=url), ACCESS, Credentials())


GITHUBS = {"X-GitHub-Request-Id": "1"}


@pytest.mark.parametrize(
    ("headers", "auth", "source", "said"),
    [
        (
            GITHUBS,
            BearerAuth("a-token"),
            "GITHUB_TOKEN",
            (
                "the token from GITHUB_TOKEN, sent as a Bearer token. GitHub has taken no "
                "passwords since November 2020, only tokens.\n"
                f"Next: {MAKE_ONE}; then set GITHUB_TOKEN."
            ),
        ),
        (
            {},
            BearerAuth("a-token"),
            "KEPTALIVE_TOKEN",
            (
                "the token from KEPTALIVE_TOKEN, sent as a Bearer token.\n"
                'Next: set KEPTALIVE_TOKEN to one that it accepts, or auth = "basic" in the plan.'
            ),
        ),
        (
            {},
            HTTPBasicAuth("keptalive", "a-token"),
            "MY_TOKEN",
            (
                "the token from MY_TOKEN, sent as the password of Basic authentication.\n"
                'Next: set MY_TOKEN to one that it accepts, or auth = "bearer" in the plan.'
            ),
        ),
        (
            {},
            None,
            None,
            (
                "a request without a token.\n"
                'Next: set KEPTALIVE_TOKEN, and auth = "bearer" or "basic" in the plan.'
            ),
        ),
    ],
)
def test_a_401_says_what_was_sent_and_only_of_github_what_it_wants(
    headers: dict[str, str], auth: AuthBase | None, source: str | None, said: str
) -> None:
    with server(lambda _: (401, headers)) as (url, _):
        with pytest.raises(TargetError) as refused:
            ask_once(Request(url=url), Access(auth=auth), Credentials(token_source=source))
    assert str(refused.value) == f"401 Unauthorized. 127.0.0.1 did not accept {said}"


def test_other_failures_name_the_status() -> None:
    with server(lambda _: (404, {})) as (url, _):
        with pytest.raises(
            TargetError, match=r"answered 404 Not Found\.\nNext: check the target's base URL"
        ):
            ask_once(Request(url=url), ACCESS, Credentials())


def test_an_ordinary_answer_asks_nobody_to_stop() -> None:
    assert asks_to_stop(Answer(status=200, body=b"")) is None


def test_another_scheme_is_another_origin() -> None:
    with pytest.raises(TargetError):
        same_origin("https://h/x", "http://h/x")


def test_a_host_that_does_not_exist_is_called_so() -> None:
    with pytest.raises(requests.ConnectionError) as failed:
        requests.get("http://nosuchhost.invalid/", timeout=5)
    assert "there is no such host" in explain(failed.value, "http://nosuchhost.invalid/")


def test_a_ca_bundle_that_does_not_exist_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent.pem")
    with pytest.raises(TargetError, match=r"CA bundle does not exist\. Next: check REQUESTS_CA_"):
        ask_once(Request(url="https://127.0.0.1:1/"), ACCESS, Credentials())


def test_a_server_that_never_answers_is_called_so() -> None:
    released = threading.Event()

    def wait(_: str) -> Head:
        released.wait(5)
        return 200, {}

    with server(wait) as (url, _):
        access = Access(timeout_s=(1.0, 0.1))
        with pytest.raises(TargetError, match="no answer in time"):
            ask_once(Request(url=url), access, Credentials())
        released.set()
