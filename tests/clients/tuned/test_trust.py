"""Towards a server: trusted is whom requests would trust, by exactly what each request names."""

from __future__ import annotations

import datetime
import itertools
import os
import pty
import random
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import certifi
import pytest
import requests
import trustme
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from requests.exceptions import SSLError
from urllib3.exceptions import InsecureRequestWarning
from urllib3.util.ssl_ import create_urllib3_context

from keptalive import tuned_session

UNVERIFIED = (200, InsecureRequestWarning)
URLLIB3_MATCHES_COMMON_NAMES = urllib3.__version__.startswith("1.")
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to hash names")


def self_signed(host: str) -> tuple[trustme.LeafCert, trustme.Blob]:
    """A certificate that only its own key vouches for, and it alone."""
    donor = trustme.CA().issue_cert(host)
    key = serialization.load_pem_private_key(donor.private_key_pem.bytes(), None)
    donated = x509.load_pem_x509_certificate(donor.cert_chain_pems[0].bytes())
    name = donated.subject
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=NOW - DAY,
        not_valid_after=NOW + DAY,
    )
    for extension in donated.extensions:
        if not isinstance(extension.value, x509.AuthorityKeyIdentifier):
            builder = builder.add_extension(extension.value, critical=extension.critical)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return trustme.LeafCert(donor.private_key_pem.bytes(), pem, []), trustme.Blob(pem)


def rehashed(folder: Path, **authorities: trustme.CA) -> str:
    """A directory of CA certificates, each linked to by its hash."""
    folder.mkdir()
    for name, ca in authorities.items():
        ca.cert_pem.write_to_path(folder / f"{name}.pem")
    subprocess.run(["openssl", "rehash", folder], check=True, capture_output=True)
    return str(folder)


class TestTheServersCertificate:
    def test_of_a_trusted_authority_is_accepted(self, agreed, served, pki):
        assert agreed(served().url, {"verify": pki.ours}) == [200]

    def test_of_another_authority_is_refused(self, agreed, served, pki):
        assert [SSLError, SSLError] == agreed(served().url, {"verify": pki.other}, {})

    @pytest.mark.parametrize("names", [["127.0.0.1"], ["example.org"], ["*.localhost"]])
    def test_for_another_host_is_refused(self, agreed, served, pki, names):
        server = served(pki.ca.issue_cert(*names))
        assert [SSLError, UNVERIFIED] == agreed(
            server.url, {"verify": pki.ours}, {"verify": False, "headers": {"Connection": "close"}}
        )

    def test_counts_for_an_address_only_if_it_names_the_address(self, agreed, served, pki):
        named = served(pki.ca.issue_cert("127.0.0.1"))
        unnamed = served(pki.ca.issue_cert("localhost", "127.0.0.2"))
        assert [200, SSLError] == agreed(
            named.at("127.0.0.1"),
            {"verify": pki.ours},
            {"verify": pki.ours, "url": unnamed.at("127.0.0.1")},
        )

    def test_is_asked_for_by_the_hosts_name_and_for_an_address_by_none(self, agreed, served, pki):
        server = served(pki.ca.issue_cert("localhost", "127.0.0.1"))
        verify = {"verify": pki.ours}
        agreed(server.url, verify, {**verify, "url": server.at("127.0.0.1")})
        assert server.names == ["localhost", None] * 2

    def test_with_the_host_only_as_its_common_name_is_judged_alike(self, agreed, served, pki):
        server = served(pki.ca.issue_cert(common_name="localhost"))
        [outcome] = agreed(server.url, {"verify": pki.ours})
        assert (outcome is not SSLError) == URLLIB3_MATCHES_COMMON_NAMES

    @pytest.mark.parametrize(
        "period",
        [
            {"not_before": NOW - 2 * DAY, "not_after": NOW - DAY},
            {"not_before": NOW + DAY, "not_after": NOW + 2 * DAY},
        ],
        ids=["expired", "not yet valid"],
    )
    def test_out_of_its_time_is_refused(self, agreed, served, pki, period):
        server = served(pki.ca.issue_cert("localhost", **period))
        assert [SSLError, UNVERIFIED] == agreed(server.url, {"verify": pki.ours}, {"verify": False})

    def test_signed_by_itself_is_accepted_only_if_it_is_the_bundle(
        self, agreed, served, pki, write
    ):
        cert, pem = self_signed("localhost")
        url = served(cert).url
        assert [SSLError, SSLError] == agreed(url, {"verify": pki.ours}, {})
        assert agreed(url, {"verify": write("self.pem", pem)}) == [200]

    def test_by_an_intermediate_needs_the_chain_from_each_server(self, agreed, served, pki):
        leaf = pki.ca.create_child_ca().issue_cert("localhost")
        alone = trustme.LeafCert(leaf.private_key_pem.bytes(), leaf.cert_chain_pems[0].bytes(), [])
        verify = {"verify": pki.ours}
        assert [200, SSLError, 200] == agreed(
            served(leaf, closes=True).url, verify, {**verify, "url": served(alone).url}, verify
        )

    def test_is_accepted_by_its_intermediate_alone_where_urllib3_says_so(
        self, agreed, served, pki, write
    ):
        child = pki.ca.create_child_ca()
        url = served(child.issue_cert("localhost")).url
        partial = create_urllib3_context().verify_flags & 0x80000  # VERIFY_X509_PARTIAL_CHAIN
        assert [200 if partial else SSLError] == agreed(
            url, {"verify": write("child.pem", child.cert_pem)}
        )


