"""Servers that lead elsewhere or want fewer requests: what is followed, and when a probe ends."""

from __future__ import annotations

from tests.probe.conftest import fails_with, names
from tests.servers.peer import answers


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
