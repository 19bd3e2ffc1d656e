"""A server of one's own: what it is sent, what it may never be sent, and what it may refuse."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from tests.servers.peer import Peer, Request
from tests.servers.scripted import Server

from keptalive.bench.credentials import access_for
from keptalive.bench.own_strategies import strategies_named
from keptalive.bench.plan import Plan, with_values
from keptalive.bench.runner import Bench
from keptalive.bench.targets import prepared
from keptalive.errors import TargetError, UsageError
from keptalive.records.run import Run

KEY = "the-value-of-my-key"
GITHUBS = "ghp_of_nobody_at_all"
NAMES = ("KEPTALIVE_TOKEN", "GITHUB_TOKEN", "GH_TOKEN", "MY_KEY")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", GITHUBS)
    monkeypatch.setenv("PATH", "/nonexistent")  # no gh
    monkeypatch.setenv("NETRC", os.devnull)


Answer = Callable[[Request], tuple[int, tuple[str, ...], bytes]]


def serving(answer: Answer) -> Server:
    def script(peer: Peer) -> None:
        while request := peer.request():
            status, headers, body = answer(request)
            peer.respond(status, *headers, body=body)

    return Server(script)


def fine(_: Request) -> tuple[int, tuple[str, ...], bytes]:
    return 200, (), b"{}"


def plan_for(server: Server, **values: Any) -> Plan:
    target = server.url.rstrip("/")
    return with_values(
        Plan(), {"requests": ["/user"], "rounds": 1, "target": target, **values}, source="It"
    )


def run_on(server: Server, **values: Any) -> Run:
    with prepared(plan_for(server, **values)) as (ready, followed):
        return Bench(plan=followed, target=ready).run()


def ask_once(server: Server, **values: Any) -> None:
    """Only the one request before anything is measured."""
    with prepared(plan_for(server, **values)):
        pass


def authorizations(server: Server) -> set[str | None]:
    return {request.headers.get("authorization") for request in server.requests}


# -- The token -----------------------------------------------------------------------------------


def test_no_token_of_githubs_goes_to_another_server() -> None:
    with serving(fine) as server:
        ask_once(server)
    assert authorizations(server) == {None}


def test_it_is_said_why_it_is_not_sent_and_how_it_would_be() -> None:
    plan = Plan(target="https://api.example.com")
    *_, said = access_for(plan, plan.target, {"GITHUB_TOKEN": GITHUBS})
    assert said == [
        (
            "Without a token: GITHUB_TOKEN is for GitHub, and api.example.com is not GitHub's. "
            'To send it: token = "env:GITHUB_TOKEN" in the plan, or KEPTALIVE_TOKEN.'
        )
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "Bearer from-keptalive-token"),
        ({"token": "env:MY_KEY"}, f"Bearer {KEY}"),
        ({"auth": "none"}, None),
        ({"headers": {"authorization": "env:MY_KEY"}}, KEY),
    ],
)
def test_a_token_is_sent_where_the_plan_or_its_own_variable_says_so(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], expected: str | None
) -> None:
    monkeypatch.setenv("KEPTALIVE_TOKEN", "from-keptalive-token")
    monkeypatch.setenv("MY_KEY", KEY)
    with serving(fine) as server:
        ask_once(server, **values)
    assert authorizations(server) == {expected}


@pytest.mark.parametrize(
    "url", ["https://api.github.com", "https://x.ghe.com", "https://API.GitHub.com:443"]
)
def test_githubs_own_hosts_get_a_token_of_githubs(url: str) -> None:
    access, credentials, _ = access_for(Plan(target=url), url, {"GITHUB_TOKEN": GITHUBS})
    assert (access.authorization, credentials.token_source) == (f"Bearer {GITHUBS}", "GITHUB_TOKEN")


@pytest.mark.parametrize("host", ["github.com.evil.example", "notgithub.com", "ghe.com.example"])
def test_a_host_that_only_looks_like_githubs_gets_none(host: str) -> None:
    url = f"https://{host}/api/v3"
    assert access_for(Plan(target=url), url, {"GITHUB_TOKEN": GITHUBS})[0].authorization is None


def test_a_variable_of_the_plan_that_is_not_set_is_refused_before_anything_is_sent() -> None:
    with serving(fine) as server:
        for values in (
            {"token": "env:MY_KEY"},
            {"headers": {"A": "env:MY_KEY"}},
            {"requests": ["/", {"path": "/", "headers": {"A": "env:MY_KEY"}}]},
        ):
            with pytest.raises(UsageError, match="MY_KEY"):
                ask_once(server, **values)
    assert server.requests == []


# -- Requests ------------------------------------------------------------------------------------


def test_all_methods_send_the_same_requests_with_the_same_headers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    post = {"path": "/search", "json": {"a": 1}, "headers": {"accept": "a/json"}}
    with serving(fine) as server:
        run = run_on(
            server, headers={"X-Api-Key": "env:MY_KEY", "Accept": "a/b"}, requests=["/user", post]
        )
    sent = {
        (one.method, one.target, one.headers["accept"], one.headers["x-api-key"], one.body)
        for one in server.requests
    }
    assert sent == {
        ("GET", "/user", "a/b", KEY, b""),
        ("POST", "/search", "a/json", KEY, b'{"a": 1}'),
    }
    assert not any(name.startswith("x-github") for one in server.requests for name in one.headers)
    assert KEY not in repr(run)


REFUSALS = [
    (
        400,
        b'{"message": "name is missing."}',
        (
            "400 Bad Request. name is missing.\n"
            "Next: check the request's path, headers and body in the plan."
        ),
    ),
    (
        405,
        b"",
        "405 Method Not Allowed.\nNext: check the request's method in the plan.",
    ),
    (
        500,
        b'["x"]',
        "500 Internal Server Error.\nNext: look into the server's log.",
    ),
    (599, b"", "599.\nNext: look into the server's log."),
]


@pytest.mark.parametrize(("status", "body", "said"), REFUSALS)
def test_a_request_that_the_server_refuses_ends_the_benchmark_with_its_words(
    status: int, body: bytes, said: str
) -> None:
    def answer(request: Request) -> tuple[int, tuple[str, ...], bytes]:
        return (status, (), body) if request.method == "POST" else fine(request)

    refused = {"path": "/a", "method": "POST"}
    with serving(answer) as server:
        expected = f"POST {server.url}a answered {said}"
        with pytest.raises(TargetError) as caught:
            ask_once(server, requests=[refused])
        later = run_on(server, requests=["/", refused])
    assert expected == str(caught.value) == later.stopped_by
    assert (later.ended, later.summary) == ("stopped", ())


@pytest.mark.parametrize("strategy", ["fresh", "session", "tuned"])
def test_a_redirect_to_another_host_ends_the_benchmark_before_that_host_is_sent_anything(
    monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with serving(fine) as other:
        place = other.url.rstrip("/")

        def answer(request: Request) -> tuple[int, tuple[str, ...], bytes]:
            away = (302, (f"Location: {place}/",), b"")
            return away if request.target == "/away" else fine(request)

        with serving(answer) as server:
            run = run_on(
                server,
                headers={"X-Api-Key": "env:MY_KEY"},
                requests=["/user", "/away"],
                strategies=[strategy],
            )
    assert f"redirects to another host, {place}," in str(run.stopped_by)
    assert other.requests == []


def test_a_redirect_on_the_same_server_is_followed() -> None:
    def answer(request: Request) -> tuple[int, tuple[str, ...], bytes]:
        return (302, ("Location: /new",), b"") if request.target == "/old" else fine(request)

    with serving(answer) as server:
        run = run_on(server, requests=["/old"], strategies=["session"])
    assert (run.ended, run.stopped_by) == ("rounds", None)


def test_a_post_that_is_redirected_goes_on_as_requests_sends_it() -> None:
    def answer(request: Request) -> tuple[int, tuple[str, ...], bytes]:
        return (303, ("Location: /done",), b"") if request.method == "POST" else fine(request)

    with serving(answer) as server:
        ask_once(server, requests=[{"path": "/form", "body": "a=b"}])
    assert [one.method + one.target for one in server.requests] == ["POST/form", "GET/done"]


# -- The tuned Session ---------------------------------------------------------------------------


def test_retry_and_pool_are_settings_of_the_tuned_session_alone() -> None:
    plan = with_values(
        Plan(),
        {"retry": {"total": 7, "status_forcelist": [503]}, "pool": {"max_idle": "never"}},
        source="It",
    )
    found = strategies_named(plan.strategies, retry=plan.retry, pool=plan.pool)
    session = found["tuned"].make_session()  # type: ignore[attr-defined]
    adapter = session.get_adapter("https://h")
    assert (adapter.max_retries.total, adapter.max_retries.status_forcelist) == (7, (503,))
    assert (adapter.max_idle, adapter.max_retries.respect_retry_after_header) == (None, False)
    assert found["tuned"].settings() == session.describe()
    assert found["session"] is strategies_named(["session"])["session"]
