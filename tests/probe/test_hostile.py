"""Targets that fail: a clear line, in bounded time; and what was found is kept."""

from __future__ import annotations

import select
import ssl
import threading
import time
import tracemalloc
from contextlib import suppress
from datetime import datetime, timezone

import pytest
from tests.probe.conftest import fails_with, names
from tests.servers.scripted import PATIENCE_S
from tests.servers.scripts import hangs_up, never_answers

from keptalive.errors import UsageError
from keptalive.probe import asking, prober, watcher

UTC = timezone.utc  # datetime.UTC came with Python 3.11


class Sends:
    """A server that sends these bytes, and perhaps others for ever; and a clock.

    The clock stands still until the first of them are sent: a late server is not a silent one.
    """

    def __init__(self, *pieces, forever=b""):
        self._pieces, self._forever = pieces, forever
        self._has_sent = threading.Event()
        self._still_s = self._stood_s = None

    def __call__(self, peer):
        assert peer.request()
        for piece in (*self._pieces, self._forever):
            peer.send(piece)
        self._has_sent.set()
        while self._forever:
            peer.send(self._forever)
        assert peer.client_closes()

    def clock(self):
        now_s = time.monotonic()
        if self._still_s is None:
            self._still_s = now_s
        if not self._has_sent.is_set():
            return self._still_s
        if self._stood_s is None:
            self._stood_s = now_s - self._still_s
        return now_s - self._stood_s


def test_a_target_that_is_down_is_named_with_its_address(probe, refusing):
    said = fails_with(probe, refusing)
    assert said.startswith(f"{refusing[7:-1]} cannot be reached: Connection refused.")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (never_answers, "sent no response in 0.2 s"),
        (Sends(b"SSH-2.0-x\r\n"), "does not speak HTTP/1.1: it sent 'SSH-2.0-x"),
        (Sends(b"HTTP/1.1 200 OK\r\n\r\n", forever=b"x" * 9999), "did not end within 0.2 s"),
        (
            Sends(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                forever=b"2\r\nab\r\n" * 99,
            ),
            "did not end within 0.2 s",
        ),
        (Sends(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx"), "did not end within 0.2 s"),
        (Sends(b"HTTP/1.1 200 OK\r\n", forever=b"X: y\r\n" * 999), "did not end within 0.2 s"),
        (Sends(b"HTTP/1.1 200 OK\r\nX: y"), "did not end within 0.2 s"),
        (Sends(b"", forever=b"HTTP/1.1 100 Continue\r\n\r\n" * 99), "did not end within 0.2 s"),
        (Sends(b"\x00\x00\x12\x04"), r"it sent '\x00\x00\x12\x04'."),
    ],
    ids=[
        *("silent", "ssh", "unframed", "chunks", "stalls", "head", "stalls in the head"),
        *("interim", "http/2"),
    ],
)
def test_a_target_without_a_whole_response_is_a_line(serve, probe, script, said):
    server = serve(script)
    clock = script.clock if isinstance(script, Sends) else time.monotonic
    assert said in fails_with(probe, server.url, answer_s=0.2, clock=clock)
    server.wait_for_scripts(1)  # it may be later than the probe is patient
    assert (server.accepted, len(server.requests)) == (1, 1)


def test_a_target_that_closes_without_a_response_is_a_line(serve, probe):
    server = serve(hangs_up)
    assert "closed the connection without a response" in fails_with(probe, server.url)
    assert (server.accepted, len(server.requests)) == (1, 1)


def test_bytes_that_come_one_by_one_do_not_prolong_the_wait(serve, probe, monkeypatch):
    monkeypatch.setattr(asking, "LONGEST_BODY", 10**12)
    script = Sends(b"HTTP/1.1 200 OK\r\n\r\n", forever=b"x")
    server = serve(script)
    assert "did not end" in fails_with(probe, server.url, answer_s=0.1, clock=script.clock)


def test_a_response_that_has_come_counts_however_late_the_probe_looks(serve, probe):
    asked, has_come = threading.Event(), threading.Event()

    def script(peer):
        while peer.request():
            asked.set()
            peer.respond()
            has_come.set()

    def clock():
        late_s = 0.0
        if asked.is_set():
            assert has_come.wait(PATIENCE_S)
            late_s = 100.0  # the machine did something else
        return time.monotonic() + late_s

    report = probe(serve(script).url, clock=clock)
    assert (report.status, report.ended) == (200, "budget")


def test_a_response_that_is_cut_off_is_a_line(serve, probe):
    def script(peer):
        assert peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx")

    assert "in the middle of its response" in fails_with(probe, serve(script).url)


# -- TLS ------------------------------------------------------------------------------------------


def test_a_certificate_that_is_not_trusted_is_named_and_nothing_is_sent(
    serve, probe, trusted, pki, monkeypatch
):
    server = serve(tls=trusted.server)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki.other)
    said = fails_with(probe, server.url)
    assert "The certificate of 127.0.0.1 is not accepted" in said
    assert "REQUESTS_CA_BUNDLE" in said
    assert server.requests == []


