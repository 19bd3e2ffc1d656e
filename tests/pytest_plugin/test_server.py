"""The fixture `keepalive_server`, and the server beneath it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
import requests

from keptalive import watch
from keptalive.pytest_plugin.server import KeepaliveServer, Request, Response


@pytest.fixture
def server() -> Iterator[KeepaliveServer]:
    with KeepaliveServer() as server:
        yield server


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def test_it_keeps_a_connection_over_every_kind_of_response(server, session):
    server.expect_request("/json").respond_with_json({"price": 3}, 201, {"X-Shop": "1"})
    server.expect_request("/text").respond_with_data("tea ☕")
    server.expect_request("/bytes").respond_with_data(b"\0")
    server.expect_request("/none").respond_with_data(status=204)
    with watch() as seen:
        made = session.get(server.url_for("/json"))
        assert (made.status_code, made.json(), made.headers["X-Shop"]) == (201, {"price": 3}, "1")
        assert session.get(server.url_for("text")).text == "tea ☕"
        assert session.get(server.url + "/bytes").content == b"\0"
        assert session.get(server.url + "/none").content == b""
        assert session.head(server.url + "/text").headers["Content-Length"] == "7"
        assert session.get(server.url + "/missing").status_code == 500
        assert (server.accepted, seen.opened, seen.reused) == (1, 1, 5)


def test_it_has_the_requests_that_arrived(server, session):
    server.expect_request("/orders").respond_with_data()
    session.post(f"{server.url}/orders?page=2&page=3", json={"tea": 1}, headers={"X-Key": "k"})
    session.put(server.url_for("/orders"), data=iter([b"mi", b"lk"]))  # chunked
    session.get(server.url_for("/orders"))
    posted, put, got = server.requests
    assert (posted.method, posted.path, posted.query) == ("POST", "/orders", {"page": ["2", "3"]})
    assert (posted.json(), posted.headers["x-key"]) == ({"tea": 1}, "k")
    assert (put.method, put.body, got.body) == ("PUT", b"milk", b"")
    assert server.accepted == 1


@pytest.mark.parametrize(
    ("returned", "kind", "content"),
    [
        ({"a": 1}, "application/json", b'{"a": 1}'),
        ("text", "text/plain; charset=utf-8", b"text"),
        (b"bytes", "application/octet-stream", b"bytes"),
        (Response("<p>", headers={"content-type": "text/html"}), "text/html", b"<p>"),
        (Response(["a"], 202), "application/json", b'["a"]'),
    ],
)
def test_a_handler_returns_a_body_or_a_response(server, session, returned, kind, content):
    server.expect_request("/").respond_with_handler(lambda request: returned)
    response = session.get(server.url)
    assert (response.headers["Content-Type"], response.content) == (kind, content)
    assert response.status_code == getattr(returned, "status", 200)


def test_a_header_of_the_test_replaces_the_one_that_would_be_added(server, session):
    problem = {"content-type": "application/problem+json", "x-id": "7"}
    server.expect_request("/").respond_with_json({}, 404, problem)
    sent = Response(b"two", headers={"content-length": "3"})
    server.expect_request("/own").respond_with_handler(lambda request: sent)
    headers = session.get(server.url).headers
    assert (headers["Content-Type"], headers["X-Id"]) == ("application/problem+json", "7")
    assert session.get(server.url_for("/own")).headers["Content-Length"] == "3"


def test_what_was_expected_last_answers_if_path_and_method_match(server, session):
    server.expect_request(re.compile("/prices/[a-z]+")).respond_with_data("any")
    server.expect_request("/prices/tea").respond_with_data("tea")
    server.expect_request("/prices/tea", method="DELETE").respond_with_data("gone")
    server.expect_request("/prices/tea")  # nothing is set yet
    url = server.url_for("/prices/")
    assert [session.get(url + name).text for name in ("tea", "milk", "tea/1")] == ["tea", "any", ""]
    assert session.delete(f"{url}tea").text == "gone"


def test_a_request_that_nobody_expects_is_told_so_in_the_reason(server, session):
    response = session.get(server.url_for("/missing"))
    assert (response.status_code, response.reason) == (500, "No response is set for this request")


def test_what_a_handler_raises_comes_out_once_in_the_test(server, session):
    def handler(request: Request) -> None:
        pytest.fail(f"not {request.path}")

    server.expect_request("/a").respond_with_handler(handler)
    server.expect_request("/b").respond_with_handler(lambda request: {1, 2})  # no JSON
    assert session.get(server.url_for("/a")).reason == "The handler raised Failed"
    with pytest.raises(pytest.fail.Exception, match="not /a"):
        server.check()
    assert session.get(server.url_for("/b")).reason == "The handler raised TypeError"
    with pytest.raises(TypeError):
        server.check()
    server.check()


def test_a_response_may_close_its_connection(server, session):
    closing = Response("last", headers={"Connection": "close"})
    server.expect_request("/").respond_with_handler(lambda request: closing)
    with watch() as seen:
        session.get(server.url)
        session.get(server.url)
    causes = [cause.cause for cause in seen.result().hosts[0].causes]
    assert (server.accepted, causes) == (2, ["close-announced", "first-use"])


def test_dropped_connections_are_closed_when_the_call_returns(server, session):
    server.expect_request("/").respond_with_data("ok")
    with watch() as seen:
        for _ in range(3):
            assert session.get(server.url).text == "ok"
            server.drop_connections()
        assert (server.accepted, seen.opened, seen.result().hosts[0].reopened) == (3, 3, 2)


def test_a_client_that_waits_for_100_continue_gets_it(server):
    server.expect_request("/").respond_with_handler(lambda request: request.body)
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), 5) as sock:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        sock.sendall(head)
        assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"ok")
        with sock.makefile("rb") as file:
            assert file.readline() == b"HTTP/1.1 200 OK\r\n"


def test_clients_that_go_away_or_speak_no_http_are_no_failure(server, session, capfd):
    server.expect_request("/").respond_with_data("ok")
    for sent in (b"", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\x16\x03\x01\0\r\n"):
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), 5) as sock:
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                while sock.recv(4096):
                    pass
    assert session.get(server.url).text == "ok"
    assert capfd.readouterr() == ("", "")


def test_a_server_may_be_closed_twice_or_without_a_start():
    KeepaliveServer().close()
    with KeepaliveServer() as server:
        server.close()


def test_a_closed_server_has_ended_its_connections(session):
    with KeepaliveServer() as server:
        server.expect_request("/").respond_with_data("ok")
        session.get(server.url)
    with pytest.raises(requests.ConnectionError):
        session.get(server.url)


# -- The fixtures --------------------------------------------------------------------------------


def test_a_test_gets_a_server_that_has_forgotten_what_others_expected(project):
    result = project.run(
        """
        @pytest.fixture(scope="session")
        def api(shared_keepalive_server):
            shared_keepalive_server.expect_request("/all").respond_with_data("for all")
            with requests.Session() as session:
                session.base = shared_keepalive_server.url
                session.get(session.base + "/all")
                yield session

        @pytest.mark.connections(at_most=0)
        def test_one(api, keepalive_server):
            keepalive_server.expect_request("/one").respond_with_json(1)
            keepalive_server.expect_request("/all").respond_with_data("for one")
            assert api.get(api.base + "/one").json() == 1
            assert api.get(api.base + "/all").text == "for one"
            assert [one.path for one in keepalive_server.requests] == ["/one", "/all"]
            assert keepalive_server.accepted == 0

        @pytest.mark.connections(at_most=0)
        def test_two(api, keepalive_server):
            assert api.get(api.base + "/one").status_code == 500
            assert api.get(api.base + "/all").text == "for all"
            assert keepalive_server.url == api.base
            assert len(keepalive_server.requests) == 2
        """,
        "-W",
        "error",
    )
    result.assert_outcomes(passed=2)


def test_what_a_handler_raises_fails_the_test_at_its_end(project):
    result = project.run(
        """
        def test_it(keepalive_server):
            def handler(request):
                assert request.headers["X-Key"] == "k"
            keepalive_server.expect_request("/").respond_with_handler(handler)
            assert requests.get(keepalive_server.url).status_code == 500
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E * assert None == 'k'"])
