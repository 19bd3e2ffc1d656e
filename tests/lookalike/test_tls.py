from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import pytest

from keptalive.lookalike.tls import Authority, Channel


@pytest.fixture(scope="module")
def authority():
    return Authority()


class Client:
    """The other end of a channel, in memory as well."""

    def __init__(self, bundle: Path, hostname: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(bundle)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=hostname)

    def shake_hands(self, channel: Channel) -> None:
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.do_handshake()
        channel.receive(self.outgoing.read())
        self.incoming.write(channel.take())
        self.tls.do_handshake()


@pytest.fixture
def bundle(authority, tmp_path):
    authority.write_bundle(tmp_path / "bundle.pem")
    return tmp_path / "bundle.pem"


def test_the_bundle_is_certifis_with_one_certificate_more(authority, tmp_path):
    path = tmp_path / "bundle.pem"
    public = Path(certifi.where()).read_bytes()
    assert authority.write_bundle(path) == public.count(b"BEGIN CERTIFICATE") + 1
    assert path.read_bytes().startswith(public.rstrip(b"\n"))
    assert len(ssl.create_default_context(cafile=path).get_ca_certs()) > 50


@pytest.mark.parametrize("hostname", ["127.0.0.1", "localhost", "::1"])
def test_the_certificate_is_good_for_every_name_of_loopback(authority, bundle, hostname):
    channel, client = Channel(authority.server_context()), Client(bundle, hostname)
    client.shake_hands(channel)
    client.tls.write(b"question")
    assert channel.receive(client.outgoing.read()) == b"question"
    channel.write(b"answer")
    client.incoming.write(channel.take())
    assert client.tls.read() == b"answer"


def test_what_comes_after_the_plaintext_in_one_piece_is_not_lost(authority, bundle):
    channel, client = Channel(authority.server_context()), Client(bundle, "localhost")
    client.shake_hands(channel)
    client.tls.write(b"x" * 40_000)
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.unwrap()
    assert channel.receive(client.outgoing.read()) == b"x" * 40_000
    assert channel.ended


def test_a_record_may_come_in_pieces(authority, bundle):
    channel, client = Channel(authority.server_context()), Client(bundle, "localhost")
    client.shake_hands(channel)
    client.tls.write(b"question")
    pieces = [bytes([byte]) for byte in client.outgoing.read()]
    assert b"".join(channel.receive(piece) for piece in pieces) == b"question"
    assert not channel.ended


def test_garbage_ends_a_channel_without_an_exception(authority):
    channel = Channel(authority.server_context())
    assert channel.receive(b"GET / HTTP/1.1\r\n\r\n") == b""
    assert channel.ended


def test_a_goodbye_before_the_handshake_says_nothing(authority):
    channel = Channel(authority.server_context())
    channel.close_notify()
    assert channel.take() == b""
