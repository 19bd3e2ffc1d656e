"""What is learned through proxies: of the forward proxy itself, or of the tunnel through one."""

from __future__ import annotations

import pytest
import requests
from tests.servers.peer import Peer, Script, answers
from tests.servers.pki import Trusted
from tests.servers.scripted import Server
from tests.servers.scripts import hangs_up, proxy, tunnel
from tests.tuned.conftest import Clock, only

from keptalive import SafeRetry, tuned_session

TARGET = "https://target.test/"


def closes_under_the_second() -> Script:
    """Answer one request, and close when another one has come."""

    def script(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        peer.request()

    return script


def through(session: requests.Session, proxy: Server, login: str = "") -> None:
    url = proxy.url.replace("://", f"://{login}")
    session.trust_env, session.proxies = False, {"http": url, "https": url}


# A forward proxy: one route, whatever the origin


def test_of_a_forward_proxy_all_origins_learn_together(clock: Clock) -> None:
    with Server() as forward, tuned_session() as session:
        through(session, forward)
        for name in ("a.test", "b.test", "c.test"):
            assert session.get(f"http://{name}/").ok
            clock.now += 20
        assert list(session.learned()) == [forward.url.rstrip("/")]
        assert only(session).kept_s == 20
        assert session.post("http://d.test/").ok
        assert forward.accepted == 2  # 18 s are safe
        clock.now += 17
        assert session.post("http://e.test/").ok
        assert forward.accepted == 2


def test_a_post_never_meets_the_close_of_a_forward_proxy(clock: Clock) -> None:
    scripts = closes_under_the_second(), closes_under_the_second(), answers()
    with Server(*scripts) as forward, tuned_session() as session:
        through(session, forward)
        assert session.get("http://a.test/").ok
        clock.now += 5
        assert session.get("http://a.test/").ok  # sent again
        assert only(session).closed_s == 5
        clock.now += 5
        assert session.post("http://b.test/", data=b"once").ok
        assert forward.bodies.count(b"once") == 1
        assert (forward.accepted, len(forward.requests)) == (3, 4)


def test_a_real_forward_proxy_counts_as_one_route_beside_its_server(clock: Clock) -> None:
    with Server() as server, Server(proxy) as forward, tuned_session() as session:
        session.trust_env = False
        for proxies in ({}, {"http": forward.url}) * 2:
            assert session.get(server.url, proxies=proxies).ok
            clock.now += 3
        assert list(session.learned()) == [server.url.rstrip("/"), forward.url.rstrip("/")]
        assert {learned.kept_s for learned in session.learned().values()} == {6}


# A tunnel: a route of its own for each origin


def test_a_tunnel_is_a_route_and_a_post_gets_a_fresh_one(clock: Clock, trusted: Trusted) -> None:
    scripts = [tunnel(trusted.server, script) for script in (closes_under_the_second(), answers())]
    with Server(*scripts) as tunnels, tuned_session() as session:
        through(session, tunnels)
        session.verify = trusted.bundle
        assert session.get(TARGET).ok
        clock.now += 5
        assert session.post(TARGET, data=b"once").ok
        methods = [request.method for request in tunnels.requests]
        assert methods == ["CONNECT", "GET", "CONNECT", "POST"]
        assert list(session.learned()) == [f"https://target.test through {tunnels.url.rstrip('/')}"]
        clock.now += 3
        assert session.post(TARGET).ok  # the first one has survived 5 s, and is known by now
        assert tunnels.accepted == 2


def test_a_tunnel_that_closes_under_a_get_teaches_its_time(clock: Clock, trusted: Trusted) -> None:
    scripts = [tunnel(trusted.server, script) for script in (closes_under_the_second(), answers())]
    with Server(*scripts) as tunnels, tuned_session() as session:
        through(session, tunnels)
        session.verify = trusted.bundle
        session.get(TARGET)
        clock.now += 5
        assert session.get(TARGET).ok
        assert only(session).closed_s == 5
        assert [request.method for request in tunnels.requests].count("CONNECT") == 2


def test_a_tunnel_within_tls_learns_though_its_socket_says_little(
    clock: Clock, trusted: Trusted
) -> None:
    with (
        Server(tls=trusted.server, host="localhost") as server,
        Server(proxy, tls=trusted.server, host="localhost") as tunnels,
        tuned_session() as session,
    ):
        through(session, tunnels)
        session.verify = trusted.bundle
        for method in ("GET", "GET", "POST"):
            assert session.request(method, server.url).ok
            clock.now += 10
        assert server.accepted == tunnels.accepted == 2  # of 10 s, 9 are safe
        assert only(session).kept_s == 10


# Secrets


def test_the_login_of_a_proxy_is_no_part_of_what_was_learned(clock: Clock) -> None:
    with Server() as forward, tuned_session() as session:
        through(session, forward, login="me:my-password@")
        for _ in range(2):
            session.get("http://a.test/")
            clock.now += 5
        assert list(session.learned()) == [forward.url.rstrip("/")]
        assert "my-password" not in session.describe()


# What is sent again: urllib3 calls each broken connection to a proxy a ProxyError


def test_a_get_on_a_stale_connection_to_a_proxy_is_sent_again_and_a_post_is_not(
    clock: Clock,
) -> None:
    scripts = closes_under_the_second(), closes_under_the_second(), answers()
    with Server(*scripts) as forward, tuned_session(max_idle=None) as session:
        through(session, forward)
        for _ in range(2):
            assert session.get("http://a.test/").ok
        with pytest.raises(requests.exceptions.ProxyError):
            session.post("http://a.test/", data=b"once")
        assert forward.bodies.count(b"once") == 1


def test_a_proxy_that_always_hangs_up_is_given_up_with_the_error_of_a_proxy() -> None:
    with Server(hangs_up) as forward, tuned_session(max_retries=SafeRetry(1)) as session:
        through(session, forward)
        with pytest.raises(requests.exceptions.ProxyError):
            session.get("http://a.test/")
        assert forward.accepted == 2


def test_a_proxy_that_refuses_is_the_error_of_a_proxy(refusing: str) -> None:
    with tuned_session() as session:
        session.trust_env, session.proxies = False, {"http": refusing}
        with pytest.raises(requests.exceptions.ProxyError):
            session.get("http://a.test/")
