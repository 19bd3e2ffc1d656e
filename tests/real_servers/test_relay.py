"""The witness between client and server: what it takes for an idle close; what it passes on."""

from __future__ import annotations

import socket
import struct

import pytest
from tests.real_servers.relay import Passed, relayed

ASKED, ANSWER = [10.0], (10.002, b"HTTP/1.1 200 OK\r\n\r\n")
CLOSE_NOTIFY = b"\x17\x03\x03\x00\x13"


@pytest.mark.parametrize(
    ("said", "end", "idle_s", "how"),
    [
        ([], (12.002, "FIN"), 2.0, "FIN"),
        ([], (12.002, "RST"), 2.0, "RST"),
        ([(12.002, CLOSE_NOTIFY)], (12.003, "FIN"), 2.0, "TLS close and FIN"),
        ([(12.002, CLOSE_NOTIFY)], (14.0, "FIN"), 2.0, "TLS close"),
        ([(12.002, CLOSE_NOTIFY)], None, 2.0, "TLS close"),
        ([(12.002, b"HTTP/1.1 408 Request Time-out")], (12.003, "FIN"), 2.0, "408"),
        ([], (10.003, "FIN"), None, None),  # right after the response: it was not idle
        ([], None, None, None),
    ],
)
def test_the_first_sign_after_a_long_silence_is_the_close(said, end, idle_s, how) -> None:
    passed = Passed(from_client=ASKED, from_server=[ANSWER, *said], end=end)
    assert passed.idle_s == (None if idle_s is None else pytest.approx(idle_s))
    assert passed.closed_with == how


def test_what_follows_the_client_s_own_end_is_no_close_of_the_server() -> None:
    passed = Passed(
        from_client=ASKED, from_server=[ANSWER], end=(12.003, "FIN"), client_left=12.002
    )
    assert (passed.idle_s, passed.closed_with) == (None, None)


@pytest.fixture
def ends():
    """A client and a server with the relay between them, and its record."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with relayed(listener.getsockname()[1]) as relay:
            with socket.create_connection(("127.0.0.1", relay.port), 10) as client:
                server, _ = listener.accept()
                server.settimeout(10)
                with server:
                    yield client, server, relay


def test_bytes_and_the_end_of_each_side_pass(ends) -> None:
    client, server, relay = ends
    client.sendall(b"ping")
    assert server.recv(9) == b"ping"
    server.sendall(b"pong")
    assert client.recv(9) == b"pong"
    client.shutdown(socket.SHUT_WR)
    assert server.recv(9) == b""
    server.close()
    assert client.recv(9) == b""
    assert [data for _, data in relay.passed[0].from_server] == [b"pong"]
    assert relay.passed[0].end[1] == "FIN"


def test_a_reset_of_the_server_passes_as_a_reset(ends) -> None:
    client, server, relay = ends
    client.sendall(b"ping")
    assert server.recv(9) == b"ping"
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    with pytest.raises(ConnectionResetError):
        client.recv(9)
    assert relay.passed[0].end[1] == "RST"
