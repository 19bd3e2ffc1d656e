"""Through proxies: the target and the proxy are each trusted as requests would trust them."""

from __future__ import annotations

import base64
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import trustme
import urllib3
from requests.exceptions import ProxyError, SSLError
from urllib3.exceptions import InsecureRequestWarning

from keptalive import tuned_session

UNVERIFIED = (200, InsecureRequestWarning)
KINDS = ["http", "https"]

# Of an https proxy, urllib3 1.26 loads the bundle for each connection (see `_pool_through`)
URLLIB3_1 = urllib3.__version__.startswith("1.")


@pytest.fixture(params=KINDS)
def proxy(request, start_proxy, pki):
    """A proxy of each kind, trusted by our bundle where it speaks TLS."""
    return start_proxy(pki.ca.issue_cert("localhost") if request.param == "https" else None)


@pytest.fixture
def https_proxy(start_proxy, pki):
    return start_proxy(pki.ca.issue_cert("localhost"))


def through(proxy: Any, credentials: str = "") -> dict[str, str]:
    url = proxy.url.replace("://", f"://{credentials}@") if credentials else proxy.url
    return {"http": url, "https": url}


def methods(proxy: Any) -> list[str]:
    return [request.method for request in proxy.requests]


class TestTheTargetsCertificate:
    def test_of_a_trusted_authority_is_accepted(self, agreed, tls_server, proxy, pki):
        server = tls_server()
        assert agreed(server.url, *[{"verify": pki.ours}] * 2, proxies=through(proxy)) == [200, 200]
        assert (methods(proxy), server.clients) == (["CONNECT"] * 2, [None] * 4)
        assert server.names == ["localhost"] * 2

    def test_of_another_authority_is_refused(self, agreed, tls_server, proxy, pki):
        server = tls_server(pki.other_ca.issue_cert("localhost"))
        assert [SSLError] == agreed(server.url, {"verify": pki.ours}, proxies=through(proxy))
        assert (server.requests, proxy.accepted) == ([], 2)

    def test_for_another_host_is_refused(self, agreed, tls_server, proxy, pki):
        server = tls_server(pki.ca.issue_cert("example.org"))
        assert [SSLError, 200] == agreed(
            server.url,
            {"verify": pki.ours},
            {"verify": pki.ours, "url": server.at("example.org")},
            proxies=through(proxy),
        )

    def test_for_the_proxys_host_is_refused(self, agreed, tls_server, proxy, pki):
        # localhost is the proxy: no name of it may do for the target
        assert [SSLError] == agreed(
            tls_server().at("example.org"), {"verify": pki.ours}, proxies=through(proxy)
        )

    def test_does_not_matter_to_who_verifies_nothing(self, agreed, tls_server, proxy):
        server = tls_server(trustme.CA().issue_cert("example.org"))
        [outcome] = agreed(server.url, {"verify": False}, proxies=through(proxy))
        assert outcome[:2] == UNVERIFIED

    def test_needs_a_bundle_that_is_there(self, agreed, tls_server, proxy):
        assert [OSError] == agreed(tls_server().url, {"verify": "/missing"}, proxies=through(proxy))

    def test_needs_a_bundle_that_can_be_read(self, tuned, tls_server, proxy, write):
        # tuned alone: in front of an https proxy requests calls this a ProxyError
        garbage = write("none.pem", trustme.Blob(b"garbage\n"))
        assert [SSLError] == tuned(tls_server().url, {"verify": garbage}, proxies=through(proxy))
        assert proxy.accepted == 0

    def test_is_verified_by_the_environments_bundle(
        self, agreed, tls_server, proxy, pki, monkeypatch
    ):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki.ours)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert agreed(tls_server().url, {}) == [200]
        assert methods(proxy) == ["CONNECT"] * 2


