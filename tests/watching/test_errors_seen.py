"""What is read from an error and from a socket before urllib3 closes it."""

from __future__ import annotations

import http.client
import socket
import struct
import sys

import pytest
from urllib3.exceptions import (
    IncompleteRead,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from keptalive.watching.acknowledged import acknowledged, acknowledged_by
from keptalive.watching.errors_beneath import beneath

DISCONNECTED = http.client.RemoteDisconnected("gone")
POOL = object()


def timeout(of: BaseException) -> BaseException:
    """As urllib3 1.26 raises it: in the handler of another error."""
    error = ReadTimeoutError(POOL, "/", "timed out")  # type: ignore[arg-type]
    error.__context__ = of
    return error


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (DISCONNECTED, "RemoteDisconnected"),
        (ConnectionResetError(104, "reset"), "ConnectionResetError"),
        (ProtocolError("Connection aborted.", DISCONNECTED), "RemoteDisconnected"),
        (
            ProxyError("no proxy", ProtocolError("aborted", BrokenPipeError(32, "pipe"))),
            "BrokenPipeError",
        ),
        (SSLError(OSError(113, "no route")), "EHOSTUNREACH"),
        (timeout(TimeoutError("timed out")), "TimeoutError"),
        (timeout(TimeoutError(110, "timed out")), "ETIMEDOUT"),
        (timeout(ValueError("the program's own")), "ReadTimeoutError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the numbers of errors are Linux's")
def test_the_name_of_the_error_beneath(error, name):
    assert beneath(error) == name


def test_a_body_that_broke_off_is_not_what_the_program_was_handling_just_then():
    error = IncompleteRead(3, 9)
    error.__context__ = OSError(5, "the program's own")
    assert beneath(error) == "IncompleteRead"


class TheirError(Exception):
    """An error of somebody's own, who looks who asks."""

    @property
    def args(self) -> tuple[object, ...]:  # type: ignore[override]
        raise AssertionError("looked into")


def test_an_error_of_somebody_elses_is_not_looked_into():
    assert beneath(TheirError()) == "TheirError"


def info(**values: int) -> bytes:
    """A ``struct tcp_info``, all else 0."""
    places = {"state": (0, "B"), "retransmits": (2, "B"), "rto": (8, "I"), "unacked": (24, "I")}
    places["last_ack_recv"] = (56, "I")
    made = bytearray(256)
    for name, value in {"state": 1, "rto": 200_000, **values}.items():
        at, kind = places[name]
        struct.pack_into(f"={kind}", made, at, value)
    return bytes(made)


@pytest.mark.parametrize(
    ("seen", "since_s", "expected"),
    [
        (info(), 5.0, True),
        (info(unacked=1, last_ack_recv=60_000), 0.1, None),
        (info(unacked=1, last_ack_recv=60_000), 0.4, False),
        (info(unacked=1, last_ack_recv=60_000, retransmits=1), 0.1, False),
        (info(unacked=9, last_ack_recv=200, retransmits=1), 5.0, True),
        (info(unacked=1, last_ack_recv=5_000, retransmits=4), 5.0, False),
        (info(state=7, unacked=1, last_ack_recv=60_000), 5.0, None),
        (info()[:40], 5.0, None),
        (info(state=7, retransmits=3, last_ack_recv=6_000), 5.0, False),
        (info(state=7, retransmits=3, last_ack_recv=200), 5.0, None),
    ],
    ids=[
        *("all", "too early", "overdue", "sent again", "a part", "at once", "closed", "short"),
        *("given up", "closed by a part"),
    ],
)
def test_what_linux_knows_of_acknowledgements(seen, since_s, expected):
    assert acknowledged_by(seen, since_s) is expected


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO")
def test_a_socket_whose_peer_does_not_read_has_been_acknowledged_all_the_same():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        with client, listener.accept()[0] as server:
            client.sendall(b"request")
            assert server.recv(1, socket.MSG_PEEK)
            server.sendall(b"something")  # takes the acknowledgement along
            assert client.recv(1)
            assert acknowledged(client, 5.0) is True
        assert acknowledged(client, 5.0) is None, "it is closed"


def test_nothing_is_known_of_what_is_no_tcp_socket():
    one, other = socket.socketpair()
    with one, other:
        assert acknowledged(one, 5.0) is None
    assert acknowledged(object(), 5.0) is None
    assert acknowledged(None, 5.0) is None
