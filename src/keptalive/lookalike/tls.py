"""The look-alike's certificate authority, and TLS without sockets.

`Channel` gets the bytes that arrived and returns the bytes to send. So a connection can end in
every way: close_notify without FIN, FIN without close_notify.
"""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import certifi
import trustme

# The last one is that of a server on a true link
_HOSTS = ("127.0.0.1", "localhost", "::1", "192.0.2.2")
_RECORD_BYTES = 16_384


class Authority:
    """A certificate authority; its key is never written to a file."""

    def __init__(self) -> None:
        self._ca = trustme.CA(organization_name="keptalive look-alike")

    def server_context(self) -> ssl.SSLContext:
        """A context for the server: TLS 1.3, with a certificate for all names it may have."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._ca.issue_cert(*_HOSTS).configure_cert(context)
        return context

    def bundle(self) -> bytes:
        """The CA bundle of certifi with our CA added.

        The whole bundle, because loading it is part of what a new connection costs a client.
        """
        public = Path(certifi.where()).read_bytes().rstrip(b"\n")
        return public + b"\n\n" + self._ca.cert_pem.bytes()

    def write_bundle(self, path: Path) -> int:
        """Write that bundle to a new file; return its number of certificates."""
        bundle = self.bundle()
        with path.open("xb") as file:
            file.write(bundle)
        return certificates_in(bundle)


def certificates_in(bundle: bytes) -> int:
    """The number of certificates in a bundle."""
    return bundle.count(b"-----BEGIN CERTIFICATE-----")


class Channel:
    """The server's end of one TLS connection."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._established = False
        self.ended = False
        """The client sent close_notify, or bytes that are not TLS."""

    def receive(self, data: bytes) -> bytes:
        """Decrypt these bytes; return the plaintext that is complete."""
        self._incoming.write(data)
        plaintext: list[bytes] = []
        try:
            if not self._established:
                self._tls.do_handshake()
                self._established = True
            # This check saves an exception for each request, which costs more than the decryption
            while self._incoming.pending or self._tls.pending():
                chunk = self._tls.read(_RECORD_BYTES)
                if not chunk:
                    self.ended = True
                    break
                plaintext.append(chunk)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.ended = True
        return plaintext[0] if len(plaintext) == 1 else b"".join(plaintext)

    def write(self, plaintext: bytes) -> None:
        """Encrypt; each call makes a TLS record of its own."""
        self._tls.write(plaintext)

    def close_notify(self) -> None:
        """Send close_notify, if the handshake is complete."""
        if self._established:
            # It usually "wants to read": it waits for the client's close_notify, which we do not
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()

    def take(self) -> bytes:
        """The encrypted bytes to send; each byte is returned once."""
        return self._outgoing.read()
