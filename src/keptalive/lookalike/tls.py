"""The look-alike's own certificate authority, and TLS as bytes in, bytes out.

`Channel` knows no socket: whoever owns one feeds it what arrived and sends what it gives. That is
what makes every way to end a connection possible, close_notify without FIN or the reverse.
"""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import certifi
import trustme

_HOSTS = ("127.0.0.1", "localhost", "::1")
_RECORD_BYTES = 16_384


class Authority:
    """A certificate authority that lives as long as the process."""

    def __init__(self) -> None:
        self._ca = trustme.CA(organization_name="keptalive look-alike")

    def server_context(self) -> ssl.SSLContext:
        """Make the server's context: TLS 1.3, valid for every loopback name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._ca.issue_cert(*_HOSTS).configure_cert(context)
        return context

    def bundle(self) -> bytes:
        """Make certifi's bundle with our CA appended.

        A whole bundle, because loading it is part of what a client pays for a new connection.
        """
        public = Path(certifi.where()).read_bytes().rstrip(b"\n")
        return public + b"\n\n" + self._ca.cert_pem.bytes()

    def write_bundle(self, path: Path) -> int:
        """Write that bundle to a file that is new; return how many certificates it holds."""
        bundle = self.bundle()
        with path.open("xb") as file:
            file.write(bundle)
        return certificates_in(bundle)


def certificates_in(bundle: bytes) -> int:
    """How many certificates a bundle holds."""
    return bundle.count(b"-----BEGIN CERTIFICATE-----")


class Channel:
    """The server's end of one TLS conversation."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._established = False
        self.over = False
        """The client has said goodbye, or what it sent is no TLS."""

    def receive(self, data: bytes) -> bytes:
        """Take ciphertext, return the plaintext that it completes."""
        self._incoming.write(data)
        plaintext: list[bytes] = []
        try:
            if not self._established:
                self._tls.do_handshake()
                self._established = True
            # Asking first saves an exception per request: they cost more than the decryption.
            while self._incoming.pending or self._tls.pending():
                chunk = self._tls.read(_RECORD_BYTES)
                if not chunk:
                    self.over = True
                    break
                plaintext.append(chunk)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.over = True
        return plaintext[0] if len(plaintext) == 1 else b"".join(plaintext)

    def write(self, plaintext: bytes) -> None:
        """Encrypt; each call begins a TLS record of its own."""
        self._tls.write(plaintext)

    def close_notify(self) -> None:
        """Say TLS's goodbye, if there is a conversation to end."""
        if self._established:
            # As a rule it "wants to read": the client has not said its own goodbye, and need not.
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()

    def take(self) -> bytes:
        """Return the ciphertext that is to be sent, once."""
        return self._outgoing.read()
