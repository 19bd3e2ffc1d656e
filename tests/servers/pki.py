"""Certificates for tests: one authority that they trust, another one, and clients with names."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class PKI:
    """Two authorities, the bundle of each, and the certificates of two clients of the first one."""

    ca: trustme.CA
    other_ca: trustme.CA
    ours: str
    other: str
    alice: str
    bob: str

    @classmethod
    def made_in(cls, folder: Path) -> PKI:
        """A new one, with its files in this folder."""
        ca, other_ca = trustme.CA(), trustme.CA()
        clients = {
            name: written(
                folder / f"{name}.pem", _of_client(ca, name).private_key_and_cert_chain_pem
            )
            for name in ("alice", "bob")
        }
        return cls(
            ca=ca,
            other_ca=other_ca,
            ours=written(folder / "ours.pem", ca.cert_pem),
            other=written(folder / "other.pem", other_ca.cert_pem),
            **clients,
        )

    def client(self, name: str) -> trustme.LeafCert:
        """A client's certificate with this common name."""
        return _of_client(self.ca, name)

    def context(
        self, cert: trustme.LeafCert, *, demands: bool = False, asks_later: bool = False
    ) -> ssl.SSLContext:
        """What a server with this certificate gives to `Server(tls=...)`.

        It asks every client for a certificate, so that none is presented unnoticed.

        Args:
            cert: the server's own.
            demands: refuse clients without a certificate.
            asks_later: not in the handshake, but when the script asks.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cert.configure_cert(context)
        self.ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED if demands else ssl.CERT_OPTIONAL
        context.post_handshake_auth = asks_later
        context.sni_callback = _remember_name
        return context


@dataclass(frozen=True)
class Trusted:
    """A bundle of authorities, and the TLS settings of servers that it vouches for."""

    bundle: str
    server: ssl.SSLContext


def trusted(pki: PKI) -> Trusted:
    """Of our authority: for this machine, and for names that stand for others."""
    cert = pki.ca.issue_cert("127.0.0.1", "localhost", "target.test", "example.org")
    return Trusted(pki.ours, pki.context(cert, asks_later=True))


def written(path: Path, *parts: trustme.Blob) -> str:
    """Put a file there by renaming, as those who rotate certificates do."""
    new = path.with_suffix(".new")
    new.write_bytes(b"".join(part.bytes() for part in parts))
    new.replace(path)
    return str(path)


def _of_client(ca: trustme.CA, name: str) -> trustme.LeafCert:
    return ca.issue_cert(f"{name}@example.org", common_name=name)


def _remember_name(sock: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
    sock.name_asked_for = name  # type: ignore[attr-defined] - the peer reads it
