"""What clients send, well-formed or not, over a real TLS socket."""

from __future__ import annotations

import contextlib
import socket
import struct
from urllib.parse import urlsplit

import pytest


@pytest.fixture
def client(shared, connect):
    return connect(shared, "keep-alive")


def address(lookalike):
    parts = urlsplit(lookalike.url("keep-alive"))
    return parts.hostname, parts.port


def test_tls_is_of_version_1_3(client):
    assert client.sock.version() == "TLSv1.3"


def test_requests_in_one_flight_are_answered_in_order(client):
    client.sock.sendall(b"GET /user HTTP/1.1\r\n\r\nGET /nowhere HTTP/1.1\r\nUser-Agent: x\r\n\r\n")
    assert [client.answer().status, client.answer().status] == [403, 404]


def test_a_request_may_come_byte_by_byte(client):
    for byte in b"GET /rate_limit HTTP/1.1\r\nUser-Agent: slow\r\n\r\n":
        client.sock.sendall(bytes([byte]))
    assert client.answer().status == 200


def test_a_head_request_is_answered_without_its_body(client):
    client.send(method="HEAD")
    assert int(client.answer(has_body=False).headers["content-length"]) > 1500
    assert client.looks_alive()
    assert client.ask().status == 200


def test_a_body_is_read_and_the_connection_kept(client):
    body = "x" * 300_000
    client.send(method="POST", extra=f"Content-Length: {len(body)}\r\n")
    client.sock.sendall(body.encode())
    assert client.answer().status == 404
    client.send(method="POST", extra="Transfer-Encoding: chunked\r\n")
    client.sock.sendall(b"3\r\nabc\r\n0\r\n\r\n")
    assert client.answer().status == 404
    assert client.ask().status == 200


def test_who_expects_100_continue_gets_it_before_the_body_is_sent(client):
    client.send(method="POST", extra="Content-Length: 3\r\nExpect: 100-continue\r\n")
    assert client.answer().status == 100
    client.sock.sendall(b"abc")
    assert client.answer().status == 404


def test_an_upgrade_is_ignored(client):
    extra = "Connection: Upgrade\r\nUpgrade: h2c\r\n"
    assert client.ask(extra=extra).status == 200
    assert client.ask().status == 200


@pytest.mark.parametrize(
    "nonsense",
    [
        b"hello\r\n\r\n",
        b"GET /user\r\n\r\n",
        b"\x00" * 100,
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n",
    ],
)
def test_malformed_http_is_answered_with_400_and_a_close(client, nonsense):
    client.sock.sendall(nonsense)
    answer = client.answer()
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert client.until_the_end() == (b"", "close_notify")


def test_endless_headers_are_answered_with_431_and_a_close(client):
    # beyond the limit by its last TLS record only: the server may close as soon as it is there
    client.sock.sendall(b"GET /user HTTP/1.1\r\n" + b"A: b\r\n" * 11_000)
    assert client.answer().status == 431


def test_a_client_that_says_goodbye_hears_it_too(client):
    client.ask()
    assert client.sock.unwrap() is not None


def test_a_client_that_half_closes_is_closed(client):
    client.ask()
    client.raw.shutdown(socket.SHUT_WR)
    assert client.until_the_end() == (b"", "FIN")


@pytest.mark.parametrize(
    "garbage", [b"GET /user HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff", b"\x00"]
)
def test_garbage_instead_of_tls_is_no_trouble(shared, connect, garbage):
    before = shared.accepted("keep-alive")
    with socket.create_connection(address(shared), timeout=10) as plain:
        plain.sendall(garbage)
        plain.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while plain.recv(1000):
                pass
    assert connect(shared, "keep-alive").ask().status == 200
    assert shared.accepted("keep-alive") == before + 2


@pytest.mark.parametrize("rtt_ms", [0, 5])
def test_clients_that_vanish_at_any_point_are_no_trouble(serve, connect, rtt_ms):
    lookalike = serve("keep-alive", "request-limit=1", rtt_ms=rtt_ms)
    linger = struct.pack("ii", 1, 0)
    for scenario in ["keep-alive", "request-limit=1"] * 10:
        client = connect(lookalike, scenario)
        client.send("/user/repos?per_page=100")
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.close()
        with socket.create_connection(address(lookalike)) as plain:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            plain.send(b"\x16\x03\x01")
    assert connect(lookalike, "keep-alive").ask().status == 200


def test_a_client_that_does_not_read_is_not_read_either_and_gets_everything_later(client):
    for _ in range(40):
        client.send("/user/repos?per_page=100")
    assert {client.answer().status for _ in range(40)} == {200}
