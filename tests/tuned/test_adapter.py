"""All else is as requests does it; connections are closed on time and probed while silent."""

from __future__ import annotations

import copy
import datetime
import gzip
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from tests.servers.peer import Peer, answers
from tests.servers.pki import Trusted
from tests.servers.scripted import PATIENCE_S, Server
from tests.servers.scripts import never_answers, tunnel
from tests.tuned.environment import environment

from keptalive import tuned_session
from keptalive.tuned import SafeRetry, TunedAdapter, TunedSession

Make = Callable[[], requests.Session]
BOTH = pytest.mark.parametrize("make", [requests.Session, tuned_session], ids=["plain", "tuned"])


@pytest.fixture(autouse=True)
def _no_environment() -> Iterator[None]:
    with environment():
        yield


# As requests does it: each of these holds for a plain Session too


@BOTH
def test_hooks_of_session_and_request_see_the_response(make: Make) -> None:
    seen: list[Any] = []
    with Server() as server, make() as session:
        session.hooks["response"].append(lambda response, **_: seen.append(response.status_code))
        session.get(server.url)
        session.get(server.url, hooks={"response": lambda response, **given: seen.append(given)})
    assert seen[0] == 200
    assert {"verify", "cert", "proxies", "stream", "timeout"} == set(seen[1])
    assert seen[1]["timeout"] is None


@BOTH
def test_a_hook_may_replace_the_response(make: Make) -> None:
    with Server(answers((401,), (200,))) as server, make() as session:

        def log_in(response: requests.Response, **given: Any) -> requests.Response | None:
            if response.status_code != 401:
                return None
            assert response.content == b"ok"
            again = response.request.copy()
            again.headers["Authorization"] = "token"
            return response.connection.send(again, **given)

        assert session.get(server.url, hooks={"response": log_in}).status_code == 200
        sent = [request.headers.get("authorization") for request in server.requests]
        assert sent == [None, "token"]
        assert server.accepted == 1


@BOTH
def test_cookies_persist_from_answers_and_from_redirects(make: Make) -> None:
    script = answers(
        (302, "Location: /there", "Set-Cookie: early=1"), (200, "Set-Cookie: late=2"), (200,)
    )
    with Server(script) as server, make() as session:
        session.get(server.url)
        session.get(server.url, cookies={"own": "3"})
        session.get(server.url)
        sent = [request.headers.get("cookie", "") for request in server.requests]
        assert sent == ["", "early=1", "early=1; late=2; own=3", "early=1; late=2"]
        assert session.cookies.get_dict() == {"early": "1", "late": "2"}


@BOTH
def test_redirects_are_followed_with_their_history(make: Make) -> None:
    script = answers((301, "Location: /b"), (303, "Location: /c"), (307, "Location: /d"), (200,))
    with Server(script) as server, make() as session:
        response = session.post(server.url + "a", b"body")
        assert [past.status_code for past in response.history] == [301, 303, 307]
        assert server.targets == ["/a", "/b", "/c", "/d"]
        sent = [request.method for request in server.requests]
        assert sent == ["POST", "GET", "GET", "GET"]
        assert server.accepted == 1


@BOTH
def test_a_redirect_may_be_left_to_the_caller(make: Make) -> None:
    with Server(answers((307, "Location: /b"), (200,))) as server, make() as session:
        response = session.post(server.url + "a", b"body", allow_redirects=False)
        assert (307, server.url + "b") == (response.status_code, response.next.url)
        assert session.send(response.next).status_code == 200
        assert server.bodies == [b"body", b"body"]


@BOTH
def test_endless_redirects_come_to_an_end(make: Make) -> None:
    with Server(answers((302, "Location: /"))) as server, make() as session:
        session.max_redirects = 3
        with pytest.raises(requests.TooManyRedirects):
            session.get(server.url)
        assert len(server.requests) == 4


@BOTH
def test_a_redirect_to_another_host_does_not_take_the_login_along(make: Make) -> None:
    with Server() as other, Server(answers((302, f"Location: {other.url}"))) as server:
        with make() as session:
            session.get(server.url, auth=("me", "mine"), headers={"X-Own": "1"})
        assert "authorization" in server.requests[0].headers
        assert "authorization" not in other.requests[0].headers
        assert other.requests[0].headers["x-own"] == "1"


@BOTH
def test_a_redirect_to_the_same_host_does(make: Make) -> None:
    with Server(answers((302, "Location: /there"), (200,))) as server, make() as session:
        session.get(server.url, auth=("me", "mine"))
        assert all("authorization" in request.headers for request in server.requests)


@BOTH
def test_a_redirect_from_http_to_https_is_followed(make: Make, trusted: Trusted) -> None:
    with Server(tls=trusted.server) as secure:
        with Server(answers((302, f"Location: {secure.url}"))) as server, make() as session:
            response = session.get(server.url, verify=trusted.bundle)
            assert (secure.url, 200) == (response.url, response.status_code)


