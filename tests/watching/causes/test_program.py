"""What the program did is a cause: new Sessions, closed ones, other settings, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.pairs import pairwise
from tests.servers.peer import answers
from tests.servers.scripted import PATIENCE_S, Server
from tests.servers.scripts import together, tunnel
from tests.versions import REQUESTS

from keptalive import tuned_session

from .clients import (
    CLIENTS,
    SCHEMES,
    causes,
    pools_get,
    session_gets,
)


def test_bare_requests_get_opens_a_new_session_each_time(serve_both, watched, trusted):
    server = serve_both(answers())
    for _ in range(3):
        requests.get(server.url, verify=trusted.bundle, timeout=PATIENCE_S)
    assert causes(watched) == {"first-use": 1, "new-session": 2}
    assert watched.opened == server.accepted


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_new_client_for_each_request_is_the_cause_new_session(kind, serve_both, watched, trusted):
    server = serve_both(answers())
    for _ in range(3):
        made, gets = CLIENTS[kind](trusted.bundle)
        with made:
            gets(made, trusted.bundle)(server.url)
    assert causes(watched) == {"first-use": 1, "new-session": 2}
    assert watched.opened == server.accepted


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_client_that_was_closed_and_is_used_again_is_the_cause_session_closed(
    kind, serve_both, watched, trusted
):
    server = serve_both(answers())
    made, gets = CLIENTS[kind](trusted.bundle)
    get = gets(made, trusted.bundle)
    for _ in range(3):
        get(server.url)
        made.__exit__(None, None, None)
    assert causes(watched) == {"first-use": 1, "session-closed": 2}
    assert watched.opened == server.accepted


@pytest.mark.parametrize("kind", ["Session", "PoolManager"])
def test_more_hosts_than_pools_evict_each_other(kind, serve_both, watched, trusted):
    servers = [serve_both(answers()) for _ in range(3)]
    if kind == "Session":
        made: Any = requests.Session()
        for prefix in ("http://", "https://"):
            made.mount(prefix, HTTPAdapter(pool_connections=2))
        get = session_gets(made, trusted.bundle)
    else:
        made = urllib3.PoolManager(num_pools=2, ca_certs=trusted.bundle)
        get = pools_get(made, "")
    with made:
        for server in servers * 3:
            get(server.url)
    assert causes(watched) == {"first-use": 3, "pool-evicted": 6}
    assert watched.opened == sum(server.accepted for server in servers) == 9


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("make", [requests.Session, tuned_session])
def test_other_tls_settings_are_a_cause(make, watched, trusted, opened):
    if make is requests.Session and REQUESTS < (2, 32):
        pytest.skip("before, requests used one pool for all settings")
    server = opened.enter_context(Server(tls=trusted.server))
    with make() as made:
        get = session_gets(made, trusted.bundle)
        for verify in (trusted.bundle, False, trusted.bundle, False):
            get(server.url, verify=verify)
    assert causes(watched) == {"first-use": 1, "tls-settings-differ": 1}
    assert (watched.opened, watched.reused) == (server.accepted, 2)


@pytest.mark.parametrize("make", [requests.Session, tuned_session])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_another_proxy_is_another_route_and_another_login_is_another_pool(
    make, scheme, watched, trusted, serve
):
    script = tunnel(trusted.server, answers()) if scheme == "https" else answers()
    proxies = [serve(script) for _ in range(2)]
    url = f"{scheme}://localhost:1/"
    with make() as made:
        get = session_gets(made, trusted.bundle)
        for proxy in [proxies[0], proxies[0], proxies[1], proxies[0]]:
            get(url, proxies={scheme: proxy.url})
        # One login more is one proxy more, and its password is no-one's business
        get(url, proxies={scheme: proxies[1].url.replace("//", "//me:secret@")})
    assert causes(watched) == {"first-use": 2, "proxy-differs": 1}
    urls = {proxy.url.rstrip("/") for proxy in proxies}
    hosts = watched.report()["hosts"]
    if scheme == "https":
        assert {host["host"] for host in hosts} == {url.rstrip("/")}
        assert {host["via"] for host in hosts} == urls
    else:
        origins = {host["host"]: host["origins"] for host in hosts}
        assert origins == {proxy: [url.rstrip("/")] for proxy in urls}
    assert "secret" not in repr(watched.record())
    assert sum(proxy.accepted for proxy in proxies) == 3


@pytest.mark.parametrize(
    ("kind", "serve_both", "kept"),
    pairwise(["Session", "PoolManager"], SCHEMES, [8, 2]),
    indirect=["serve_both"],
)
def test_threads_that_ask_at_once_have_concurrency_or_a_small_pool_for_a_cause(
    kind, serve_both, kept, watched, trusted, opened
):
    cause = "concurrency" if kept == 8 else "pool-too-small"
    server = serve_both(together(8))
    if kind == "Session":
        made: Any = opened.enter_context(requests.Session())
        for prefix in ("http://", "https://"):
            made.mount(prefix, HTTPAdapter(pool_maxsize=kept))
        get = session_gets(made, trusted.bundle)
    else:
        made = opened.enter_context(urllib3.PoolManager(maxsize=kept, ca_certs=trusted.bundle))
        get = pools_get(made, "")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(get, [server.url] * 8))
        first = causes(watched)
        list(threads.map(get, [server.url] * 8))
    found = causes(watched)
    assert first["first-use"] == found["first-use"] == 1
    assert watched.opened == server.accepted == (8 if kept == 8 else 14)
    if kept == 8:
        assert found == {"first-use": 1, cause: 7}
    else:  # six found no room in the pool, and are opened again
        assert first == {"first-use": 1, "concurrency": 7}
        assert found == {**first, "pool-too-small": 6}
