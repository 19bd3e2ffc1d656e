"""The kernel's own TCP over a link with a round-trip time, and what can be reproduced on it."""

from __future__ import annotations

import itertools
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from tests.marks import complete

import keptalive
from keptalive import tuned_session
from keptalive.bench.credentials import _in_the_clear
from keptalive.link import OURS, SERVER
from keptalive.link.own import is_own
from keptalive.link.process import LinkError, entered_link
from keptalive.watching.elsewhere import is_elsewhere, is_exposed

RTT_MS = 20.0
ATTEMPTS = 10  # of a measurement: the machine has other things to do
PATIENCE_S = 10.0
# of the fastest, since tests that run at the same time delay many, or of all where none do
MIDDLES = [min, complete(statistics.median)]


@contextmanager
def echoing() -> Iterator[int]:
    """A server on the link that sends back what it gets; "G" gets it 64 MB."""
    with socket.create_server((OURS, 0)) as listener:
        thread = threading.Thread(target=_echo, args=[listener], daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE_S)


MUCH = 64_000_000


def _echo(listener: socket.socket) -> None:
    while True:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        with accepted:
            while data := accepted.recv(65_536):
                accepted.sendall(bytes(MUCH) if data == b"G" else data)


def connected(port: int) -> socket.socket:
    client = socket.create_connection((SERVER, port), PATIENCE_S)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def connect_and_request_ms(port: int) -> tuple[float, float]:
    began = time.perf_counter()
    with connected(port) as client:
        connected_at = time.perf_counter()
        client.send(b"hello")
        assert client.recv(5) == b"hello"
        return (connected_at - began) * 1000, (time.perf_counter() - connected_at) * 1000


@pytest.mark.parametrize("middle", MIDDLES)
def test_connecting_takes_a_round_trip_and_so_does_a_request(kind, middle):
    with entered_link(kind, rtt_ms=RTT_MS) as link, echoing() as port:
        for _ in range(ATTEMPTS):
            pairs = [connect_and_request_ms(port) for _ in range(5)]
            times = [middle(ms) for ms in zip(*pairs, strict=True)]
            if all(RTT_MS - 0.2 <= ms <= RTT_MS + 1 for ms in times):
                break
        else:
            raise AssertionError(f"{times}")
        assert link.lost() == 0


@pytest.mark.complete
def test_it_carries_a_large_response_at_the_speed_of_its_window(kind):
    with entered_link(kind, rtt_ms=RTT_MS) as link, echoing() as port:
        best = 0.0
        for _ in range(ATTEMPTS):
            with connected(port) as client:
                client.send(b"G")
                began, left = time.perf_counter(), MUCH
                while left:
                    left -= len(client.recv(1 << 20))
                best = max(best, MUCH / (time.perf_counter() - began))
            if best > 60e6:  # bytes per second; 110 million on an idle machine
                break
        assert link.lost() == 0
        assert best > 60e6


def here() -> tuple[str, list[str], str]:
    """Our network namespace, its devices, and when its TCP gives up."""
    namespace = str(Path("/proc/thread-self/ns/net").readlink())
    devices = [name for _, name in socket.if_nameindex()]
    return namespace, devices, Path("/proc/sys/net/ipv4/tcp_retries2").read_text()


def test_after_it_we_are_where_we_were_and_no_process_is_left(kind):
    before = here()
    with entered_link(kind, rtt_ms=0) as link:
        child = link._helper.child.pid
        assert here()[0] != before[0]
        assert "keptalive0" in here()[1]
        assert "keptalive0" not in before[1]
        assert here()[2].strip() == "2" != before[2].strip()
        assert Path(f"/proc/{child}").exists()
    assert here() == before
    assert not Path(f"/proc/{child}").exists()


def test_its_addresses_exist_inside_only(tun):
    with entered_link("tun", rtt_ms=0), echoing() as port:
        assert connected(port).close() is None
    with pytest.raises(OSError, match=r"assign|unreachable"):
        socket.create_server((OURS, port))


def test_a_host_on_it_is_our_own_machine_there_and_nowhere_else(tun):
    url = f"http://{SERVER}:8000"
    assert not is_own(SERVER)
    assert is_exposed(url)
    assert is_elsewhere(url)
    assert _in_the_clear(url)
    with entered_link("tun", rtt_ms=0):
        assert is_own(SERVER)
        assert not is_own("198.51.100.2")
        assert not is_exposed(url)
        assert not is_elsewhere(url)
        assert not _in_the_clear(url)
        assert is_exposed("http://198.51.100.2:8000")


def test_two_links_know_nothing_of_one_another(tun):
    with entered_link("tun", rtt_ms=0), echoing() as port:
        with entered_link("tun", rtt_ms=0), pytest.raises(ConnectionRefusedError):
            connected(port)
        connected(port).close()