class TestVerify:
    def test_false_accepts_anything_and_warns_each_time(self, agreed, served, pki):
        cert = trustme.CA().issue_cert("example.org", not_after=NOW - DAY)
        assert agreed(served(cert).url, *[{"verify": False}] * 2) == [UNVERIFIED, UNVERIFIED]

    def test_false_warns_as_any_warning_does(self, served):
        with tuned_session() as session, pytest.warns(InsecureRequestWarning, match="localhost"):
            assert session.get(served().url, verify=False, timeout=5).status_code == 200

    @needs_openssl
    def test_a_directory_is_the_authorities_in_it(self, strictly, served, pki, tmp_path):
        url = served(closes=True).url
        right = rehashed(tmp_path / "right", ours=pki.ca, other=pki.other_ca)
        wrong = rehashed(tmp_path / "wrong", other=pki.other_ca)
        assert [200, SSLError, 200] == strictly(
            url, {"verify": right}, {"verify": wrong}, {"verify": right}
        )

    def test_a_directory_without_hashed_names_holds_none(self, agreed, served, pki, tmp_path):
        pki.ca.cert_pem.write_to_path(tmp_path / "ours.pem")
        assert [SSLError] == agreed(served().url, {"verify": str(tmp_path)})

    def test_a_missing_file_is_an_error_before_anything_is_sent(self, agreed, served, tmp_path):
        server = served()
        assert [OSError] == agreed(server.url, {"verify": str(tmp_path / "missing.pem")})
        assert server.accepted == 0

    def test_a_missing_file_is_an_error_though_a_connection_is_kept(self, agreed, served, pki):
        verify = {"verify": pki.ours}
        assert [200, OSError, 200] == agreed(served().url, verify, {"verify": "/missing"}, verify)

    @pytest.mark.parametrize("content", [b"", b"garbage\n", b"-----BEGIN CERTIFICATE-----\n"])
    def test_a_file_without_certificates_is_an_error(self, agreed, served, write, content):
        path = write("none.pem", trustme.Blob(content))
        assert [SSLError, SSLError] == agreed(served().url, *[{"verify": path}] * 2)

    @pytest.mark.parametrize("said", [{"verify": ""}, {"verify": 0}])
    def test_what_is_neither_true_nor_a_name_verifies_nothing(self, agreed, served, said):
        assert agreed(served().url, said) == [UNVERIFIED]

    def test_none_of_request_and_session_verifies_nothing(self, agreed, served):
        assert agreed(served().url, {"verify": None}, verify=None) == [UNVERIFIED]

    def test_none_of_a_request_stands_for_the_sessions(self, agreed, served, pki):
        url = served().url
        assert agreed(url, {"verify": None}, verify=pki.ours) == [200]
        assert [SSLError] == agreed(url, {"verify": None})

    def test_of_a_request_beats_the_sessions(self, strictly, served, pki):
        assert [200, SSLError, UNVERIFIED, SSLError, 200] == strictly(
            served().url,
            {},
            {"verify": pki.other},
            {"verify": False},
            {"verify": True},
            {},
            verify=pki.ours,
        )

    def test_a_path_object_is_the_bundle_it_names(self, tuned, served, pki):
        # tuned alone: to requests 2.32 and later, each Path and True are one (build_connection_...)
        ours, other = Path(pki.ours), Path(pki.other)
        assert [200, SSLError, SSLError, 200] == tuned(
            served().url, {"verify": ours}, {"verify": other}, {}, {"verify": ours}
        )

    def test_a_file_that_is_called_like_a_setting_is_a_file(
        self, strictly, served, pki, write, monkeypatch, tmp_path
    ):
        write("False", pki.other_ca.cert_pem)
        write("True", pki.ca.cert_pem)
        monkeypatch.chdir(tmp_path)
        names = {False: UNVERIFIED, "False": SSLError, "True": 200, True: SSLError}
        asks = [{"verify": name} for name in names]
        assert strictly(served().url, *asks, *asks) == [*names.values()] * 2

    def test_a_path_object_does_not_stand_for_the_default_bundle(
        self, tuned, served, pki, monkeypatch
    ):
        # tuned alone: requests 2.32.3 would load it into a context for the whole process
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", pki.ours)
        assert [200, SSLError] == tuned(served().url, {}, {"verify": Path(certifi.where())})


