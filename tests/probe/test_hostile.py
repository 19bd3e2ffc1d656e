"""Targets that fail: a clear line, in bounded time; and what was found is kept."""

from __future__ import annotations

import select
import ssl
import time
import tracemalloc
from contextlib import suppress
from datetime import datetime, timezone

import pytest
from tests.probe.conftest import names
from tests.servers.scripted import answers
from tests.servers.scripts import never_answers

from keptalive.errors import TargetError, UsageError
from keptalive.probe import asking, prober, watcher

UTC = timezone.utc  # datetime.UTC came with Python 3.11


def fails_with(probe, url, **settings):
    began = time.monotonic()
    with pytest.raises(TargetError) as raised:
        probe(url, **settings)
    assert time.monotonic() - began < 4
    (line,) = str(raised.value).splitlines()
    assert "Next: " in line
    return line


def sends(*pieces, forever=b""):
    def script(peer):
        assert peer.request()
        for piece in pieces:
            peer.send(piece)
        while forever:
            peer.send(forever)
        assert peer.client_closes()

    return script


def test_a_target_that_is_down_is_named_with_its_address(probe, refusing):
    said = fails_with(probe, refusing)
    assert said.startswith(f"{refusing[7:-1]} cannot be reached: Connection refused.")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (never_answers, "sent no response in 0.2 s"),
        (sends(b"SSH-2.0-x\r\n"), "does not speak HTTP/1.1: it sent 'SSH-2.0-x"),
        (lambda peer: peer.request(), "closed the connection without a response"),
        (sends(b"HTTP/1.1 200 OK\r\n\r\n", forever=b"x" * 9999), "did not end within 0.2 s"),
        (
            sends(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                forever=b"2\r\nab\r\n" * 99,
            ),
            "did not end within 0.2 s",
        ),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx"), "did not end within 0.2 s"),
        (sends(b"HTTP/1.1 200 OK\r\n", forever=b"X: y\r\n" * 999), "did not end within 0.2 s"),
        (sends(b"HTTP/1.1 200 OK\r\nX: y"), "did not end within 0.2 s"),
        (sends(b"", forever=b"HTTP/1.1 100 Continue\r\n\r\n" * 99), "did not end within 0.2 s"),
        (sends(b"\x00\x00\x12\x04"), r"it sent '\x00\x00\x12\x04'."),
    ],
    ids=[
        *("silent", "ssh", "closes", "unframed", "chunks", "stalls", "head", "stalls in the head"),
        *("interim", "http/2"),
    ],
)
def test_a_target_without_a_whole_response_is_a_line(serve, probe, script, said):
    server = serve(script)
    assert said in fails_with(probe, server.url, answer_s=0.2)
    assert (server.accepted, len(server.requests)) == (1, 1)


def test_bytes_that_come_one_by_one_do_not_prolong_the_wait(serve, probe, monkeypatch):
    monkeypatch.setattr(asking, "LONGEST_BODY", 10**12)
    server = serve(sends(b"HTTP/1.1 200 OK\r\n\r\n", forever=b"x"))
    assert "did not end" in fails_with(probe, server.url, answer_s=0.1)


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
        select.select([], [], [], 0.1)
        peer.sock.settimeout(0)
        with suppress(ssl.SSLWantReadError):
            peer.sock.unwrap()
        select.select([peer.sock], [], [], 5)  # TCP stays open

    report = probe(serve(script, tls=trusted.server).url, most_requests=2)
    assert (report.closes_with, report.ended) == ("TLS close", "done")
    assert 0.08 < report.idle_timeout_s.least < 0.2


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


# -- Redirects ------------------------------------------------------------------------------------


def redirects(**to):
    def script(peer):
        while request := peer.request():
            location = to.get(request.target.strip("/") or "root")
            if location:
                peer.respond(302, f"Location: {location}")
            else:
                peer.respond()

    return script


def test_a_redirect_on_the_same_server_is_followed_on_the_same_connection(serve, probe):
    onward = "b?token=secret-of-somebody"
    server = serve(redirects(root="/a", a=onward))
    report = probe(server.url, watch_s=0.05)
    assert report.url == f"{server.url}b?token=[hidden]"
    assert report.status == 200
    assert server.targets[:4] == [
        "/",
        "/a",
        "/b?token=secret-of-somebody",
        "/b?token=secret-of-somebody",
    ]
    assert server.accepted == report.connections == 4


def test_redirects_in_a_loop_end_with_a_line_that_shows_them(serve, probe):
    server = serve(redirects(root="/a", a="/b", b="/a"))
    assert "redirects in a loop (/ → /a → /b → /a)" in fails_with(probe, server.url)
    assert server.targets == ["/", "/a", "/b"]


def test_too_many_redirects_end_with_a_line(serve, probe):
    chain = {"root": "/1"} | {str(number): f"/{number + 1}" for number in range(1, 20)}
    server = serve(redirects(**chain))
    assert "more than 5 times" in fails_with(probe, server.url)
    assert len(server.requests) == 6


def test_another_server_to_which_it_redirects_is_left_alone(serve, probe):
    other = serve()
    server = serve(redirects(root=other.url))
    report = probe(server.url, watch_s=0.05)
    (found,) = (one for one in report.findings if one.finding == "redirect")
    assert other.url in found.evidence
    assert (report.keeps_connections, other.accepted) == (True, 0)


# -- A server that wants fewer requests -----------------------------------------------------------


def test_a_429_at_once_ends_the_probe_with_how_long_to_wait(serve, probe):
    server = serve(answers((429, "Retry-After: 30")))
    assert "wait 30 s before you probe it again" in fails_with(probe, server.url)
    assert len(server.requests) == 1


def test_a_429_later_ends_it_and_what_was_found_is_kept(serve, probe):
    limited = answers((200,), (200,), (429,))
    server = serve(answers(), answers(), answers(), limited)
    report = probe(server.url, watch_s=0.05)
    assert "fewer-requests" in names(report)
    assert (report.ended, report.request_limit, report.requests_tried) == ("refused", None, 3)
    assert len(server.requests) == 6


def test_a_server_that_refuses_a_further_connection_is_still_judged(serve, probe):
    def closes_at_once(peer):
        pass

    server = serve(answers(), closes_at_once)
    report = probe(server.url, watch_s=0.05)
    assert report.keeps_connections
    assert report.status == 200
