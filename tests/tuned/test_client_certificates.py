"""A client's certificate is shown by the requests that name it, to the server that asks, only."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from cryptography.hazmat.primitives import serialization
from requests.exceptions import SSLError
from urllib3.exceptions import InsecureRequestWarning

from keptalive import tuned_session


class TestTheClientsCertificate:
    def test_is_shown_to_a_server_that_demands_it(self, agreed, tls_server, pki):
        server = tls_server(demands=True)
        assert agreed(server.url, {"cert": pki.alice}, verify=pki.ours) == [200]
        assert server.clients == ["alice"] * 2

    def test_is_shown_in_two_files_as_in_one(self, agreed, tls_server, pki, write):
        leaf = pki.client("carol")
        pair = (
            write("carol.crt", *leaf.cert_chain_pems),
            write("carol.key", leaf.private_key_pem),
        )
        server = tls_server(demands=True)
        assert agreed(server.url, {"cert": pair}, verify=pki.ours) == [200]
        assert server.clients == ["carol"] * 2

    def test_that_is_missing_is_refused_where_one_is_demanded(self, agreed, tls_server, pki):
        server = tls_server(demands=True)
        assert [SSLError] == agreed(server.url, {"verify": pki.ours})
        assert server.clients == []

    def test_of_an_authority_that_the_server_does_not_know_is_refused(
        self, agreed, tls_server, pki, write
    ):
        stranger = pki.other_ca.issue_cert("eve@example.org", common_name="eve")
        cert = write("eve.pem", stranger.private_key_and_cert_chain_pem)
        assert [SSLError] == agreed(tls_server().url, {"verify": pki.ours, "cert": cert})

    def test_is_exactly_the_one_that_the_request_names(self, strictly, both, tls_server, pki):
        server = tls_server()
        names = [None, "alice", "bob", None, "bob", "alice", "alice", None]
        certs = {None: None, "alice": pki.alice, "bob": pki.bob}
        assert [200] * len(names) == strictly(
            server.url, *({"cert": certs[name]} for name in names), verify=pki.ours
        )
        assert names * both == server.clients

    def test_of_the_session_is_shown_unless_the_request_names_another(
        self, strictly, both, tls_server, pki
    ):
        server = tls_server()
        strictly(server.url, {}, {"cert": pki.bob}, {}, verify=pki.ours, cert=pki.alice)
        assert ["alice", "bob", "alice"] * both == server.clients

    def test_that_is_demanded_is_not_shown_for_a_request_without_one(
        self, strictly, tls_server, pki
    ):
        assert [200, SSLError, 200] == strictly(
            tls_server(demands=True).url,
            {"cert": pki.bob},
            {},
            {"cert": pki.alice},
            verify=pki.ours,
        )

    def test_is_shown_also_to_a_server_that_is_not_verified(self, agreed, tls_server, pki):
        server = tls_server(demands=True)
        assert agreed(server.url, {"cert": pki.alice, "verify": False}) == [
            (200, InsecureRequestWarning)
        ]
        assert server.clients == ["alice"] * 2

    def test_does_not_make_a_wrong_server_right(self, agreed, tls_server, pki):
        server = tls_server()
        assert [SSLError] == agreed(server.url, {"cert": pki.alice, "verify": pki.other})
        assert server.clients == []

    @pytest.mark.parametrize("which", ["one file", "certificate", "key"])
    def test_that_is_not_there_is_an_error(self, agreed, tls_server, pki, which):
        cert = {
            "one file": "/missing",
            "certificate": ("/missing", pki.alice),
            "key": (pki.alice, "/missing"),
        }[which]
        server = tls_server()
        assert [OSError] == agreed(server.url, {"cert": cert, "verify": pki.ours})
        assert server.accepted == 0

    @pytest.mark.parametrize("content", [b"", b"garbage\n"])
    def test_in_a_file_without_one_is_an_error(self, agreed, tls_server, pki, write, content):
        cert = write("none.pem", trustme.Blob(content))
        assert [SSLError] == agreed(tls_server().url, {"cert": cert, "verify": pki.ours})

    def test_without_its_key_is_an_error(self, agreed, tls_server, pki):
        assert [SSLError] == agreed(tls_server().url, {"cert": pki.ours, "verify": pki.ours})

    def test_with_the_key_of_another_is_an_error(self, agreed, tls_server, pki):
        server = tls_server()
        cert = (pki.alice, pki.bob)
        assert [SSLError] == agreed(server.url, {"cert": cert, "verify": pki.ours})
        assert server.clients == []

    def test_with_an_encrypted_key_is_an_error(self, agreed, tls_server, pki, write):
        cert = (write("open.crt", pki.client("carol").cert_chain_pems[0]), sealed_key(pki, write))
        assert [SSLError] == agreed(tls_server().url, {"cert": cert, "verify": pki.ours})

    @pytest.mark.skipif(sys.platform != "linux", reason="takes Linux' way to a terminal")
    @pytest.mark.parametrize("files", [1, 2])
    def test_with_an_encrypted_key_never_asks_at_the_terminal(self, tls_server, pki, write, files):
        # tuned alone: with one file, requests itself asks there, and waits
        leaf = pki.client("carol")
        key = sealed_key(pki, write, leaf)
        crt = write("open.crt", leaf.cert_chain_pems[0])
        one = write("one.pem", trustme.Blob(Path(crt).read_bytes() + Path(key).read_bytes()))
        cert = one if files == 1 else (crt, key)
        said = at_a_terminal(
            "from keptalive import tuned_session\n"
            "try:\n"
            f"    tuned_session().get({tls_server().url!r}, verify={pki.ours!r}, cert={cert!r})\n"
            "except OSError as error:\n"
            "    print(type(error).__name__, error)\n"
        )
        assert "SSLError" in said
        assert "the client's private key is encrypted" in said
        assert "pass phrase" not in said


def sealed_key(pki: Any, write: Callable[..., str], leaf: trustme.LeafCert | None = None) -> str:
    """A key of this certificate's, which asks for a password."""
    leaf = leaf or pki.client("carol")
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    sealed = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    return write("sealed.key", trustme.Blob(sealed))