@BOTH
def test_a_body_is_streamed_while_it_comes(make: Make) -> None:
    read = threading.Event()

    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(b"HTTP/1.1 200 -\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n")
            assert read.wait(PATIENCE_S)
            peer.send(b"5\r\ntwo\nx\r\n0\r\n\r\n")

    with Server(script) as server, make() as session:
        with session.get(server.url, stream=True) as response:
            assert response.elapsed > datetime.timedelta(0)
            chunks = response.iter_content(4)
            assert next(chunks) == b"one\n"
            read.set()
            assert b"".join(chunks) == b"two\nx"
        with session.get(server.url, stream=True) as response:
            assert list(response.iter_lines()) == [b"one", b"two", b"x"]
        assert server.accepted == 1


@BOTH
def test_a_response_left_unread_is_closed_with_its_block(make: Make) -> None:
    ended = threading.Event()

    def script(peer: Peer) -> None:
        assert peer.request()
        peer.send(b"HTTP/1.1 200 -\r\nContent-Length: 100\r\n\r\nsome")
        assert peer.client_closes()
        ended.set()

    with Server(script, answers()) as server, make() as session:
        with session.get(server.url, stream=True) as response:
            assert next(response.iter_content(4)) == b"some"
        assert ended.wait(PATIENCE_S)
        assert session.get(server.url).text == "ok"
        assert server.accepted == 2


@BOTH
def test_a_compressed_body_is_decompressed(make: Make) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.respond(200, "Content-Encoding: gzip", body=gzip.compress(b"content"))

    with Server(script) as server, make() as session:
        assert session.get(server.url).content == b"content"


@BOTH
def test_a_prepared_request_is_sent_as_it_is(make: Make) -> None:
    with Server() as server, make() as session:
        session.headers["X-Session"] = "1"
        bare = requests.Request("GET", server.url).prepare()
        assert session.send(bare).text == "ok"
        assert session.send(session.prepare_request(requests.Request("GET", server.url))).ok
        assert ["x-session" in request.headers for request in server.requests] == [False, True]
        with pytest.raises(ValueError, match="PreparedRequests"):
            session.send(requests.Request("GET", server.url))


@BOTH
def test_an_adapter_of_ones_own_serves_its_prefix_alone(make: Make) -> None:
    class Own(HTTPAdapter):
        def add_headers(self, request: requests.PreparedRequest, **_: Any) -> None:
            request.headers["X-Own"] = "1"

    with Server() as one, Server() as other, make() as session:
        own = Own()
        session.mount(one.url, own)
        session.get(one.url)
        session.get(other.url)
        assert session.get_adapter(one.url + "a") is own
        assert type(session.get_adapter(other.url)) is type(make().get_adapter("http://"))
        assert [server.requests[0].headers.get("x-own") for server in (one, other)] == ["1", None]


@BOTH
def test_a_session_is_used_after_close(make: Make) -> None:
    with Server() as server:
        session = make()
        for _ in range(2):
            with session:
                assert session.get(server.url).text == "ok"
                assert session.get(server.url).text == "ok"
        assert server.accepted == 2


@BOTH
def test_bytes_are_a_url_too(make: Make) -> None:
    with Server() as server, make() as session:
        assert session.get(server.url.encode()).text == "ok"


@BOTH
@pytest.mark.parametrize("path", ["//double//slash", "a/../b/./c", "%7Ea%2fb", "a b?c=d e#f", "?q"])
def test_a_path_is_asked_for_as_requests_asks(make: Make, path: str) -> None:
    with Server() as server, requests.Session() as plain, make() as session:
        plain.get(server.url + path)
        session.get(server.url + path)
        expected, found = server.targets
        assert expected == found


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("http://", {}),
    ("http:///path", {}),
    ("http://[::1", {}),
    ("http://host.test:99999/", {}),
    ("http://*.test/", {}),
    ("host.test/path", {}),
    ("ftp://host.test/", {}),
    ("own://host.test/", {}),
    ("own:nothing", {}),
    ("http://host.test/", {"proxies": {"http": "http:///"}}),
    ("http://host.test/", {"proxies": {"http": "http://"}}),
    ("http://host.test/", {"timeout": (1, 2, 3)}),
    ("http://host.test/", {"timeout": "soon"}),
    ("http://host.test/", {"headers": {"X": "a\nb"}}),
    ("https://host.test/", {"verify": "/is/not/there.pem"}),
    ("https://host.test/", {"cert": "/is/not/there.pem"}),
]


