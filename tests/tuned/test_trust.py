"""Towards a server: trusted is whom requests would trust, by exactly what each request names."""

from __future__ import annotations

import datetime
import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import certifi
import pytest
import trustme
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from requests.exceptions import SSLError
from urllib3.exceptions import InsecureRequestWarning
from urllib3.util.ssl_ import create_urllib3_context

from keptalive import tuned_session

from .hashed import needs_openssl, rehashed

UNVERIFIED = (200, InsecureRequestWarning)
URLLIB3_MATCHES_COMMON_NAMES = urllib3.__version__.startswith("1.")
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


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


class TestTheServersCertificate:
    def test_of_a_trusted_authority_is_accepted(self, agreed, tls_server, pki):
        assert agreed(tls_server().url, {"verify": pki.ours}) == [200]

    def test_of_another_authority_is_refused(self, agreed, tls_server, pki):
        assert [SSLError, SSLError] == agreed(tls_server().url, {"verify": pki.other}, {})

    @pytest.mark.parametrize("names", [["127.0.0.1"], ["example.org"], ["*.localhost"]])
    def test_for_another_host_is_refused(self, agreed, tls_server, pki, names):
        server = tls_server(pki.ca.issue_cert(*names))
        assert [SSLError, UNVERIFIED] == agreed(
            server.url, {"verify": pki.ours}, {"verify": False, "headers": {"Connection": "close"}}
        )

    def test_counts_for_an_address_only_if_it_names_the_address(self, agreed, tls_server, pki):
        named = tls_server(pki.ca.issue_cert("127.0.0.1"))
        unnamed = tls_server(pki.ca.issue_cert("localhost", "127.0.0.2"))
        assert [200, SSLError] == agreed(
            named.at("127.0.0.1"),
            {"verify": pki.ours},
            {"verify": pki.ours, "url": unnamed.at("127.0.0.1")},
        )

    def test_is_asked_for_by_the_hosts_name_and_for_an_address_by_none(
        self, agreed, tls_server, pki
    ):
        server = tls_server(pki.ca.issue_cert("localhost", "127.0.0.1"))
        verify = {"verify": pki.ours}
        agreed(server.url, verify, {**verify, "url": server.at("127.0.0.1")})
        assert server.names == ["localhost", None] * 2

    def test_with_the_host_only_as_its_common_name_is_judged_alike(self, agreed, tls_server, pki):
        server = tls_server(pki.ca.issue_cert(common_name="localhost"))
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
    def test_out_of_its_time_is_refused(self, agreed, tls_server, pki, period):
        server = tls_server(pki.ca.issue_cert("localhost", **period))
        assert [SSLError, UNVERIFIED] == agreed(server.url, {"verify": pki.ours}, {"verify": False})

    def test_signed_by_itself_is_accepted_only_if_it_is_the_bundle(
        self, agreed, tls_server, pki, write
    ):
        cert, pem = self_signed("localhost")
        url = tls_server(cert).url
        assert [SSLError, SSLError] == agreed(url, {"verify": pki.ours}, {})
        assert agreed(url, {"verify": write("self.pem", pem)}) == [200]

    def test_by_an_intermediate_needs_the_chain_from_each_server(self, agreed, tls_server, pki):
        leaf = pki.ca.create_child_ca().issue_cert("localhost")
        alone = trustme.LeafCert(leaf.private_key_pem.bytes(), leaf.cert_chain_pems[0].bytes(), [])
        verify = {"verify": pki.ours}
        assert [200, SSLError, 200] == agreed(
            tls_server(leaf, closes=True).url,
            verify,
            {**verify, "url": tls_server(alone).url},
            verify,
        )

    def test_is_accepted_by_its_intermediate_alone_where_urllib3_says_so(
        self, agreed, tls_server, pki, write
    ):
        child = pki.ca.create_child_ca()
        url = tls_server(child.issue_cert("localhost")).url
        partial = create_urllib3_context().verify_flags & 0x80000  # VERIFY_X509_PARTIAL_CHAIN
        assert [200 if partial else SSLError] == agreed(
            url, {"verify": write("child.pem", child.cert_pem)}
        )