def test_a_link_whose_process_ends_says_so_in_one_line(tun):
    with entered_link("tun", rtt_ms=0) as link:
        link._helper.child.kill()
        link._helper.child.wait()
        with pytest.raises(LinkError, match=r"the link's process has ended \(exit code -9\)"):
            link.settle()


# -- The keep-alive race -------------------------------------------------------------------------

IDLE_S = 0.12
RTT_S = RTT_MS / 1000
# When requests are sent, in seconds before the server's close is seen here
BEFORE_S = [RTT_S * share for share in (0.25, 0.4, 0.6, 0.75)]


def failed(make: Any, lookalike: Any, *methods: str) -> int:
    """How many of the requests fail that are sent within a round trip before the close is seen."""
    url, failures = lookalike.url(f"idle-timeout={IDLE_S:g}") + "/user", 0
    for method, before_s in zip(itertools.cycle(methods), BEFORE_S, strict=False):
        with make() as session:
            session.verify = str(lookalike.ca_bundle)
            session.headers["Authorization"] = f"Bearer {lookalike.token}"
            session.get(url, timeout=PATIENCE_S)
            threading.Event().wait(IDLE_S - before_s)
            try:
                session.request(method, url, timeout=PATIENCE_S)
            except requests.ConnectionError:
                failures += 1
    return failures


def test_a_request_that_crosses_the_servers_close_fails_and_a_tuned_session_prevents_that(serve):
    lookalike, _ = serve(f"idle-timeout={IDLE_S:g}")
    for _ in range(ATTEMPTS):  # one that comes too late meets no race
        if (plain := failed(requests.Session, lookalike, "POST", "GET")) >= len(BEFORE_S) / 2:
            break
    assert plain >= len(BEFORE_S) / 2
    assert failed(tuned_session, lookalike, "POST", "GET") == 0


# -- A NAT that forgets --------------------------------------------------------------------------

NAT_S = 0.15
PAUSE_S = 0.55  # less shows nothing, see causes.patterns


def forgotten(lookalike: Any, link: Any, timeout_s: float | None) -> tuple[Any, list[str]]:
    """A Session's requests, two on a flow that was forgotten: the report, and their errors."""
    url, errors = lookalike.url(f"nat-timeout={NAT_S:g}"), []
    port = urlsplit(url).port
    with keptalive.watch() as watched, requests.Session() as session:
        session.verify = str(lookalike.ca_bundle)
        session.headers["Authorization"] = f"Bearer {lookalike.token}"
        for pause_s in (0.0, 0.01, PAUSE_S, 0.01):
            # For this pause alone: on a busy machine there is another one in any request
            is_long = pause_s == PAUSE_S
            link.true.forget_after(port, NAT_S if is_long else PATIENCE_S)
            threading.Event().wait(pause_s)
            try:
                session.get(f"{url}/user", timeout=timeout_s if is_long else PATIENCE_S)
            except requests.RequestException as error:
                errors.append(type(error).__name__)
    return watched.result(), errors


@pytest.mark.parametrize(("timeout_s", "error"), [(0.5, "ReadTimeout"), complete(None, None)])
def test_a_nat_that_forgets_is_named_silent_drop(serve, timeout_s, error):
    lookalike, link = serve(f"nat-timeout={NAT_S:g}")
    report, errors = forgotten(lookalike, link, timeout_s)
    # without a timeout the system gives up: over TLS, Python up to 3.12 calls that the server's end
    assert len(errors) == 1
    assert error in (None, errors[0])
    assert {one.cause: one.count for one in report.hosts[0].causes} == {
        "first-use": 1,
        "silent-drop": 1,
    }
    assert (
        next(one for one in report.hosts[0].causes if one.cause == "silent-drop").facts["proven"]
        == 1
    )
    assert link.true.dropped() > 0


def test_without_a_pause_the_nat_forgets_nothing(serve):
    lookalike, link = serve("nat-timeout=5")
    link.true.forget_after(urlsplit(lookalike.url("nat-timeout=5")).port, 5)
    with requests.Session() as session:
        session.verify = str(lookalike.ca_bundle)
        session.headers["Authorization"] = f"Bearer {lookalike.token}"
        for _ in range(4):
            assert session.get(lookalike.url("nat-timeout=5") + "/user").status_code == 200
    assert lookalike.accepted("nat-timeout=5") == 1
    assert link.true.dropped() == 0


def test_settling_waits_for_what_is_on_its_way(tun):
    with entered_link("tun", rtt_ms=400) as link, echoing() as port:
        with connected(port) as client:
            began = time.perf_counter()
            client.send(b"hello")
            link.settle()
            assert 0.19 <= time.perf_counter() - began < 0.4, "half a round trip"