class TestTheProxysCertificate:
    def test_of_another_authority_is_refused(self, agreed, tls_server, start_proxy, pki):
        proxy = start_proxy(pki.other_ca.issue_cert("localhost"))
        server = tls_server()
        [outcome] = agreed(server.url, {"verify": pki.ours}, proxies=through(proxy))
        assert issubclass(outcome, ProxyError | SSLError)
        assert (server.accepted, proxy.requests) == (0, [])

    def test_for_another_host_is_refused(self, agreed, tls_server, start_proxy, pki):
        proxy = start_proxy(pki.ca.issue_cert("example.org"))
        server = tls_server()
        [outcome] = agreed(server.url, {"verify": pki.ours}, proxies=through(proxy))
        assert issubclass(outcome, ProxyError | SSLError)
        assert (server.accepted, proxy.requests) == (0, [])

    def test_for_the_targets_host_is_refused(self, agreed, tls_server, start_proxy, pki):
        proxy = start_proxy(pki.ca.issue_cert("example.org"))
        server = tls_server(pki.ca.issue_cert("example.org"))
        [outcome] = agreed(server.at("example.org"), {"verify": pki.ours}, proxies=through(proxy))
        assert issubclass(outcome, ProxyError | SSLError)
        assert proxy.requests == []

    def test_is_refused_whatever_was_reached_directly_before(
        self, strictly, tls_server, start_proxy, pki
    ):
        proxy = start_proxy(pki.other_ca.issue_cert("localhost"))
        ask = {"verify": pki.ours}
        outcomes = strictly(tls_server().url, ask, {**ask, "proxies": through(proxy)}, ask)
        assert outcomes[::2] == [200, 200]
        assert issubclass(outcomes[1], ProxyError | SSLError)

    def test_does_not_matter_to_who_verifies_nothing(self, agreed, tls_server, start_proxy, pki):
        proxy = start_proxy(pki.other_ca.issue_cert("example.org"))
        [outcome] = agreed(tls_server().url, {"verify": False}, proxies=through(proxy))
        assert outcome[:2] == UNVERIFIED


class TestSettingsThatAlternateThroughOneProxy:
    def test_never_meet_in_whatever_order(self, strictly, tls_server, start_proxy, pki, write):
        # An http proxy: one of ours with TLS would refuse before the target could
        proxy = start_proxy()
        url = tls_server().url
        expected = {pki.ours: 200, pki.other: SSLError, False: UNVERIFIED}
        for order in itertools.permutations(expected):
            assert [expected[verify] for verify in order * 2] == strictly(
                url, *({"verify": verify} for verify in order * 2), proxies=through(proxy)
            )

    def test_never_meet_in_whatever_order_for_the_proxys_own_trust(
        self, strictly, tls_server, https_proxy, pki
    ):
        url = tls_server().url
        fine = {pki.ours: True, pki.other: False, False: True}
        for order in itertools.permutations(fine):
            outcomes = strictly(
                url, *({"verify": verify} for verify in order * 2), proxies=through(https_proxy)
            )
            assert [fine[verify] for verify in order * 2] == [
                not isinstance(outcome, type) for outcome in outcomes
            ]
            assert all(
                isinstance(outcome, tuple) == (verify is False)
                for verify, outcome in zip(order * 2, outcomes, strict=True)
                if fine[verify]
            )

    def test_trust_in_the_target_is_none_in_the_proxy_nor_the_other_way_round(
        self, strictly, tls_server, start_proxy, pki, write
    ):
        proxy = start_proxy(pki.other_ca.issue_cert("localhost"))
        two = {"verify": write("two.pem", pki.ca.cert_pem, pki.other_ca.cert_pem)}
        server = tls_server()
        outcomes = strictly(
            server.url,
            two,
            {"verify": pki.ours},
            {"verify": pki.other},
            two,
            proxies=through(proxy),
        )
        assert outcomes[::3] == [200, 200]
        assert issubclass(outcomes[1], ProxyError | SSLError)
        assert SSLError is outcomes[2]

    def test_never_meet_across_threads(self, tls_server, proxy, pki):
        url = tls_server().url
        settings = [
            (verify, cert) for verify in (pki.ours, pki.other, False) for cert in (None, pki.alice)
        ]
        together = threading.Barrier(8)

        def ask(number: int) -> list[tuple[bool, bool]]:
            together.wait(timeout=5)
            turned = settings[number % 6 :] + settings[: number % 6]
            return [(verify != pki.other, accepted(verify, cert)) for verify, cert in turned * 2]

        def accepted(verify: Any, cert: str | None) -> bool:
            try:
                return session.get(url, verify=verify, cert=cert, timeout=5).status_code == 200
            except (ProxyError, SSLError):
                return False

        with tuned_session() as session, ThreadPoolExecutor(8) as threads:
            session.proxies = through(proxy)
            with pytest.warns(InsecureRequestWarning):
                outcomes = list(itertools.chain(*threads.map(ask, range(8))))
        assert [wanted for wanted, _ in outcomes] == [became for _, became in outcomes]


