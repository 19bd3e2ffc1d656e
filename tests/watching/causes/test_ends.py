"""The cause of a reopened connection is how its predecessor ended, as its socket shows."""

from __future__ import annotations

from tests.servers.peer import Peer, answers
from tests.servers.scripts import Then, asks_for_a_certificate, sends_stray_bytes, times_out

from keptalive import tuned_session

from .clients import (
    causes,
    of_each_client_and_scheme,
    session_gets,
)

ENDS = {
    Peer.close: "server-closed",
    Peer.say_goodbye: "server-closed",
    Peer.reset: "server-reset",
    times_out: "timeout-408",
    sends_stray_bytes: "stray-bytes",
}


@of_each_client_and_scheme(end=ENDS)
def test_a_reopened_connection_has_the_cause_by_which_its_predecessor_ended(
    get, serve_both, watched, end
):
    script, cause = Then(end, after=(1, 2)), ENDS[end]
    server = serve_both(script)
    script.get(get, server.url, times=4)
    assert causes(watched) == {"first-use": 1, cause: 2}
    assert (watched.opened, watched.reused) == (server.accepted, 1) == (3, 1)


def test_a_tls_message_on_a_live_connection_is_a_cause(get, serve, watched, trusted):
    script = Then(asks_for_a_certificate)
    server = serve(script, tls=trusted.server)
    script.get(get, server.url, times=3)
    assert causes(watched) == {"first-use": 1, "tls-message": 2}
    assert server.accepted == 3


@of_each_client_and_scheme(end=[Peer.close, Peer.say_goodbye])
def test_an_end_after_more_idleness_than_others_survived_is_an_idle_timeout(
    get, serve_both, watched, clock, end
):
    script = Then(end, after=(2, 2, 9))
    server = serve_both(script)
    for idle in (0, 4, 6, 4, 7):
        clock.now += idle
        script.get(get, server.url, times=1)
    assert causes(watched) == {"first-use": 1, "idle-timeout": 2}
    assert watched.opened == server.accepted == 3


def test_an_end_that_recurs_after_as_many_responses_is_a_request_limit(
    get, serve_both, watched, clock
):
    script = Then(Peer.close, after=(3,))
    server = serve_both(script)
    for _ in range(10):
        clock.now += 1.0
        script.get(get, server.url, times=1)
    assert causes(watched) == {"first-use": 1, "request-limit": 3}
    assert watched.opened == server.accepted == 4


def test_an_idle_connection_that_a_tuned_session_replaces_has_max_idle_for_a_cause(
    serve_both, watched, clock, trusted, monkeypatch
):
    monkeypatch.setattr("keptalive.tuned.idle.time.monotonic", clock)
    server = serve_both(answers())
    with tuned_session(max_idle=5) as made:
        get = session_gets(made, trusted.bundle)
        for idle in (0, 4, 6, 4, 6):
            clock.now += idle
            get(server.url)
    assert causes(watched) == {"first-use": 1, "max-idle": 2}
    assert (watched.opened, watched.reused) == (server.accepted, 2) == (3, 2)


def test_an_announced_close_is_a_cause(get, serve_both, watched):
    server = serve_both(answers((200, "Connection: close")))
    for _ in range(3):
        get(server.url)
    assert causes(watched) == {"first-use": 1, "close-announced": 2}
    assert watched.opened == server.accepted


def test_a_close_that_the_client_asked_for_is_a_cause_of_its_own(get, serve_both, watched):
    server = serve_both(answers())
    for _ in range(3):
        get(server.url, headers={"Connection": "close"})
    assert causes(watched) == {"first-use": 1, "close-requested": 2}
    assert watched.opened == server.accepted


@of_each_client_and_scheme(
    response=[
        b"HTTP/1.0 200 -\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 -\r\n\r\nok",
        b"HTTP/1.1 200 -\r\n\r\nok",
    ],
)
def test_http_1_0_and_a_body_without_framing_are_causes(get, serve_both, watched, response):
    def script(peer: Peer) -> None:
        assert peer.request()
        peer.send(response)
        peer.say_goodbye()

    server = serve_both(script)
    for _ in range(3):
        get(server.url)
    assert causes(watched) == {"first-use": 1, "http-1.0": 2}
    assert watched.opened == server.accepted