@pytest.mark.parametrize(
    ("name", "until", "next_step"),
    [
        ("other.test", 2100, "use a host name that is in the certificate"),
        ("127.0.0.1", 2020, "renew the certificate on the server"),
    ],
    ids=["another name", "expired"],
)
def test_a_certificate_that_does_not_hold_is_refused_with_what_to_do(
    serve, probe, pki, monkeypatch, name, until, next_step
):
    dates = {
        "not_before": datetime(2019, 1, 1, tzinfo=UTC),
        "not_after": datetime(until, 1, 1, tzinfo=UTC),
    }
    server = serve(tls=pki.context(pki.ca.issue_cert(name, **dates)))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki.ours)
    said = fails_with(probe, server.url)
    assert "is not accepted" in said
    assert said.endswith(f"Next: {next_step}.")


def test_a_server_that_demands_a_client_certificate_is_a_line_that_says_so(
    serve, probe, pki, monkeypatch
):
    server = serve(tls=pki.context(pki.ca.issue_cert("127.0.0.1"), demands=True))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", pki.ours)
    assert "whether it wants a client certificate" in fails_with(probe, server.url)


def test_a_server_that_hangs_up_in_the_handshake_is_a_line(serve, probe):
    url = serve(lambda peer: peer.sock.recv(10_000)).url.replace("http:", "https:")
    assert "closed the connection in the TLS handshake" in fails_with(probe, url)


def test_a_server_without_tls_is_no_target_of_https(serve, probe):
    def script(peer):
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.client_closes()

    url = serve(script).url.replace("http:", "https:")
    assert "does not speak TLS on this port" in fails_with(probe, url)


def test_a_server_that_says_nothing_in_the_handshake_is_not_waited_for(serve, probe):
    def script(peer):
        peer.sock.recv(10_000)
        peer.client_closes()

    url = serve(script).url.replace("http:", "https:")
    assert "TLS handshake" in fails_with(probe, url, answer_s=0.1)


def test_a_bundle_that_is_not_there_is_wrong_usage(probe, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    with pytest.raises(UsageError, match=r"nowhere.pem.*Next: check REQUESTS_CA_BUNDLE"):
        probe("https://127.0.0.1:1/")


def test_a_close_notify_without_a_fin_is_told_apart_and_not_waited_for(
    serve, probe, trusted, monkeypatch
):
    monkeypatch.setattr(watcher, "FIN_AFTER_S", 0.05)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", trusted.bundle)

    def script(peer):
        assert peer.request()
        peer.respond()
        select.select([], [], [], 0.5)
        peer.sock.settimeout(0)
        with suppress(ssl.SSLWantReadError):
            peer.sock.unwrap()
        select.select([peer.sock], [], [], 5)  # TCP stays open

    report = probe(serve(script, tls=trusted.server).url, most_requests=2)
    assert (report.closes_with, report.ended) == ("TLS close", "done")
    assert 0.2 < report.idle_timeout_s.least < 2  # whoever of the two is late


# -- Bytes that belong to no response -------------------------------------------------------------


def test_bytes_in_one_packet_with_the_response_are_seen_and_nothing_more_is_sent_there(
    serve, probe
):
    def script(peer):
        while peer.request():
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n")

    server = serve(script)
    report = probe(server.url, watch_s=0.05)
    assert "stray-bytes" in names(report)
    assert report.requests_tried == 1
    assert report.requests == report.connections == server.accepted == 4
    assert report.advice.max_idle_s is None


@pytest.mark.parametrize("piece", [b"x" * 65_536, b"x"], ids=["fast", "slow"])
def test_a_server_that_sends_bytes_after_its_response_without_end_is_not_listened_to_for_long(
    serve, probe, monkeypatch, piece
):
    monkeypatch.setattr(prober, "_GRACE_S", 0.2)

    def script(peer):
        assert peer.request()
        # in one packet with the response: a busy machine may run the client first
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + piece)
        while True:
            peer.send(piece)

    server = serve(script)
    tracemalloc.start()
    began = time.monotonic()
    try:
        report = probe(server.url, budget_s=60.0)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < 4
    assert {"stray-bytes", "keep-alive"} == names(report)
    assert (report.ended, report.idle_watched_s, report.requests_tried) == ("done", 0.0, 1)


def test_a_server_that_closes_under_each_second_request_keeps_no_connection(serve, probe):
    def script(peer):
        assert peer.request()
        peer.respond()
        peer.request()

    report = probe(serve(script).url, watch_s=0.05)
    assert (report.keeps_connections, report.request_limit) == (False, 1)
    (found,) = (one for one in report.findings if one.finding == "server-closed")
    assert found.evidence.endswith("closed when a second request came.")
