"""Proxies: connections are the proxy's, it is named, and whose close it was is said if it shows."""

from __future__ import annotations

import pytest
import requests
from tests.servers.peer import Peer
from tests.servers.scripted import PATIENCE_S
from tests.servers.scripts import Then, tunnel
from tests.verdicts.reading import cause, causes, of, only_host, perfect

from keptalive.watching.api import watch


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_connection_to_a_forward_proxy_serves_every_origin(serve):
    proxy = serve()
    with watch() as watched, requests.Session() as session:
        session.trust_env, session.proxies = False, {"http": proxy.url}
        for host in ("a.test", "b.test", "a.test"):
            session.get(f"http://{host}/", timeout=PATIENCE_S)
    assert (only_host(watched).host, perfect(watched)) == (proxy.url.rstrip("/"), 1)
    assert causes(watched) == {"first-use": 1}


def test_what_a_forward_proxy_closed_idle_was_closed_by_the_proxy(serve):
    closes, clock = Then(Peer.close), Clock()
    proxy = serve(closes)
    name = proxy.url.rstrip("/")
    with watch(clock=clock) as watched, requests.Session() as session:
        session.trust_env, session.proxies = False, {"http": proxy.url}
        for _ in range(2):
            closes.get(session.get, "http://a.test/")
            clock.now += 9
    found = cause(watched, "idle-timeout")
    assert found.facts["proxy"] == name
    assert f"The proxy {name} had closed it (FIN)." in found.evidence
    assert f"learns when the proxy {name} closes idle connections" in found.cure
    assert "the server" not in found.cure


@pytest.mark.parametrize(
    ("closes", "said"),
    [
        (Peer.close, "The proxy {} or the server behind it had closed it (FIN): a tunnel does not"),
        (Peer.say_goodbye, "The server behind the proxy {} had closed it (TLS close)."),
    ],
)
def test_whose_close_it_was_at_the_end_of_a_tunnel_is_said_as_far_as_it_shows(
    closes, said, serve, trusted
):
    script, clock = Then(closes), Clock()
    proxy = serve(tunnel(trusted.server, script))
    name = proxy.url.rstrip("/")
    with watch(clock=clock) as watched, requests.Session() as session:
        session.trust_env, session.verify = False, trusted.bundle
        session.proxies = {"https": proxy.url}
        for _ in range(2):
            script.get(session.get, "https://localhost:1/")
            clock.now += 9
    assert (only_host(watched).via, perfect(watched)) == (name, 1)
    assert said.format(name) in cause(watched, "idle-timeout").evidence
    assert ("more likely the proxy" in cause(watched, "idle-timeout").evidence) == (
        closes is Peer.close
    )
    assert of(watched).warnings == ()