def at_a_terminal(program: str) -> str:
    """What this program shows at a terminal of its own, at which nobody sits."""
    ours, its = pty.openpty()
    # A new session's first terminal is its controlling one: what OpenSSL finds as /dev/tty
    taken = f"import os\nos.open({os.ttyname(its)!r}, os.O_RDWR)\n"
    with subprocess.Popen(
        [sys.executable, "-c", taken + program],
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    ) as child:
        os.close(its)
        said = b""
        try:
            while select.select([ours], [], [], 10)[0]:
                said += os.read(ours, 65536)
        except OSError:  # EIO: the program has ended
            pass
        finally:
            child.kill()
            os.close(ours)
    return said.decode()


ODD_CERTS = {
    "list of one": lambda cert: [cert],
    "list of two": lambda cert: [cert, cert],
    "list of three": lambda cert: [cert, cert, cert],
    "empty list": lambda cert: [],
    "list of missing files": lambda cert: ["/missing", "/missing"],
    "list in a list": lambda cert: [[cert], cert],
    "list in a tuple": lambda cert: ([cert], cert),
    "tuple of one": lambda cert: (cert,),
    "tuple of three": lambda cert: (cert, cert, cert),
    "empty tuple": lambda cert: (),
    "set": lambda cert: {cert},
    "dictionary": lambda cert: {"cert": cert},
    "number": lambda cert: 5,
}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("kind", ODD_CERTS)
def test_a_cert_of_another_kind_fares_as_with_requests(tls_server, plain_server, pki, kind, scheme):
    server = tls_server() if scheme == "https" else plain_server
    cert = ODD_CERTS[kind](pki.alice)
    assert fared(tuned_session(), server.url, pki.ours, cert) == fared(
        requests.Session(), server.url, pki.ours, cert
    )


def fared(session, url, bundle, cert):
    with session:
        session.verify, session.cert = bundle, cert
        try:
            return session.get(url).status_code
        except Exception as error:  # noqa: BLE001
            return type(error)