class TestTheClientsCertificate:
    def test_is_for_the_target_and_never_for_the_proxy(
        self, strictly, both, tls_server, proxy, pki
    ):
        server = tls_server()
        assert (
            strictly(
                server.url,
                {"cert": pki.alice},
                {"cert": pki.bob},
                {},
                {"cert": pki.alice},
                proxies=through(proxy),
                verify=pki.ours,
            )
            == [200] * 4
        )
        assert ["alice", "bob", None, "alice"] * both == server.clients
        assert {None} == set(proxy.clients)

    def test_is_not_for_the_proxy_either_when_nothing_is_verified(
        self, agreed, tls_server, proxy, pki
    ):
        server = tls_server(demands=True)
        agreed(server.url, {"cert": pki.alice}, proxies=through(proxy), verify=False)
        assert (["alice"] * 2, {None}) == (server.clients, set(proxy.clients))

    def test_that_is_missing_is_refused_by_a_target_that_demands_it(
        self, agreed, tls_server, proxy, pki
    ):
        assert [SSLError] == agreed(
            tls_server(demands=True).url, {"verify": pki.ours}, proxies=through(proxy)
        )

    def test_of_an_http_request_is_not_for_the_proxy(self, tuned, plain_server, https_proxy, pki):
        # tuned alone: with urllib3 1.26 requests shows it
        tuned(
            plain_server.url,
            {"cert": pki.alice},
            {},
            {"cert": pki.bob},
            proxies=through(https_proxy),
            verify=pki.ours,
        )
        assert https_proxy.clients == [None] * 3

    def test_with_the_key_of_another_is_an_error(self, agreed, tls_server, proxy, pki):
        cert = (pki.alice, pki.bob)
        assert [SSLError] == agreed(
            tls_server().url, {"cert": cert, "verify": pki.ours}, proxies=through(proxy)
        )

    def test_that_is_renewed_is_taken_up(self, agreed, tls_server, proxy, pki, write):
        server = tls_server(closes=True)
        leaves = {
            name: pki.client(name).private_key_and_cert_chain_pem for name in ("carol", "dave")
        }
        ask = {"cert": write("me.pem", leaves["carol"])}
        assert agreed(
            server.url,
            lambda: write("me.pem", leaves["carol"]),
            ask,
            lambda: write("me.pem", leaves["dave"]),
            ask,
            proxies=through(proxy),
            verify=pki.ours,
        ) == [200, 200]
        assert server.clients == ["carol", "dave"] * 2


class TestABundleThatChanges:
    def test_is_taken_up_for_the_target(self, afresh, tls_server, start_proxy, pki, write):
        proxy = start_proxy()
        ask = {"verify": write("bundle.pem", pki.ca.cert_pem)}
        assert [200, SSLError] == afresh(
            tls_server(closes=True).url,
            lambda: write("bundle.pem", pki.ca.cert_pem),
            ask,
            lambda: write("bundle.pem", pki.other_ca.cert_pem),
            ask,
            proxies=through(proxy),
        )

    def test_is_taken_up_for_the_proxy(self, agreed, tls_server, start_proxy, pki, write):
        proxy = start_proxy(pki.other_ca.issue_cert("localhost"))
        ask = {"verify": write("bundle.pem", pki.ca.cert_pem, pki.other_ca.cert_pem)}
        [first, second] = agreed(
            tls_server(closes=True).url,
            lambda: write("bundle.pem", pki.ca.cert_pem, pki.other_ca.cert_pem),
            ask,
            lambda: write("bundle.pem", pki.ca.cert_pem),
            ask,
            proxies=through(proxy),
        )
        assert first == 200
        assert issubclass(second, ProxyError | SSLError)


class TestHttpTargets:
    def test_are_forwarded(self, agreed, plain_server, start_proxy):
        proxy = start_proxy()
        assert agreed(plain_server.url, {}, {}, proxies=through(proxy)) == [200, 200]
        assert methods(proxy) == ["GET"] * 4
        assert [plain_server.url] * 4 == [request.target for request in proxy.requests]
        assert len(plain_server.requests) == 4

    @pytest.mark.parametrize("verify", [True, False, "ours", "other"])
    def test_are_forwarded_by_an_https_proxy_that_requests_does_not_verify(
        self, tuned, agreed, plain_server, https_proxy, pki, verify
    ):
        ask = {"verify": getattr(pki, verify) if isinstance(verify, str) else verify}
        # requests 2.32.0 to 2.32.4 break down at True, over a context that they share
        asked = tuned if hasattr(requests.adapters, "_preloaded_ssl_context") else agreed
        outcomes = asked(plain_server.url, ask, ask, proxies=through(https_proxy))
        assert outcomes == [UNVERIFIED, UNVERIFIED]
        assert {"GET"} == set(methods(https_proxy))

    def test_with_a_client_certificate_that_is_missing_are_an_error(
        self, agreed, plain_server, proxy
    ):
        ask = {"cert": "/missing"}
        assert [OSError] == agreed(plain_server.url, ask, proxies=through(proxy))

    def test_leave_no_unverified_connection_for_https_targets(
        self, strictly, plain_server, tls_server, start_proxy, pki
    ):
        proxy = start_proxy(pki.other_ca.issue_cert("localhost"))
        server = tls_server()
        outcomes = strictly(
            server.url,
            {"url": plain_server.url},
            {},
            {"url": plain_server.url, "cert": pki.alice},
            {},
            proxies=through(proxy),
            verify=pki.ours,
        )
        assert all(issubclass(outcome, ProxyError | SSLError) for outcome in outcomes[1::2])
        assert server.accepted == 0

    def test_leave_no_unverified_connection_for_the_proxys_own_pages(
        self, strictly, plain_server, tls_server, start_proxy, pki
    ):
        # Asked for directly, it is a target like any other
        proxy = start_proxy(pki.other_ca.issue_cert("localhost"))
        outcomes = strictly(
            plain_server.url,
            {"proxies": through(proxy)},
            {"url": proxy.url},
            verify=pki.ours,
        )
        assert SSLError is outcomes[1]