class TestVerify:
    def test_false_accepts_anything_and_warns_each_time(self, agreed, tls_server, pki):
        cert = trustme.CA().issue_cert("example.org", not_after=NOW - DAY)
        assert agreed(tls_server(cert).url, *[{"verify": False}] * 2) == [UNVERIFIED, UNVERIFIED]

    def test_false_warns_as_any_warning_does(self, tls_server):
        with tuned_session() as session, pytest.warns(InsecureRequestWarning, match="localhost"):
            assert session.get(tls_server().url, verify=False, timeout=5).status_code == 200

    @needs_openssl
    def test_a_directory_is_the_authorities_in_it(self, strictly, tls_server, pki, tmp_path):
        url = tls_server(closes=True).url
        right = rehashed(tmp_path / "right", ours=pki.ca, other=pki.other_ca)
        wrong = rehashed(tmp_path / "wrong", other=pki.other_ca)
        assert [200, SSLError, 200] == strictly(
            url, {"verify": right}, {"verify": wrong}, {"verify": right}
        )

    def test_a_directory_without_hashed_names_holds_none(self, agreed, tls_server, pki, tmp_path):
        pki.ca.cert_pem.write_to_path(tmp_path / "ours.pem")
        assert [SSLError] == agreed(tls_server().url, {"verify": str(tmp_path)})

    def test_a_missing_file_is_an_error_before_anything_is_sent(self, agreed, tls_server, tmp_path):
        server = tls_server()
        assert [OSError] == agreed(server.url, {"verify": str(tmp_path / "missing.pem")})
        assert server.accepted == 0

    def test_a_missing_file_is_an_error_though_a_connection_is_kept(self, agreed, tls_server, pki):
        verify = {"verify": pki.ours}
        assert [200, OSError, 200] == agreed(
            tls_server().url, verify, {"verify": "/missing"}, verify
        )

    @pytest.mark.parametrize("content", [b"", b"garbage\n", b"-----BEGIN CERTIFICATE-----\n"])
    def test_a_file_without_certificates_is_an_error(self, agreed, tls_server, write, content):
        path = write("none.pem", trustme.Blob(content))
        assert [SSLError, SSLError] == agreed(tls_server().url, *[{"verify": path}] * 2)

    @pytest.mark.parametrize("said", [{"verify": ""}, {"verify": 0}])
    def test_what_is_neither_true_nor_a_name_verifies_nothing(self, agreed, tls_server, said):
        assert agreed(tls_server().url, said) == [UNVERIFIED]

    def test_none_of_request_and_session_verifies_nothing(self, agreed, tls_server):
        assert agreed(tls_server().url, {"verify": None}, verify=None) == [UNVERIFIED]

    def test_none_of_a_request_stands_for_the_sessions(self, agreed, tls_server, pki):
        url = tls_server().url
        assert agreed(url, {"verify": None}, verify=pki.ours) == [200]
        assert [SSLError] == agreed(url, {"verify": None})

    def test_of_a_request_beats_the_sessions(self, strictly, tls_server, pki):
        assert [200, SSLError, UNVERIFIED, SSLError, 200] == strictly(
            tls_server().url,
            {},
            {"verify": pki.other},
            {"verify": False},
            {"verify": True},
            {},
            verify=pki.ours,
        )

    def test_a_path_object_is_the_bundle_it_names(self, tuned, tls_server, pki):
        # tuned alone: to requests 2.32 and later, each Path and True are one (build_connection_...)
        ours, other = Path(pki.ours), Path(pki.other)
        assert [200, SSLError, SSLError, 200] == tuned(
            tls_server().url, {"verify": ours}, {"verify": other}, {}, {"verify": ours}
        )

    def test_a_file_that_is_called_like_a_setting_is_a_file(
        self, strictly, tls_server, pki, write, monkeypatch, tmp_path
    ):
        write("False", pki.other_ca.cert_pem)
        write("True", pki.ca.cert_pem)
        monkeypatch.chdir(tmp_path)
        names = {False: UNVERIFIED, "False": SSLError, "True": 200, True: SSLError}
        asks = [{"verify": name} for name in names]
        assert strictly(tls_server().url, *asks, *asks) == [*names.values()] * 2

    def test_a_path_object_does_not_stand_for_the_default_bundle(
        self, tuned, tls_server, pki, monkeypatch
    ):
        # tuned alone: requests 2.32.3 would load it into a context for the whole process
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", pki.ours)
        assert [200, SSLError] == tuned(tls_server().url, {}, {"verify": Path(certifi.where())})