@pytest.mark.parametrize(("url", "given"), REFUSED, ids=str)
def test_what_cannot_be_is_refused_as_by_requests(url: str, given: dict[str, Any]) -> None:
    def refusal(session: requests.Session, adapter: HTTPAdapter) -> type[BaseException]:
        session.mount("own:", adapter)
        with session, pytest.raises((requests.RequestException, OSError, ValueError)) as caught:
            session.get(url, **given)
        return caught.type

    expected = refusal(requests.Session(), HTTPAdapter())
    assert expected is refusal(tuned_session(), TunedAdapter())


# Copies


def kept(session: requests.Session) -> dict[str, Any]:
    return {name: getattr(session, name) for name in ("headers", "auth", "params", "verify")}


@pytest.mark.parametrize(
    "again",
    [lambda session: pickle.loads(pickle.dumps(session)), copy.deepcopy, copy.copy],
    ids=["pickle", "deepcopy", "copy"],
)
def test_a_copy_of_a_session_has_its_policy_and_its_settings(
    again: Callable[[TunedSession], TunedSession],
) -> None:
    policy = SafeRetry(7, allowed_methods=["GET"])
    with Server() as server:
        with tuned_session(
            threads=3, hosts=11, max_idle=4, timeout=(1, 2), max_retries=policy
        ) as session:
            session.headers["X-Session"] = "1"
            session.auth = ("me", "mine")
            session.cookies.set("a", "b")
            session.get(server.url)
            twin = again(session)
            assert session.describe() == twin.describe()
            assert kept(session) == kept(twin)
        with twin:
            assert twin.get(server.url).text == "ok"
        assert server.requests[0].headers == server.requests[1].headers
        assert server.accepted == 2


def test_an_unpickled_adapter_works_over_tls(trusted: Trusted) -> None:
    adapter = TunedAdapter(max_idle=None, timeout=None)
    with Server(tls=trusted.server) as server:
        with TunedSession(adapter) as session:
            session.get(server.url, verify=trusted.bundle)
        with TunedSession(pickle.loads(pickle.dumps(adapter))) as again:
            assert again.get(server.url, verify=trusted.bundle).text == "ok"
            assert session.describe() == again.describe()


def test_an_unpickled_session_keeps_its_limits() -> None:
    with Server() as server, tuned_session(threads=1, timeout=(0.02, 0.01)) as session:
        with pickle.loads(pickle.dumps(session)) as again:
            unread = again.get(server.url, stream=True, timeout=PATIENCE_S)
            with pytest.raises(requests.ConnectionError, match=r"stayed in use for 0\.02 s"):
                again.get(server.url)
            unread.close()


# Timeouts


def test_the_sessions_timeout_holds_where_a_request_names_none() -> None:
    with Server(never_answers) as server, tuned_session(timeout=(1, 0.05)) as session:
        with pytest.raises(requests.ReadTimeout, match=r"read timeout=0\.05"):
            session.get(server.url)
        server.wait_for_scripts(1)  # it may be later than the client is patient
        assert len(server.requests) == 1


def test_a_requests_timeout_wins() -> None:
    with Server(never_answers) as server, tuned_session(timeout=PATIENCE_S) as session:
        with pytest.raises(requests.ReadTimeout, match=r"read timeout=0\.03"):
            session.get(server.url, timeout=0.03)


def read_timeout(response: requests.Response) -> float | None:
    """As it is set on the socket, while the response is open."""
    return response.raw._connection.sock.gettimeout()


@pytest.mark.parametrize(
    ("of_session", "of_request", "expected"),
    [
        ({}, None, 30),
        ({"timeout": (3, 4)}, None, 4),
        ({"timeout": 5}, None, 5),
        ({"timeout": None}, None, None),
        ({"timeout": (3, None)}, None, None),
        ({"timeout": 0.001}, 6, 6),
        ({"timeout": 0.001}, (6, 7), 7),
        ({"timeout": 0.001}, (None, None), None),
    ],
)
def test_the_timeout_that_holds(
    of_session: dict[str, Any], of_request: Any, expected: float | None
) -> None:
    with Server() as server, tuned_session(**of_session) as session:
        with session.get(server.url, timeout=of_request, stream=True) as response:
            assert expected == read_timeout(response)


# Sockets


def options(sock: socket.socket) -> dict[str, int]:
    names = ["TCP_NODELAY", "TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL", "TCP_KEEPCNT"]
    found = {
        name: sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
        for name in names
        if hasattr(socket, name)
    }
    found["SO_KEEPALIVE"] = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    return {
        name: int(bool(value)) if "KEEPALIVE" in name else value for name, value in found.items()
    }


