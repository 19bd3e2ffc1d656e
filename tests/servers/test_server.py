"""The scripted server keeps its promises: asked by bare sockets, which hide nothing."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from .peer import Peer, Request, answers
from .scripted import PATIENCE_S, Server
from .scripts import (
    Then,
    asks_for_a_certificate,
    closes_idle,
    proxy,
    sends_stray_bytes,
    times_out,
    tunnel,
)

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OK_AND_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as sock:
        yield sock


@contextmanager
def tls(sock: socket.socket, bundle: str, cert: str | None = None) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=bundle)
    context.post_handshake_auth = True
    if cert:
        context.load_cert_chain(cert)
    wrapped = context.wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False)
    with wrapped:
        wrapped.settimeout(PATIENCE_S)
        yield wrapped


def exchange(sock: socket.socket, request: bytes, expected: bytes) -> None:
    """Send this, and receive exactly this."""
    sock.sendall(request)
    assert received(sock, len(expected)) == expected


def received(sock: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length and (piece := sock.recv(length - len(data))):
        data += piece
    return data


# -- What it sees ---------------------------------------------------------------------------------


def test_the_server_counts_what_it_accepts_and_remembers_every_request(serve):
    server = serve()
    with connected(server) as sock:
        exchange(sock, GET, OK)
        exchange(sock, b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", OK)
    with connected(server) as sock:
        exchange(sock, GET, OK)
    assert server.accepted == 2
    assert server.requests == [
        Request("GET", "/a", {"host": "x"}, b""),
        Request("POST", "/b", {"host": "x", "content-length": "3"}, b"abc"),
        Request("GET", "/a", {"host": "x"}, b""),
    ]
    assert server.targets == ["/a", "/b", "/a"]
    assert server.bodies == [b"", b"abc", b""]


def test_a_body_in_chunks_is_put_together(serve):
    server = serve()
    with connected(server) as sock:
        head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        exchange(sock, head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", OK)
    assert server.bodies == [b"abcde"]


def test_a_request_that_is_not_whole_is_none(serve):
    seen = []
    server = serve(lambda peer: seen.append(peer.request()))
    with connected(server) as sock:
        sock.sendall(GET[:-2])
    server.wait_for_scripts(1)
    assert (seen, server.requests) == ([None], [])


def test_a_connection_without_a_request_is_counted_too(serve):
    server = serve(Peer.respond)
    with connected(server) as sock:
        exchange(sock, b"", OK)
    assert (server.accepted, server.requests) == (1, [])


# -- Scripts --------------------------------------------------------------------------------------


def test_each_connection_has_its_script_and_all_further_ones_the_last(serve):
    server = serve(answers((401,)), answers((404,)), answers((299,)))
    for status in (b"401 Unauthorized", b"404 Not Found", b"299 ", b"299 "):
        with connected(server) as sock:
            exchange(sock, GET, OK.replace(b"200 OK", status))


def test_responses_are_given_in_turn_and_the_last_one_again_and_again(serve):
    server = serve(answers((503, "Retry-After: 0"), (204,)))
    with connected(server) as sock:
        for first in (b"HTTP/1.1 503 ", b"HTTP/1.1 204 ", b"HTTP/1.1 204 "):
            sock.sendall(GET)
            assert sock.recv(65536).startswith(first)


def test_a_request_to_close_is_obeyed(serve):
    with connected(serve()) as sock:
        exchange(sock, GET[:-2] + b"Connection: close\r\n\r\n", OK_AND_CLOSE)
        assert sock.recv(1) == b""


def test_a_server_that_closes_says_so_each_time(serve):
    with connected(serve(answers(closes=True))) as sock:
        exchange(sock, GET, OK_AND_CLOSE)
        assert sock.recv(1) == b""


def test_a_connection_can_be_reset(serve):
    def resets_after_a_request(peer):  # a RST at once could overtake the end of connect()
        peer.request()
        peer.reset()

    with connected(serve(resets_after_a_request)) as sock:
        sock.sendall(GET)
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (Peer.close, b""),
        (sends_stray_bytes, b"\r\n"),
        (
            times_out,
            b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ),
    ],
)
def test_an_act_after_a_response_is_done_when_get_returns(serve, act, expected):
    script = Then(act, after=(2,))
    with connected(serve(script)) as sock:
        script.get(lambda _: exchange(sock, GET, OK), "")
        assert select.select([sock], [], [], 0)[0] == []
        script.get(lambda _: exchange(sock, GET, OK), "")
        assert select.select([sock], [], [], PATIENCE_S)[0] == [sock]
        assert received(sock, 1000) == expected


def test_a_script_can_wait_for_the_client_to_close(serve):
    seen = []
    server = serve(lambda peer: seen.append(peer.client_closes()))
    with connected(server):
        pass
    server.wait_for_scripts(1)
    with connected(server) as sock:
        sock.sendall(b"x")
        server.wait_for_scripts(2)
    assert seen == [True, False]


# -- TLS, unix sockets, proxies -------------------------------------------------------------------


def test_over_tls_the_server_sees_the_clients_certificate_and_the_name_asked_for(
    serve, trusted, pki
):
    server = serve(tls=pki.context(pki.ca.issue_cert("localhost")))
    for cert in (pki.alice, None):
        with connected(server) as sock, tls(sock, trusted.bundle, cert) as secure:
            exchange(secure, GET, OK)
    assert server.clients == ["alice", None]
    assert server.names == ["localhost"] * 2


def test_a_client_that_does_not_trust_the_server_fails_and_the_test_does_not(serve, trusted, pki):
    server = serve(tls=trusted.server)
    with connected(server) as sock, pytest.raises(ssl.SSLCertVerificationError):
        with tls(sock, pki.other):
            pass
    assert (server.accepted, server.requests, server.names) == (1, [], [])


def test_a_server_that_demands_a_certificate_refuses_clients_without(serve, pki):
    server = serve(tls=pki.context(pki.ca.issue_cert("localhost"), demands=True))
    with connected(server) as sock, pytest.raises(ssl.SSLError):
        with tls(sock, pki.ours) as secure:
            exchange(secure, GET, OK)
    with connected(server) as sock, tls(sock, pki.ours, pki.alice) as secure:
        exchange(secure, GET, OK)
    assert server.clients == ["alice"]


@pytest.mark.parametrize(("end", "is_announced"), [(Peer.close, False), (Peer.say_goodbye, True)])
def test_over_tls_a_close_is_announced_or_not(serve, trusted, end, is_announced):
    with connected(serve(end, tls=trusted.server)) as sock, tls(sock, trusted.bundle) as secure:
        if is_announced:
            assert secure.recv(1) == b""
        else:
            with pytest.raises(ssl.SSLEOFError):
                secure.recv(1)


def test_a_tls_message_that_nobody_asked_for_arrives_on_a_connection_that_lives_on(serve, trusted):
    script = Then(asks_for_a_certificate)
    with connected(serve(script, tls=trusted.server)) as sock, tls(sock, trusted.bundle) as secure:
        script.get(lambda _: exchange(secure, GET, OK), "")
        assert select.select([secure], [], [], PATIENCE_S)[0] == [secure]
        script.get(lambda _: exchange(secure, GET, OK), "")


def test_a_unix_socket_serves_like_any_other(serve, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server = serve(unix="here.sock")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("here.sock")
        exchange(sock, GET, OK)
    assert (server.accepted, server.targets) == (1, ["/a"])


def test_a_tunnel_leads_to_the_script_of_the_target(serve, trusted):
    server = serve(tunnel(trusted.server, answers()))
    with connected(server) as sock:
        exchange(sock, b"CONNECT target.test:443 HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n")
        with tls(sock, trusted.bundle) as secure:
            exchange(secure, GET, OK)
    assert server.targets == ["target.test:443", "/a"]


def test_a_proxy_tunnels_to_this_machine(serve, trusted):
    target, through = serve(tls=trusted.server), serve(proxy)
    with connected(through) as sock:
        connect = f"CONNECT target.test:{target.port} HTTP/1.1\r\n\r\n".encode()
        exchange(sock, connect, b"HTTP/1.1 200 OK\r\n\r\n")
        with tls(sock, trusted.bundle) as secure:
            exchange(secure, GET, OK)
    assert (through.accepted, target.targets) == (1, ["/a"])


def test_a_proxy_forwards_without_what_is_its_own_and_keeps_the_connection(serve):
    target, through = serve(), serve(proxy)
    get = f"GET {target.at('target.test')}a HTTP/1.1\r\nProxy-Authorization: Basic x\r\n\r\n"
    with connected(through) as sock:
        for _ in range(2):
            exchange(sock, get.encode(), OK)
    assert (through.accepted, target.accepted) == (1, 2)
    assert through.requests[0].headers == {"proxy-authorization": "Basic x"}
    assert target.requests[0] == Request("GET", "/a", {"connection": "close"}, b"")


def test_an_address_that_refuses_refuses(refusing):
    port = int(refusing.rstrip("/").rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


# -- The end --------------------------------------------------------------------------------------


def fails(peer: Peer) -> None:
    raise LookupError("of the script")


def test_an_exception_of_a_script_fails_the_test():
    with pytest.raises(LookupError, match="of the script"):
        with Server(fails) as server, connected(server) as sock:
            assert sock.recv(1) == b""


def test_a_script_that_waits_too_long_fails_the_test():
    def impatient(peer: Peer) -> None:
        peer.sock.settimeout(0.01)
        peer.request()

    with pytest.raises(TimeoutError):
        with Server(impatient) as server, connected(server):
            server.wait_for_scripts(1)


def test_a_client_that_has_gone_fails_no_test(serve):
    gone = threading.Event()

    def script(peer: Peer) -> None:
        assert gone.wait(PATIENCE_S)
        while True:  # until the client's RST is noticed
            peer.send(b"x" * 100_000)

    server = serve(script)
    with connected(server):
        pass
    gone.set()
    server.wait_for_scripts(1)


def test_a_client_that_has_gone_before_its_handshake_began_fails_no_test(trusted):
    server = Server(tls=trusted.server)  # which accepts nothing yet
    with connected(server) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    with server:
        server.wait_for_scripts(1)


def test_what_is_idle_is_closed_and_not_a_client_that_is_late_with_its_request(serve):
    server = serve(closes_idle(0.05))
    with connected(server) as sock:
        assert not select.select([sock], [], [], 0.1)[0]
        sock.sendall(GET[:9])
        assert not select.select([sock], [], [], 0.1)[0]
        exchange(sock, GET[9:], OK)
        assert sock.recv(1) == b""


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("talks", [False, True])
def test_the_end_wakes_scripts_that_wait_and_joins_all_threads(trusted, scheme, talks):
    before = set(threading.enumerate())
    context = trusted.server if scheme == "https" else None
    with Server(tls=context) as server, ExitStack() as clients:
        client = clients.enter_context(connected(server))
        if talks and context:
            client = clients.enter_context(tls(client, trusted.bundle))
        if talks:
            exchange(client, GET, OK)
        server.wait_for_connections(1)
        server.close()
        assert set(threading.enumerate()) <= before
    assert server.accepted == 1


def test_the_port_is_free_when_the_server_has_ended():
    with Server() as server:
        port = server.port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
