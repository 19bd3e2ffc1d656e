"""What a server gets from a probe: whole requests, one at a time, from whom and by which way."""

from __future__ import annotations

import base64
import socket
import threading

import pytest
from tests.probe.conftest import QUICK, names
from tests.servers.peer import answers
from tests.servers.scripts import proxy, tunnel

from keptalive.errors import TargetError, UsageError
from keptalive.probe.events import Ended
from keptalive.probe.judge import judged
from keptalive.probe.prober import Prober
from keptalive.probe.route import USER_AGENT, route_to
from keptalive.probe.watcher import Watcher


class Counting:
    """A script that counts the connections that are open, and the requests in flight."""

    def __init__(self):
        self._lock = threading.Lock()
        self.open = self.in_flight = self.most_open = self.most_in_flight = 0

    def __call__(self, peer):
        self._add(opened=1)
        while peer.request():
            self._add(flying=1)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
            self._add(flying=-1)
            peer.send(b"k")
        self._add(opened=-1)

    def _add(self, opened=0, flying=0):
        with self._lock:
            self.open += opened
            self.in_flight += flying
            self.most_open = max(self.most_open, self.open)
            self.most_in_flight = max(self.most_in_flight, self.in_flight)


def test_one_request_is_in_flight_at_a_time_and_few_connections_are_open(serve, probe):
    counting = Counting()
    server = serve(counting)
    report = probe(server.url, watch_s=0.05)
    assert counting.most_in_flight == 1
    assert counting.most_open == report.connections == server.accepted == 4
    assert report.requests == len(server.requests) == 8 + 3 + 1


def test_a_request_says_who_sends_it_and_asks_to_keep_the_connection(serve, probe):
    server = serve(answers(closes=True))
    probe(f"{server.url}a/b?c=d#e")
    request = server.requests[0]
    assert (request.method, request.target) == ("GET", "/a/b?c=d")
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": USER_AGENT,
        "accept": "*/*",
        "connection": "keep-alive",
    }


def test_a_login_in_the_url_is_sent_and_shown_nowhere(serve, probe):
    server = serve(answers(closes=True))
    report = probe(f"http://me:my-password@127.0.0.1:{server.port}/")
    login = base64.b64encode(b"me:my-password").decode()
    assert server.requests[0].headers["authorization"] == f"Basic {login}"
    assert "my-password" not in repr(report)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:80", "ftp://127.0.0.1/", "http://", "http://a:b/", "http://[/", "x"]
)
def test_what_is_no_url_is_wrong_usage_in_a_line(url):
    with pytest.raises(UsageError) as raised:
        route_to(url)
    assert len(str(raised.value).splitlines()) == 1


# -- Proxies --------------------------------------------------------------------------------------


def test_a_tunnel_of_the_environments_proxy_is_used_for_https(serve, probe, trusted, monkeypatch):
    through = serve(tunnel(trusted.server, answers(closes=True)))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", trusted.bundle)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:my-password@127.0.0.1:{through.port}")
    report = probe("https://target.test/a")
    assert through.targets == ["target.test:443", "/a"] * 2
    login = base64.b64encode(b"me:my-password").decode()
    assert through.requests[0].headers["proxy-authorization"] == f"Basic {login}"
    assert "proxy-authorization" not in through.requests[1].headers
    assert report.via == f"http://127.0.0.1:{through.port}"
    assert report.requests == 2
    assert "proxy" in names(report)


def test_a_proxy_that_forwards_gets_the_whole_url(serve, probe, monkeypatch):
    target, through = serve(), serve(proxy)
    monkeypatch.setenv("HTTP_PROXY", through.url)
    report = probe(f"http://target.test:{target.port}/a", watch_s=0.05, most_requests=2)
    assert set(through.targets) == {f"http://target.test:{target.port}/a"}
    assert report.keeps_connections


def test_a_host_that_the_environment_excepts_is_reached_without_its_proxy(
    serve, probe, monkeypatch, refusing
):
    server = serve(answers(closes=True))
    monkeypatch.setenv("HTTP_PROXY", refusing)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert probe(server.url).via is None


def test_a_proxy_that_grants_no_tunnel_is_a_line(serve, probe, monkeypatch):
    through = serve(answers((407, "Proxy-Authenticate: Basic")))
    monkeypatch.setenv("HTTPS_PROXY", through.url)
    with pytest.raises(TargetError, match="answered 407 to CONNECT"):
        probe("https://target.test/")


def test_a_proxy_that_is_down_is_named_as_one(monkeypatch, refusing):
    monkeypatch.setenv("HTTPS_PROXY", refusing)
    prober = Prober(route_to("https://target.test/"), QUICK, Watcher())
    with pytest.raises(TargetError, match=r"The proxy http://127.* cannot be reached: Connection"):
        prober.run()


def test_a_proxy_of_another_kind_is_wrong_usage(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(UsageError, match="proxy is socks5://"):
        route_to("https://target.test/")


def test_a_proxy_that_forwards_can_be_reached_by_tls(serve, probe, trusted, monkeypatch):
    target, through = serve(answers(closes=True)), serve(proxy, tls=trusted.server)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", trusted.bundle)
    monkeypatch.setenv("HTTP_PROXY", f"https://localhost:{through.port}")
    report = probe(f"http://target.test:{target.port}/a", watch_s=0.05, most_requests=2)
    assert report.via == f"https://localhost:{through.port}"
    assert report.opening_s.tls is not None
    assert set(through.targets) == {f"http://target.test:{target.port}/a"}


# -- Addresses ------------------------------------------------------------------------------------


def test_of_several_addresses_the_first_that_answers_is_used_and_named(serve, probe):
    server = serve(answers(closes=True))  # on 127.0.0.1 alone; localhost may be ::1 too
    report = probe(server.at("localhost"))
    assert report.address == f"127.0.0.1:{server.port}"
    assert report.connections == server.accepted


def test_an_address_of_version_6_is_reached(serve, probe):
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("there is no IPv6 here")
    server = serve(answers(closes=True), listener=listener)
    report = probe(server.at("[::1]"))
    assert report.address == f"[::1]:{server.port}"
    assert server.requests[0].headers["host"] == f"[::1]:{server.port}"


# -- Ctrl-C ---------------------------------------------------------------------------------------


def test_ctrl_c_ends_it_and_what_was_found_is_kept(serve):
    server = serve()

    def interrupt(progress):
        if progress.requests >= 3:
            raise KeyboardInterrupt

    events = Prober(route_to(server.url), QUICK, Watcher(interrupt)).run()
    assert events[-1] == Ended(at_s=events[-1].at_s, why="interrupted")
    report = judged(events, url=server.url)
    assert (report.ended, report.keeps_connections) == ("interrupted", True)
    assert server.accepted == report.connections


def test_ctrl_c_before_any_response_is_not_swallowed(serve):
    def script(peer):
        assert peer.request()
        peer.client_closes()

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Prober(route_to(serve(script).url), QUICK, Watcher(interrupt)).run()