class TestTheEnvironment:
    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_names_a_bundle_for_those_who_name_none(
        self, agreed, tls_server, pki, monkeypatch, name
    ):
        monkeypatch.setenv(name, pki.ours)
        url = tls_server(closes=True).url
        assert agreed(url, {}, {"verify": True}, {"verify": None}) == [200, 200, 200]

    def test_beats_the_sessions_bundle_but_not_the_requests(
        self, strictly, tls_server, pki, monkeypatch
    ):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki.ours)
        assert [200, 200, SSLError, UNVERIFIED, 200] == strictly(
            tls_server().url,
            {},
            {"verify": True},
            {"verify": pki.other},
            {"verify": False},
            {},
            verify=pki.other,
        )

    def test_beats_even_a_session_that_verifies_nothing(self, agreed, tls_server, pki, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki.other)
        assert [SSLError] == agreed(tls_server().url, {}, verify=False)

    def test_means_requests_own_name_first(self, agreed, tls_server, pki, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki.other)
        monkeypatch.setenv("CURL_CA_BUNDLE", pki.ours)
        assert [SSLError] == agreed(tls_server().url, {})

    def test_means_nothing_by_an_empty_name(self, agreed, tls_server, pki, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
        monkeypatch.setenv("CURL_CA_BUNDLE", "")
        assert [SSLError, 200] == agreed(tls_server().url, {}, {"verify": pki.ours})

    def test_gets_an_error_about_a_bundle_that_is_missing(self, agreed, tls_server, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/missing")
        assert [OSError] == agreed(tls_server().url, {})

    def test_is_not_asked_by_a_session_that_does_not_trust_it(
        self, agreed, tls_server, pki, monkeypatch
    ):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki.ours)
        monkeypatch.setenv("CURL_CA_BUNDLE", pki.ours)
        url = tls_server().url
        assert [SSLError] == agreed(url, {}, trust_env=False)
        assert agreed(url, {}, trust_env=False, verify=pki.ours) == [200]

    def test_has_no_say_through_openssls_own_variables(
        self, agreed, tls_server, pki, monkeypatch, tmp_path
    ):
        monkeypatch.setenv("SSL_CERT_FILE", pki.ours)
        monkeypatch.setenv("SSL_CERT_DIR", str(Path(pki.ours).parent))
        assert [SSLError, SSLError] == agreed(tls_server().url, {}, {"verify": pki.other})


class TestSettingsThatAlternate:
    def test_never_meet_in_whatever_order(self, strictly, tls_server, pki, write):
        url = tls_server().url
        two = write("two.pem", pki.other_ca.cert_pem, pki.ca.cert_pem)
        expected = {pki.ours: 200, two: 200, pki.other: SSLError, False: UNVERIFIED}
        for order in itertools.permutations(expected):
            once_more = (*order, order[0])
            assert [expected[verify] for verify in once_more] == strictly(
                url, *({"verify": verify} for verify in once_more)
            )

    @pytest.mark.parametrize("verify", ["ours", "other", False])
    def test_never_meet_the_default(self, strictly, tls_server, pki, verify):
        expected = {"ours": 200, "other": SSLError, False: UNVERIFIED}[verify]
        ask = {"verify": getattr(pki, verify) if verify else verify}
        url = tls_server().url
        assert [expected, SSLError, expected] == strictly(url, ask, {}, ask)
        assert [SSLError, expected, SSLError] == strictly(url, {}, ask, {"verify": True})

    def test_not_verifying_first_opens_no_way_round_verifying(self, strictly, tls_server):
        # CVE-2024-35195: the connection is kept, and is not to be met
        server = tls_server()
        assert [UNVERIFIED, SSLError, SSLError] == strictly(
            server.url, {"verify": False}, {"verify": True}, {}
        )
        assert {request.method for request in server.requests} == {"GET"}

    def test_each_keep_a_connection_of_their_own(self, tuned, tls_server, pki):
        server = tls_server()
        three = [{"verify": pki.ours}, {"verify": False}, {"verify": pki.ours, "cert": pki.alice}]
        assert tuned(server.url, *three * 4) == [200, UNVERIFIED, 200] * 4
        assert server.accepted == 3

    def test_never_meet_though_there_are_more_than_are_kept(
        self, strictly, both, tls_server, pki, write
    ):
        server = tls_server()
        names = [f"client-{number}" for number in range(25)]
        asks = [
            {"cert": write(f"{name}.pem", pki.client(name).private_key_and_cert_chain_pem)}
            for name in names
        ]
        strictly(server.url, *asks * 2, verify=pki.ours)
        assert names * 2 * both == server.clients

    def test_never_meet_across_threads(self, tls_server, pki):
        url = tls_server().url
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