EXPECTED = {
    "SO_KEEPALIVE": 1,
    **{
        name: value
        for name, value in (("TCP_KEEPIDLE", 45), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
        if hasattr(socket, name)
    },
}


def test_connections_are_probed_while_silent(trusted: Trusted) -> None:
    with Server() as http, Server(tls=trusted.server) as https, tuned_session() as session:
        for server in (http, https):
            with session.get(server.url, verify=trusted.bundle, stream=True) as response:
                found = options(response.raw._connection.sock)
                assert {**found} == {**EXPECTED, "TCP_NODELAY": 1}


def test_connections_to_proxies_are_probed_too_and_hold_back_no_small_packets(
    trusted: Trusted,
) -> None:
    through = tunnel(trusted.server, answers())
    with Server() as forwarding, Server(through) as tunnelling, tuned_session() as session:
        session.proxies = {"http": forwarding.url, "https": tunnelling.url}
        for url in ("http://target.test/", "https://target.test/"):
            with session.get(url, verify=trusted.bundle, stream=True) as response:
                found = options(response.raw._connection.sock)
                assert {**found} == {**EXPECTED, "TCP_NODELAY": 1}


def test_a_plain_session_probes_nothing() -> None:
    with Server() as server, requests.Session() as session:
        with session.get(server.url, stream=True) as response:
            assert options(response.raw._connection.sock)["SO_KEEPALIVE"] == 0


# Closing


class Watching:
    """A script that says when the client closed."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def __call__(self, peer: Peer) -> None:
        while peer.request():
            peer.respond()
        self.ended.set()


def test_close_closes_idle_connections_even_while_their_responses_are_kept(
    trusted: Trusted,
) -> None:
    direct, secure, forwarded, tunnelled = watching = [Watching() for _ in range(4)]
    with (
        Server(direct) as server,
        Server(secure, tls=trusted.server) as tls_server,
        Server(forwarded) as proxy,
        Server(tunnel(trusted.server, tunnelled)) as tunnelling,
    ):
        session = tuned_session()
        session.verify = trusted.bundle
        through = {"http": proxy.url, "https": tunnelling.url}
        responses = [
            session.get(server.url),
            session.get(tls_server.url),
            session.get("http://target.test/", proxies=through),
            session.get("https://target.test/", proxies=through),
        ]
        assert not any(script.ended.is_set() for script in watching)
        session.close()
        assert all(script.ended.wait(PATIENCE_S) for script in watching)
        assert [response.text for response in responses] == ["ok"] * 4


def test_a_plain_session_leaves_them_open() -> None:
    with Server() as server:
        session = requests.Session()
        response = session.get(server.url)
        (key,) = session.get_adapter(server.url).poolmanager.pools.keys()
        pool = session.get_adapter(server.url).poolmanager.pools[key]
        connection = pool.pool.queue[-1]
        session.close()
        assert connection.sock is not None
        connection.close()
        del response


def test_a_connection_in_use_is_closed_when_it_comes_back() -> None:
    script = Watching()
    with Server(script) as server:
        session = tuned_session()
        response = session.get(server.url, stream=True)
        session.close()
        assert not script.ended.is_set()
        assert response.text == "ok"
        assert script.ended.wait(PATIENCE_S)


def test_close_may_be_called_twice_and_before_any_use() -> None:
    session = tuned_session()
    session.close()
    session.close()


def test_closing_one_session_leaves_others_alone() -> None:
    with Server() as server, tuned_session() as one, tuned_session() as other:
        one.get(server.url)
        other.get(server.url)
        one.close()
        other.get(server.url)
        assert server.accepted == 2


def test_a_subclass_says_for_each_request_what_keeps_pools_apart() -> None:
    class ByTenant(TunedAdapter):
        def build_connection_pool_key_attributes(self, request, verify, cert=None):
            host, settings = super().build_connection_pool_key_attributes(request, verify, cert)
            return host, settings | {"server_hostname": request.headers["Tenant"]}

    adapter = ByTenant()
    pools = [
        adapter.get_connection_with_tls_context(
            requests.Request("GET", "https://h.test/", {"Tenant": tenant}).prepare(), verify=True
        )
        for tenant in ("a", "b", "a")
    ]
    assert pools[0] is pools[2]
    assert [pool.conn_kw["server_hostname"] for pool in pools[:2]] == ["a", "b"]


def test_a_setting_of_the_pool_manager_holds_from_then_on() -> None:
    adapter = TunedAdapter()
    request = requests.Request("GET", "https://h.test/").prepare()
    first = adapter.get_connection_with_tls_context(request, verify=True)
    adapter.poolmanager.connection_pool_kw["assert_hostname"] = "other.test"
    second = adapter.get_connection_with_tls_context(request, verify=True)
    assert [first.assert_hostname, second.assert_hostname] == [None, "other.test"]


def test_a_bundle_that_is_none_is_an_error_of_requests(tmp_path: Path) -> None:
    bundle = tmp_path / "none.pem"
    bundle.write_text("nothing")
    with tuned_session() as session:
        with pytest.raises(requests.exceptions.SSLError):
            session.get("https://127.0.0.1:9/", verify=str(bundle))