class TestCredentials:
    BASIC = "Basic " + base64.b64encode(b"user:secret").decode()

    def said(self, listener: Any) -> list[str | None]:
        return [request.headers.get("proxy-authorization") for request in listener.requests]

    def test_for_the_proxy_are_not_for_the_target(self, agreed, tls_server, proxy, pki):
        server = tls_server()
        ask = {"verify": pki.ours, "proxies": through(proxy, "user:secret")}
        assert agreed(server.url, ask, ask, {"verify": pki.ours}) == [200, 200, 200]
        assert self.said(proxy) == [self.BASIC] * 2
        assert self.said(server) == [None] * 6
        assert not any("authorization" in request.headers for request in server.requests)

    def test_for_the_proxy_are_sent_with_what_it_forwards(self, agreed, plain_server, start_proxy):
        proxy = start_proxy()
        agreed(
            plain_server.url,
            {"proxies": through(proxy, "user:secret")},
            {"proxies": through(proxy)},
            {},
        )
        assert self.said(proxy) == [self.BASIC, None] * 2
        assert self.said(plain_server) == [None] * 6

    def test_of_one_proxy_are_not_for_another(self, agreed, tls_server, start_proxy, pki):
        one, other = start_proxy(), start_proxy()
        agreed(
            tls_server().url,
            {"proxies": through(one, "user:secret")},
            {"proxies": through(other)},
            verify=pki.ours,
        )
        assert (self.said(one), self.said(other)) == ([self.BASIC] * 2, [None] * 2)

    def test_for_the_target_are_not_for_the_proxy(self, agreed, tls_server, proxy, pki):
        server = tls_server()
        agreed(server.url, {"auth": ("me", "mine")}, verify=pki.ours, proxies=through(proxy))
        assert all("authorization" in request.headers for request in server.requests)
        assert not any("authorization" in request.headers for request in proxy.requests)


class TestSharedContexts:
    def test_a_bundle_is_loaded_once_for_all_tunnels(
        self, tls_server, start_proxy, pki, tuned, loads
    ):
        server, proxy = tls_server(closes=True), start_proxy()
        loads.clear()
        assert tuned(server.url, *[{"verify": pki.ours}] * 5, proxies=through(proxy)) == [200] * 5
        assert (proxy.accepted, len(loads)) == (5, 1)

    def test_a_bundle_is_loaded_once_for_the_https_proxy_too(
        self, tls_server, https_proxy, pki, tuned, loads
    ):
        server = tls_server(closes=True)
        loads.clear()
        assert (
            tuned(server.url, *[{"verify": pki.ours}] * 5, proxies=through(https_proxy))
            == [200] * 5
        )
        # urllib3 1.26: for the proxy and for the target, each time
        assert (5, 11 if URLLIB3_1 else 1) == (https_proxy.accepted, len(loads))

    @pytest.mark.skipif(URLLIB3_1, reason="loads for each connection to an https proxy")
    def test_a_client_certificate_makes_two_of_it_one_for_the_proxy(
        self, tls_server, https_proxy, pki, tuned, loads
    ):
        server = tls_server(closes=True)
        loads.clear()
        ask = {"verify": pki.ours, "cert": pki.alice}
        assert tuned(server.url, *[ask] * 5, proxies=through(https_proxy)) == [200] * 5
        assert (https_proxy.accepted, len(loads)) == (5, 2)

    def test_threads_that_start_at_once_load_it_once(self, tls_server, start_proxy, pki, loads):
        server, proxy = tls_server(), start_proxy()
        together = threading.Barrier(8)
        loads.clear()

        def ask(_: int) -> int:
            together.wait(timeout=5)
            return session.get(server.url, timeout=5).status_code

        with tuned_session() as session, ThreadPoolExecutor(8) as threads:
            session.verify, session.proxies = pki.ours, through(proxy)
            assert list(threads.map(ask, range(8))) == [200] * 8
        assert len(loads) == 1

    def test_which_requests_loads_for_each_tunnel(self, tls_server, start_proxy, pki, loads):
        server, proxy = tls_server(closes=True), start_proxy()
        loads.clear()
        with requests.Session() as session:
            for _ in range(5):
                session.get(server.url, verify=pki.ours, proxies=through(proxy), timeout=5)
        assert (proxy.accepted, len(loads)) == (5, 5)
