"""`max_idle="learn"`: what the tuned Session learns of real servers, and what it does with it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import requests
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S, Server
from tests.tuned.conftest import Clock, only

from keptalive import tuned_session
from keptalive.tuned import pools, sockets
from keptalive.tuned.events import Sight
from keptalive.tuned.learning import Learned

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def closes_under_a_second_request(peer: Peer) -> None:
    assert peer.request()
    peer.respond()
    peer.request()


# What the server announces


def test_a_server_that_announces_no_time_gets_a_connection_for_each_request(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, pools.__name__)
    with Server(answers((200, "Keep-Alive: timeout=1"))) as server:
        with tuned_session() as session:
            for _ in range(3):
                assert session.get(server.url).text == "ok"
        assert server.accepted == 3
    assert (
        caplog.messages
        == ["Replacing a connection to 127.0.0.1, not to be used again (Keep-Alive: timeout=1)"] * 2
    )


def test_an_announced_time_is_kept_to_by_posts_and_tried_beyond_by_gets(clock: Clock) -> None:
    with Server(answers((200, "Keep-Alive: timeout=5"))) as server, tuned_session() as session:
        session.post(server.url)
        clock.now += 4
        session.post(server.url)
        assert server.accepted == 1
        clock.now += 4.1
        session.get(server.url)
        assert server.accepted == 1
        clock.now += 4.1
        session.post(server.url)
        assert server.accepted == 2
        assert only(session).announced_s == 5
        assert only(session).max_idle_s == 4
        server.wait_for_scripts(1)  # nothing is to be learned from it: it is closed


# What was survived


def test_a_get_tries_a_connection_of_which_nothing_is_known(clock: Clock) -> None:
    with Server() as server, tuned_session() as session:
        for idle in (0, 1, 60, 3600):
            clock.now += idle
            assert session.get(server.url).text == "ok"
        assert server.accepted == 1
        assert only(session) == Learned(
            announced_s=None, kept_s=3600, closed_s=None, forgotten_s=None, max_idle_s=3240
        )
        clock.now += 3000
        session.post(server.url)
        assert server.accepted == 1


def test_a_program_that_only_posts_learns_from_the_connection_that_it_has_replaced(
    clock: Clock,
) -> None:
    with Server() as server, tuned_session() as session:
        for _ in range(8):
            session.post(server.url)
            clock.now += 10
        assert server.accepted == 2
        assert only(session).kept_s == 80


@pytest.mark.parametrize(
    "send",
    [
        lambda session, url: session.post(url, data=b"a"),
        lambda session, url: session.put(url, data=iter([b"a"])),
        lambda session, url: session.patch(url),
    ],
)
def test_what_may_not_be_sent_twice_is_sent_on_a_fresh_connection(
    clock: Clock, send: Callable[[requests.Session, str], requests.Response]
) -> None:
    scripts = closes_under_a_second_request, answers()
    with Server(*scripts) as server, tuned_session() as session:
        assert session.get(server.url).ok
        clock.now += 5
        assert send(session, server.url).ok
        assert server.accepted == 2
        assert len(server.requests) == 2


def test_a_get_that_meets_the_servers_close_is_sent_again_at_once(clock: Clock) -> None:
    scripts = closes_under_a_second_request, answers()
    with Server(*scripts) as server, tuned_session() as session:
        session.get(server.url)
        clock.now += 5
        assert session.get(server.url).ok
        assert len(server.requests) == 3
        assert only(session).closed_s == 5
        clock.now += 4.1
        session.post(server.url)
        assert server.accepted == 3  # 4 s are known to be safe


def test_without_retries_nothing_unknown_is_tried(clock: Clock) -> None:
    scripts = closes_under_a_second_request, answers()
    with Server(*scripts) as server, tuned_session(max_retries=0) as session:
        session.get(server.url)
        clock.now += 5
        assert session.get(server.url).ok
        assert len(server.requests) == 2


def test_a_program_that_retries_posts_lets_them_try(clock: Clock) -> None:
    policy = requests.adapters.Retry(2, allowed_methods=None)
    with Server() as server, tuned_session(max_retries=policy) as session:
        for _ in range(3):
            assert session.post(server.url).ok
            clock.now += 60
        assert server.accepted == 1


def test_a_close_under_a_request_without_a_pause_teaches_nothing(clock: Clock) -> None:
    scripts = closes_under_a_second_request, answers()
    with Server(*scripts) as server, tuned_session() as session:
        session.get(server.url)
        session.get(server.url)
        assert session.learned() == {}


def test_a_408_that_was_sent_before_the_request_came_counts_as_a_close(clock: Clock) -> None:
    def script(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        assert peer.request()
        peer.respond(408, "Connection: close", body=b"")

    with Server(script, answers()) as server, tuned_session() as session:
        session.get(server.url)
        clock.now += 5
        assert session.get(server.url).status_code == 408
        assert only(session).closed_s == 5


def test_a_path_that_does_not_answer_is_not_used(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "look", lambda _: Sight(readable=False, silent_s=100, probes_s=45))
    with Server() as server, tuned_session() as session:
        session.get(server.url)
        clock.now += 100
        session.get(server.url)
        assert server.accepted == 2


@pytest.mark.parametrize(("unacknowledged", "forgotten_s"), [(True, 40), (None, 40), (False, None)])
def test_a_timeout_is_the_paths_fault_unless_the_server_has_acknowledged_the_request(
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    unacknowledged: bool | None,
    forgotten_s: float | None,
) -> None:
    sight = Sight(readable=False, silent_s=40, unacknowledged=unacknowledged)
    monkeypatch.setattr(sockets, "look", lambda _: sight)

    def script(peer: Peer) -> None:
        assert peer.request()
        peer.respond()
        assert peer.request()
        assert peer.client_closes()

    with Server(script) as server, tuned_session(timeout=0.05) as session:
        session.get(server.url, timeout=PATIENCE_S)
        clock.now += 40
        with pytest.raises(requests.ReadTimeout):
            session.get(server.url)
        assert (only(session).closed_s, only(session).forgotten_s) == (None, forgotten_s)


def test_where_a_system_tells_nothing_a_get_tries_and_a_post_needs_a_response(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_TCP_INFO", None)
    with Server() as server, tuned_session() as session:
        session.get(server.url)
        clock.now += 300
        session.get(server.url)
        assert server.accepted == 1
        clock.now += 200
        session.post(server.url)
        assert server.accepted == 1