class TestTheEnvironment:
    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_names_a_bundle_for_those_who_name_none(self, agreed, served, pki, monkeypatch, name):
        monkeypatch.setenv(name, pki.ours)
        url = served(closes=True).url
        assert agreed(url, {}, {"verify": True}, {"verify": None}) == [200, 200, 200]

    def test_beats_the_sessions_bundle_but_not_the_requests(
        self, strictly, served, pki, monkeypatch
    ):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki.ours)
        assert [200, 200, SSLError, UNVERIFIED, 200] == strictly(
            served().url,
            {},
            {"verify": True},
            {"verify": pki.other},
            {"verify": False},
            {},
            verify=pki.other,
        )

    def test_beats_even_a_session_that_verifies_nothing(self, agreed, served, pki, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki.other)
        assert [SSLError] == agreed(served().url, {}, verify=False)

    def test_means_requests_own_name_first(self, agreed, served, pki, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki.other)
        monkeypatch.setenv("CURL_CA_BUNDLE", pki.ours)
        assert [SSLError] == agreed(served().url, {})

    def test_means_nothing_by_an_empty_name(self, agreed, served, pki, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
        monkeypatch.setenv("CURL_CA_BUNDLE", "")
        assert [SSLError, 200] == agreed(served().url, {}, {"verify": pki.ours})

    def test_is_told_of_a_bundle_that_is_missing(self, agreed, served, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/missing")
        assert [OSError] == agreed(served().url, {})

    def test_is_not_asked_by_a_session_that_does_not_trust_it(
        self, agreed, served, pki, monkeypatch
    ):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki.ours)
        monkeypatch.setenv("CURL_CA_BUNDLE", pki.ours)
        url = served().url
        assert [SSLError] == agreed(url, {}, trust_env=False)
        assert agreed(url, {}, trust_env=False, verify=pki.ours) == [200]

    def test_has_no_say_through_openssls_own_variables(
        self, agreed, served, pki, monkeypatch, tmp_path
    ):
        monkeypatch.setenv("SSL_CERT_FILE", pki.ours)
        monkeypatch.setenv("SSL_CERT_DIR", str(Path(pki.ours).parent))
        assert [SSLError, SSLError] == agreed(served().url, {}, {"verify": pki.other})


class TestSettingsThatAlternate:
    def test_never_meet_in_whatever_order(self, strictly, served, pki, write):
        url = served().url
        two = write("two.pem", pki.other_ca.cert_pem, pki.ca.cert_pem)
        expected = {pki.ours: 200, two: 200, pki.other: SSLError, False: UNVERIFIED}
        for order in itertools.permutations(expected):
            once_more = (*order, order[0])
            assert [expected[verify] for verify in once_more] == strictly(
                url, *({"verify": verify} for verify in once_more)
            )

    @pytest.mark.parametrize("verify", ["ours", "other", False])
    def test_never_meet_the_default(self, strictly, served, pki, verify):
        expected = {"ours": 200, "other": SSLError, False: UNVERIFIED}[verify]
        ask = {"verify": getattr(pki, verify) if verify else verify}
        url = served().url
        assert [expected, SSLError, expected] == strictly(url, ask, {}, ask)
        assert [SSLError, expected, SSLError] == strictly(url, {}, ask, {"verify": True})

    def test_not_verifying_first_opens_no_way_round_verifying(self, strictly, served):
        # CVE-2024-35195: the connection is kept, and is not to be met
        server = served()
        assert [UNVERIFIED, SSLError, SSLError] == strictly(
            server.url, {"verify": False}, {"verify": True}, {}
        )
        assert {seen.method for seen in server.seen} == {"GET"}

    def test_each_keep_a_connection_of_their_own(self, tuned, served, pki):
        server = served()
        three = [{"verify": pki.ours}, {"verify": False}, {"verify": pki.ours, "cert": pki.alice}]
        assert tuned(server.url, *three * 4) == [200, UNVERIFIED, 200] * 4
        assert server.accepted == 3

    def test_never_meet_though_there_are_more_than_are_kept(
        self, strictly, both, served, pki, write
    ):
        server = served()
        names = [f"client-{number}" for number in range(25)]
        asks = [
            {"cert": write(f"{name}.pem", pki.client(name).private_key_and_cert_chain_pem)}
            for name in names
        ]
        strictly(server.url, *asks * 2, verify=pki.ours)
        assert names * 2 * both == server.clients()

    def test_never_meet_across_threads(self, served, pki):
        url = served().url
        expected = {
            (pki.ours, None): 200,
            (pki.ours, pki.alice): 200,
            (pki.other, None): SSLError,
            (pki.other, pki.bob): SSLError,
            (True, None): SSLError,
            (False, None): 200,
        }
        together = threading.Barrier(8)

        def ask(seed: int) -> list[tuple[Any, Any]]:
            order = random.Random(seed).choices(list(expected), k=24)
            together.wait(timeout=5)
            return [(expected[settings], status(*settings)) for settings in order]

        def status(verify: Any, cert: str | None) -> Any:
            try:
                return session.get(url, verify=verify, cert=cert, timeout=5).status_code
            except OSError as error:
                return type(error)

        with tuned_session() as session, ThreadPoolExecutor(8) as threads:
            with pytest.warns(InsecureRequestWarning):
                outcomes = list(itertools.chain(*threads.map(ask, range(8))))
        assert [wanted for wanted, _ in outcomes] == [became for _, became in outcomes]


class TestTheClientsCertificate:
    def test_is_shown_to_a_server_that_demands_it(self, agreed, served, pki):
        server = served(demands=True)
        assert agreed(server.url, {"cert": pki.alice}, verify=pki.ours) == [200]
        assert server.clients() == ["alice"] * 2

    def test_is_shown_in_two_files_as_in_one(self, agreed, served, pki, write):
        leaf = pki.client("carol")
        pair = (
            write("carol.crt", *leaf.cert_chain_pems),
            write("carol.key", leaf.private_key_pem),
        )
        server = served(demands=True)
        assert agreed(server.url, {"cert": pair}, verify=pki.ours) == [200]
        assert server.clients() == ["carol"] * 2

    def test_that_is_missing_is_refused_where_one_is_demanded(self, agreed, served, pki):
        server = served(demands=True)
        assert [SSLError] == agreed(server.url, {"verify": pki.ours})
        assert server.clients() == []

    def test_of_an_authority_that_the_server_does_not_know_is_refused(
        self, agreed, served, pki, write
    ):
        stranger = pki.other_ca.issue_cert("eve@example.org", common_name="eve")
        cert = write("eve.pem", stranger.private_key_and_cert_chain_pem)
        assert [SSLError] == agreed(served().url, {"verify": pki.ours, "cert": cert})

    def test_is_exactly_the_one_that_the_request_names(self, strictly, both, served, pki):
        server = served()
        names = [None, "alice", "bob", None, "bob", "alice", "alice", None]
        certs = {None: None, "alice": pki.alice, "bob": pki.bob}
        assert [200] * len(names) == strictly(
            server.url, *({"cert": certs[name]} for name in names), verify=pki.ours
        )
        assert names * both == server.clients()

    def test_of_the_session_is_shown_unless_the_request_names_another(
        self, strictly, both, served, pki
    ):
        server = served()
        strictly(server.url, {}, {"cert": pki.bob}, {}, verify=pki.ours, cert=pki.alice)
        assert ["alice", "bob", "alice"] * both == server.clients()

    def test_that_is_demanded_is_not_lent_to_a_request_without_one(self, strictly, served, pki):
        assert [200, SSLError, 200] == strictly(
            served(demands=True).url, {"cert": pki.bob}, {}, {"cert": pki.alice}, verify=pki.ours
        )

    def test_is_shown_also_to_a_server_that_is_not_verified(self, agreed, served, pki):
        server = served(demands=True)
        assert agreed(server.url, {"cert": pki.alice, "verify": False}) == [UNVERIFIED]
        assert server.clients() == ["alice"] * 2

    def test_does_not_make_a_wrong_server_right(self, agreed, served, pki):
        server = served()
        assert [SSLError] == agreed(server.url, {"cert": pki.alice, "verify": pki.other})
        assert server.clients() == []

    @pytest.mark.parametrize("which", ["one file", "certificate", "key"])
    def test_that_is_not_there_is_an_error(self, agreed, served, pki, which):
        cert = {
            "one file": "/missing",
            "certificate": ("/missing", pki.alice),
            "key": (pki.alice, "/missing"),
        }[which]
        server = served()
        assert [OSError] == agreed(server.url, {"cert": cert, "verify": pki.ours})
        assert server.accepted == 0

    @pytest.mark.parametrize("content", [b"", b"garbage\n"])
    def test_in_a_file_without_one_is_an_error(self, agreed, served, pki, write, content):
        cert = write("none.pem", trustme.Blob(content))
        assert [SSLError] == agreed(served().url, {"cert": cert, "verify": pki.ours})

    def test_without_its_key_is_an_error(self, agreed, served, pki):
        assert [SSLError] == agreed(served().url, {"cert": pki.ours, "verify": pki.ours})

    def test_with_the_key_of_another_is_an_error(self, agreed, served, pki):
        server = served()
        cert = (pki.alice, pki.bob)
        assert [SSLError] == agreed(server.url, {"cert": cert, "verify": pki.ours})
        assert server.clients() == []

    def test_with_an_encrypted_key_is_an_error(self, agreed, served, pki, write):
        cert = (write("open.crt", pki.client("carol").cert_chain_pems[0]), sealed_key(pki, write))
        assert [SSLError] == agreed(served().url, {"cert": cert, "verify": pki.ours})

    @pytest.mark.skipif(sys.platform != "linux", reason="takes Linux' way to a terminal")
    @pytest.mark.parametrize("files", [1, 2])
    def test_with_an_encrypted_key_never_asks_at_the_terminal(self, served, pki, write, files):
        # tuned alone: with one file, requests itself asks there, and waits
        leaf = pki.client("carol")
        key = sealed_key(pki, write, leaf)
        crt = write("open.crt", leaf.cert_chain_pems[0])
        one = write("one.pem", trustme.Blob(Path(crt).read_bytes() + Path(key).read_bytes()))
        cert = one if files == 1 else (crt, key)
        said = at_a_terminal(
            "from keptalive import tuned_session\n"
            "try:\n"
            f"    tuned_session().get({served().url!r}, verify={pki.ours!r}, cert={cert!r})\n"
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


class TestFilesThatChange:
    """`closes`: each request opens a connection, for which requests reads the files again."""

    def test_a_renewed_bundle_is_taken_up(self, afresh, served, pki, write):
        def put(ca: trustme.CA) -> Callable[[], str]:
            return lambda: write("bundle.pem", ca.cert_pem)

        ask = {"verify": put(pki.other_ca)()}
        assert [SSLError, 200, SSLError] == afresh(
            served(closes=True).url,
            put(pki.other_ca),
            ask,
            put(pki.ca),
            ask,
            put(pki.other_ca),
            ask,
        )

    def test_an_authority_taken_out_of_the_bundle_is_no_longer_trusted(
        self, afresh, served, pki, write
    ):
        def both_in() -> str:
            return write("bundle.pem", pki.other_ca.cert_pem, pki.ca.cert_pem)

        ask = {"verify": both_in()}
        assert [200, SSLError] == afresh(
            served(closes=True).url,
            both_in,
            ask,
            lambda: write("bundle.pem", pki.other_ca.cert_pem),
            ask,
        )

    def test_not_even_over_a_connection_that_was_kept(self, tuned, served, pki, write):
        # tuned alone: requests uses it further
        ask = {"verify": write("bundle.pem", pki.ca.cert_pem)}
        assert [200, SSLError] == tuned(
            served().url, ask, lambda: write("bundle.pem", pki.other_ca.cert_pem), ask
        )

    def test_a_bundle_that_is_overwritten_where_it_is_is_taken_up(
        self, afresh, served, pki, tmp_path
    ):
        bundle = tmp_path / "bundle.pem"
        ours, other = pki.ca.cert_pem.bytes(), pki.other_ca.cert_pem.bytes()
        ask = {"verify": str(bundle)}
        assert [200, SSLError] == afresh(
            served(closes=True).url,
            lambda: bundle.write_bytes(ours),
            ask,
            lambda: bundle.write_bytes(other + b"# and nobody else\n"),
            ask,
        )

    def test_a_bundle_that_is_overwritten_with_its_time_and_size_kept_is_taken_up(
        self, afresh, served, pki, tmp_path
    ):
        # As by rsync --inplace --times, or where all files bear one time
        bundle = tmp_path / "bundle.pem"
        parts = [pki.ca.cert_pem.bytes(), pki.other_ca.cert_pem.bytes()]
        size = max(map(len, parts))

        def put(part: bytes) -> None:
            bundle.write_bytes(part.ljust(size, b"\n"))
            os.utime(bundle, (1, 1))

        ask = {"verify": str(bundle)}
        assert [200, SSLError] == afresh(
            served(closes=True).url, lambda: put(parts[0]), ask, lambda: put(parts[1]), ask
        )

    def test_a_bundle_that_a_link_points_to_is_taken_up(self, afresh, served, pki, tmp_path):
        # As Kubernetes does with its secrets
        link = tmp_path / "bundle.pem"

        def point(target: str) -> None:
            (tmp_path / "new").symlink_to(target)
            (tmp_path / "new").replace(link)

        ask = {"verify": str(link)}
        assert [200, SSLError] == afresh(
            served(closes=True).url,
            lambda: point(pki.ours),
            ask,
            lambda: point(pki.other),
            ask,
        )

    def test_a_bundle_that_is_gone_is_missed(self, afresh, served, pki, write, tmp_path):
        ask = {"verify": str(tmp_path / "bundle.pem")}
        assert [200, OSError] == afresh(
            served().url,
            lambda: write("bundle.pem", pki.ca.cert_pem),
            ask,
            (tmp_path / "bundle.pem").unlink,
            ask,
        )

    def test_a_bundle_by_a_relative_path_is_that_of_the_folder_now(
        self, afresh, served, pki, tmp_path, monkeypatch
    ):
        for name, ca in (("ours", pki.ca), ("other", pki.other_ca)):
            (tmp_path / name).mkdir()
            ca.cert_pem.write_to_path(tmp_path / name / "bundle.pem")
        monkeypatch.chdir(tmp_path)
        ask = {"verify": "bundle.pem"}
        assert [200, SSLError] == afresh(
            served(closes=True).url,
            lambda: os.chdir(tmp_path / "ours"),
            ask,
            lambda: os.chdir(tmp_path / "other"),
            ask,
        )

    @needs_openssl
    def test_an_authority_put_into_and_taken_from_a_directory_is_noticed(
        self, afresh, served, pki, tmp_path
    ):
        folder = tmp_path / "authorities"
        rehashed(folder, other=pki.other_ca)

        def rehash() -> None:
            subprocess.run(["openssl", "rehash", folder], check=True, capture_output=True)

        def put() -> None:
            pki.ca.cert_pem.write_to_path(folder / "ours.pem")
            rehash()

        def take() -> None:
            (folder / "ours.pem").unlink()
            rehash()

        ask = {"verify": str(folder)}
        assert [SSLError, 200, SSLError] == afresh(
            served(closes=True).url, ask, put, ask, take, ask
        )

    @needs_openssl
    def test_an_authority_that_a_directory_links_to_is_noticed_when_it_goes(
        self, afresh, served, pki, tmp_path
    ):
        # As /etc/ssl/certs does, whose links point to /usr/share/ca-certificates
        real = tmp_path / "real.pem"
        folder = tmp_path / "authorities"
        folder.mkdir()
        (folder / "ours.pem").symlink_to(real)
        pki.ca.cert_pem.write_to_path(real)
        subprocess.run(["openssl", "rehash", folder], check=True, capture_output=True)
        ask = {"verify": str(folder)}
        assert [200, SSLError] == afresh(
            served(closes=True).url,
            lambda: pki.ca.cert_pem.write_to_path(real),
            ask,
            real.unlink,
            ask,
        )

    def test_a_renewed_client_certificate_is_taken_up(self, agreed, served, pki, write):
        def put(name: str) -> Callable[[], str]:
            return lambda: write("me.pem", pki.client(name).private_key_and_cert_chain_pem)

        server = served(closes=True, demands=True)
        ask = {"cert": put("carol")()}
        assert agreed(server.url, put("carol"), ask, put("dave"), ask, verify=pki.ours) == [
            200,
            200,
        ]
        assert server.clients() == ["carol", "dave"] * 2

    def test_a_renewed_client_certificate_does_not_wait_for_the_connections_end(
        self, tuned, served, pki, write
    ):
        # tuned alone: requests goes on under the old name while the connection lasts
        server = served()
        ask = {"cert": write("me.pem", pki.client("carol").private_key_and_cert_chain_pem)}
        tuned(
            server.url,
            ask,
            lambda: write("me.pem", pki.client("dave").private_key_and_cert_chain_pem),
            ask,
            verify=pki.ours,
        )
        assert server.clients() == ["carol", "dave"]

    def test_a_renewed_key_alone_no_longer_fits(self, agreed, served, pki, write):
        carol, dave = pki.client("carol"), pki.client("dave")
        ask = {"cert": (write("me.crt", *carol.cert_chain_pems), write("me.key"))}
        assert [200, SSLError, 200] == agreed(
            served(closes=True).url,
            lambda: write("me.crt", *carol.cert_chain_pems),
            lambda: write("me.key", carol.private_key_pem),
            ask,
            lambda: write("me.key", dave.private_key_pem),
            ask,
            lambda: write("me.crt", *dave.cert_chain_pems),
            ask,
            verify=pki.ours,
        )


class TestSharedContexts:
    def test_a_bundle_is_loaded_once_for_all_connections(self, served, pki, tuned, loads):
        server = served(closes=True)
        loads.clear()
        assert tuned(server.url, *[{"verify": pki.ours}] * 5) == [200] * 5
        assert (server.accepted, len(loads)) == (5, 1)

    def test_which_requests_loads_for_each(self, served, pki, loads):
        server = served(closes=True)
        loads.clear()
        with requests.Session() as session:
            for _ in range(5):
                session.get(server.url, verify=pki.ours, timeout=5)
        assert (server.accepted, len(loads)) == (5, 5)

    def test_a_bundle_is_loaded_once_for_several_hosts(self, served, pki, tuned, loads):
        urls = [served().url for _ in range(3)]
        loads.clear()
        assert tuned(urls[0], *({"url": url} for url in urls), verify=pki.ours) == [200] * 3
        assert len(loads) == 1

    def test_each_setting_has_its_own(self, served, pki, tuned, loads):
        server = served(closes=True)
        loads.clear()
        four = [{"verify": pki.ours}, {"verify": pki.other}, {"verify": False}, {"cert": pki.alice}]
        tuned(server.url, *four * 3, verify=pki.ours)
        assert len(loads) == 3  # and none of them for verify=False

    def test_threads_that_start_at_once_load_it_once(self, served, pki, loads):
        server = served()
        together = threading.Barrier(8)
        loads.clear()

        def ask(_: int) -> int:
            together.wait(timeout=5)
            return session.get(server.url, timeout=5).status_code

        with tuned_session() as session, ThreadPoolExecutor(8) as threads:
            session.verify = pki.ours
            assert list(threads.map(ask, range(8))) == [200] * 8
        assert len(loads) == 1
