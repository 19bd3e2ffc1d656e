"""A context is shared for as long as the files that it was read from are the same, no longer."""

from __future__ import annotations

import datetime
import os
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import requests
import trustme
import urllib3
from requests.exceptions import SSLError
from urllib3.exceptions import InsecureRequestWarning

from keptalive import tuned_session

from .hashed import needs_openssl, rehashed

UNVERIFIED = (200, InsecureRequestWarning)
URLLIB3_MATCHES_COMMON_NAMES = urllib3.__version__.startswith("1.")
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


class TestFilesThatChange:
    """`closes`: each request opens a connection, for which requests reads the files again."""

    def test_a_renewed_bundle_is_taken_up(self, afresh, tls_server, pki, write):
        def put(ca: trustme.CA) -> Callable[[], str]:
            return lambda: write("bundle.pem", ca.cert_pem)

        ask = {"verify": put(pki.other_ca)()}
        assert [SSLError, 200, SSLError] == afresh(
            tls_server(closes=True).url,
            put(pki.other_ca),
            ask,
            put(pki.ca),
            ask,
            put(pki.other_ca),
            ask,
        )

    def test_an_authority_taken_out_of_the_bundle_is_no_longer_trusted(
        self, afresh, tls_server, pki, write
    ):
        def both_in() -> str:
            return write("bundle.pem", pki.other_ca.cert_pem, pki.ca.cert_pem)

        ask = {"verify": both_in()}
        assert [200, SSLError] == afresh(
            tls_server(closes=True).url,
            both_in,
            ask,
            lambda: write("bundle.pem", pki.other_ca.cert_pem),
            ask,
        )

    def test_not_even_over_a_connection_that_was_kept(self, tuned, tls_server, pki, write):
        # tuned alone: requests uses it further
        ask = {"verify": write("bundle.pem", pki.ca.cert_pem)}
        assert [200, SSLError] == tuned(
            tls_server().url, ask, lambda: write("bundle.pem", pki.other_ca.cert_pem), ask
        )

    def test_a_bundle_that_is_overwritten_where_it_is_is_taken_up(
        self, afresh, tls_server, pki, tmp_path
    ):
        bundle = tmp_path / "bundle.pem"
        ours, other = pki.ca.cert_pem.bytes(), pki.other_ca.cert_pem.bytes()
        ask = {"verify": str(bundle)}
        assert [200, SSLError] == afresh(
            tls_server(closes=True).url,
            lambda: bundle.write_bytes(ours),
            ask,
            lambda: bundle.write_bytes(other + b"# and nobody else\n"),
            ask,
        )

    def test_a_bundle_that_is_overwritten_with_its_time_and_size_kept_is_taken_up(
        self, afresh, tls_server, pki, tmp_path
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
            tls_server(closes=True).url, lambda: put(parts[0]), ask, lambda: put(parts[1]), ask
        )

    def test_a_bundle_that_a_link_points_to_is_taken_up(self, afresh, tls_server, pki, tmp_path):
        # As Kubernetes does with its secrets
        link = tmp_path / "bundle.pem"

        def point(target: str) -> None:
            (tmp_path / "new").symlink_to(target)
            (tmp_path / "new").replace(link)

        ask = {"verify": str(link)}
        assert [200, SSLError] == afresh(
            tls_server(closes=True).url,
            lambda: point(pki.ours),
            ask,
            lambda: point(pki.other),
            ask,
        )

    def test_a_bundle_that_is_gone_is_missed(self, afresh, tls_server, pki, write, tmp_path):
        ask = {"verify": str(tmp_path / "bundle.pem")}
        assert [200, OSError] == afresh(
            tls_server().url,
            lambda: write("bundle.pem", pki.ca.cert_pem),
            ask,
            (tmp_path / "bundle.pem").unlink,
            ask,
        )

    def test_a_bundle_by_a_relative_path_is_that_of_the_folder_now(
        self, afresh, tls_server, pki, tmp_path, monkeypatch
    ):
        for name, ca in (("ours", pki.ca), ("other", pki.other_ca)):
            (tmp_path / name).mkdir()
            ca.cert_pem.write_to_path(tmp_path / name / "bundle.pem")
        monkeypatch.chdir(tmp_path)
        ask = {"verify": "bundle.pem"}
        assert [200, SSLError] == afresh(
            tls_server(closes=True).url,
            lambda: os.chdir(tmp_path / "ours"),
            ask,
            lambda: os.chdir(tmp_path / "other"),
            ask,
        )

    @needs_openssl
    def test_an_authority_put_into_and_taken_from_a_directory_is_noticed(
        self, afresh, tls_server, pki, tmp_path
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
            tls_server(closes=True).url, ask, put, ask, take, ask
        )

    @needs_openssl
    def test_an_authority_that_a_directory_links_to_is_noticed_when_it_goes(
        self, afresh, tls_server, pki, tmp_path
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
            tls_server(closes=True).url,
            lambda: pki.ca.cert_pem.write_to_path(real),
            ask,
            real.unlink,
            ask,
        )

    def test_a_renewed_client_certificate_is_taken_up(self, agreed, tls_server, pki, write):
        def put(name: str) -> Callable[[], str]:
            return lambda: write("me.pem", pki.client(name).private_key_and_cert_chain_pem)

        server = tls_server(closes=True, demands=True)
        ask = {"cert": put("carol")()}
        assert agreed(server.url, put("carol"), ask, put("dave"), ask, verify=pki.ours) == [
            200,
            200,
        ]
        assert server.clients == ["carol", "dave"] * 2

    def test_a_renewed_client_certificate_does_not_wait_for_the_connections_end(
        self, tuned, tls_server, pki, write
    ):
        # tuned alone: requests goes on under the old name while the connection lasts
        server = tls_server()
        ask = {"cert": write("me.pem", pki.client("carol").private_key_and_cert_chain_pem)}
        tuned(
            server.url,
            ask,
            lambda: write("me.pem", pki.client("dave").private_key_and_cert_chain_pem),
            ask,
            verify=pki.ours,
        )
        assert server.clients == ["carol", "dave"]

    def test_a_renewed_key_alone_no_longer_fits(self, agreed, tls_server, pki, write):
        carol, dave = pki.client("carol"), pki.client("dave")
        ask = {"cert": (write("me.crt", *carol.cert_chain_pems), write("me.key"))}
        assert [200, SSLError, 200] == agreed(
            tls_server(closes=True).url,
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
    def test_a_bundle_is_loaded_once_for_all_connections(self, tls_server, pki, tuned, loads):
        server = tls_server(closes=True)
        loads.clear()
        assert tuned(server.url, *[{"verify": pki.ours}] * 5) == [200] * 5
        assert (server.accepted, len(loads)) == (5, 1)

    def test_which_requests_loads_for_each(self, tls_server, pki, loads):
        server = tls_server(closes=True)
        loads.clear()
        with requests.Session() as session:
            for _ in range(5):
                session.get(server.url, verify=pki.ours, timeout=5)
        assert (server.accepted, len(loads)) == (5, 5)

    def test_a_bundle_is_loaded_once_for_several_hosts(self, tls_server, pki, tuned, loads):
        urls = [tls_server().url for _ in range(3)]
        loads.clear()
        assert tuned(urls[0], *({"url": url} for url in urls), verify=pki.ours) == [200] * 3
        assert len(loads) == 1

    def test_each_setting_has_its_own(self, tls_server, pki, tuned, loads):
        server = tls_server(closes=True)
        loads.clear()
        four = [{"verify": pki.ours}, {"verify": pki.other}, {"verify": False}, {"cert": pki.alice}]
        tuned(server.url, *four * 3, verify=pki.ours)
        assert len(loads) == 3  # and none of them for verify=False

    def test_threads_that_start_at_once_load_it_once(self, tls_server, pki, loads):
        server = tls_server()
        together = threading.Barrier(8)
        loads.clear()

        def ask(_: int) -> int:
            together.wait(timeout=5)
            return session.get(server.url, timeout=5).status_code

        with tuned_session() as session, ThreadPoolExecutor(8) as threads:
            session.verify = pki.ours
            assert list(threads.map(ask, range(8))) == [200] * 8
        assert len(loads) == 1
