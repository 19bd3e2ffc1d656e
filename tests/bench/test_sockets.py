"""Every TCP connection that Python makes is counted, and nothing else; nothing stays patched."""

from __future__ import annotations

import socket
import threading
from urllib.parse import urlsplit

import pytest

from keptalive.bench.sockets import watching


def greets(peer):
    peer.respond()


def connect(url: str) -> None:
    with socket.create_connection(address(url), timeout=5) as client:
        assert client.recv(1)  # so that it has been accepted


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname, parts.port


def test_each_connection_is_counted_as_often_as_the_server_accepts(serve):
    server = serve(greets)
    with watching() as witness:
        for _ in range(3):
            connect(server.url)
    assert (witness.connected, server.accepted) == (3, 3)


def test_connections_of_all_threads_are_counted(serve):
    server = serve(greets)

    threads = [threading.Thread(target=connect, args=[server.url]) for _ in range(8)]
    with watching() as witness:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=5)
    assert (witness.connected, server.accepted) == (8, 8)


def test_a_refused_connection_raises_as_ever_and_is_not_counted(refusing):
    with watching() as witness, pytest.raises(ConnectionRefusedError):
        socket.create_connection(address(refusing), timeout=5)
    assert witness.connected == 0


def test_only_the_address_that_answers_is_counted(serve, refusing):
    server = serve(greets)
    with watching() as witness:
        for url in (refusing, refusing, server.url):
            with socket.socket() as client:
                try:
                    client.connect(address(url))
                except ConnectionRefusedError:
                    continue
                assert client.recv(1)
    assert (witness.connected, server.accepted) == (1, 1)


def test_sockets_that_are_not_tcp_are_not_counted(tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with watching() as witness:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.connect(("127.0.0.1", 9))
    assert witness.connected == 0


def test_what_is_opened_before_or_after_is_not_counted(serve):
    server = serve(greets)
    connect(server.url)
    with watching() as witness:
        pass
    connect(server.url)
    assert witness.connected == 0


def test_connect_is_inherited_again_afterwards_even_after_an_error():
    before = socket.socket.connect
    assert "connect" not in vars(socket.socket)
    with watching():
        assert "connect" in vars(socket.socket)
    with pytest.raises(KeyError), watching():
        raise KeyError
    assert "connect" not in vars(socket.socket)
    assert before is socket.socket.connect


def test_a_connect_that_somebody_else_had_put_there_is_there_again(monkeypatch):
    plain = socket.socket.connect

    def theirs(self, address):
        return plain(self, address)

    monkeypatch.setattr(socket.socket, "connect", theirs)
    with watching():
        assert theirs is not socket.socket.connect
    assert theirs is vars(socket.socket)["connect"]


def test_two_witnesses_one_within_the_other_count_each_their_own(serve):
    server = serve(greets)
    with watching() as outer:
        with watching() as inner:
            connect(server.url)
        connect(server.url)
    assert (outer.connected, inner.connected) == (2, 1)
