"""A look at a socket shows what the server has done to it, and takes nothing from it."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable

import pytest
from tests.servers.peer import Peer
from tests.servers.pki import Trusted
from tests.servers.scripted import PATIENCE_S, Server

from keptalive.tuned.events import Sight
from keptalive.tuned.policy import CLOCK_TICK_S
from keptalive.tuned.sockets import duplicate, look

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says when data came")


def seen(sock: socket.socket, until: Callable[[Sight], bool]) -> Sight:
    """What the socket shows as soon as this is true of it."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        sight = look(sock)
        assert sight is not None
        if until(sight):
            return sight
    raise AssertionError(sight)


@pytest.fixture
def pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    with client, server:
        yield client, server


def test_an_open_connection_is_not_readable(pair: tuple[socket.socket, socket.socket]) -> None:
    sight = look(pair[0])
    assert sight is not None
    assert (sight.readable, sight.got_fin, sight.unacknowledged) == (False, False, False)
    assert sight.probes_s is None


@linux
def test_a_fin_is_seen_and_when_it_came(pair: tuple[socket.socket, socket.socket]) -> None:
    client, server = pair
    server.shutdown(socket.SHUT_WR)
    sight = seen(client, lambda it: it.readable and it.silent_s is not None and it.silent_s > 0.05)
    assert sight.got_fin
    assert client.recv(1) == b""


@linux
def test_data_is_seen_and_stays_there(pair: tuple[socket.socket, socket.socket]) -> None:
    client, server = pair
    server.sendall(b"HTTP/1.1 408 -")
    sight = seen(client, lambda it: it.readable)
    assert not sight.got_fin
    assert sight.data_s is not None
    assert sight.data_s < PATIENCE_S
    assert client.recv(14) == b"HTTP/1.1 408 -"


def test_a_reset_is_readable_and_its_error_stays_there(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    client, server = pair
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server.close()
    assert not seen(client, lambda it: it.readable).got_fin
    with pytest.raises(ConnectionResetError):
        client.recv(1)


@linux
def test_the_time_of_tcp_keepalives_probes_is_read(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    pair[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 45)
    assert seen(pair[0], bool).probes_s is None
    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert seen(pair[0], bool).probes_s == 45


@pytest.mark.parametrize("probes", [True, False])
def test_a_duplicate_keeps_the_connection_open_when_the_first_socket_is_closed(
    pair: tuple[socket.socket, socket.socket], probes: bool
) -> None:
    client, server = pair
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    another = duplicate(client, probes=probes)
    assert another is not None
    with another:
        assert bool(another.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) == probes
        client.close()
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.recv(1)
        server.close()
        assert seen(another, lambda it: it.readable)


def test_what_cannot_be_looked_at_shows_nothing(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    pair[0].close()
    assert look(pair[0]) is None
    assert duplicate(pair[0], probes=True) is None


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no unix sockets")
def test_a_unix_socket_shows_whether_it_is_readable() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert look(one) == Sight(readable=False)
        other.close()
        assert look(one) == Sight(readable=True)


@linux
def test_through_tls_a_close_is_dated_by_its_bytes(trusted: Trusted) -> None:
    closes = threading.Event()

    def script(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        assert closes.wait(PATIENCE_S)
        peer.say_goodbye()

    with Server(script, tls=trusted.server) as server:
        raw = socket.create_connection(("127.0.0.1", server.port))
        context = ssl.create_default_context(cafile=trusted.bundle)
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            while not sock.recv(4096).endswith(b"ok"):
                pass
            quiet = seen(sock, lambda it: it.data_s is not None and it.data_s > 0.1)
            assert not quiet.readable
            began = time.monotonic()
            closes.set()
            ended = seen(sock, lambda it: it.readable)
            assert ended.data_s is not None
            assert ended.data_s <= time.monotonic() - began + CLOCK_TICK_S
