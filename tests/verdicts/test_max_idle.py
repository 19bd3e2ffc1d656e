"""What is said where a tuned Session replaces connections, or could have: what it has already."""

from __future__ import annotations

import pytest
import requests
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S
from tests.servers.scripts import Then

from keptalive import tuned_session, watch
from keptalive.records.report import Cause
from keptalive.watching.api import Watch


class Clock:
    """Seconds, as the test says: the watch's and the tuned Session's."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("keptalive.tuned.idle.time.monotonic", clock)
    return clock


LEAVE_OUT = "Leave out max_idle, and the session learns how long the server keeps them."


def cause(watched: Watch, name: str) -> Cause:
    (host,) = watched.result().hosts
    return next(one for one in host.causes if one.cause == name)


def test_a_server_that_was_never_seen_closing_does_not_need_max_idle(clock, serve):
    server = serve(answers())
    with watch(clock=clock) as watched, tuned_session(max_idle=0.5) as session:
        for _ in range(4):
            session.get(server.url, timeout=PATIENCE_S)
            clock.now += 1.2
    found = cause(watched, "max-idle")
    assert found.count == 3
    assert found.evidence.startswith(
        "Your session replaced it after 1.2 s idle (its max_idle is 0.5)"
    )
    assert found.evidence.endswith("The server was never seen closing one in 1.2 s.")
    assert found.cure == LEAVE_OUT


def test_max_idle_is_raised_to_below_the_time_at_which_the_server_closes(clock, serve):
    script = Then(Peer.close)
    with watch(clock=clock) as watched, requests.Session() as plain:
        plain.trust_env = False
        server = serve(script, script, answers())
        for _ in range(2):  # it closes after 5 s
            script.get(lambda url: plain.get(url, timeout=PATIENCE_S), server.url)
            clock.now += 5.0
        plain.get(server.url, timeout=PATIENCE_S)
        with tuned_session(max_idle=0.5) as session:
            for _ in range(3):
                session.get(server.url, timeout=PATIENCE_S)
                clock.now += 1.2
    found = cause(watched, "max-idle")
    assert found.evidence.endswith("The server had closed another one after 5.0 s.")
    assert found.facts["max_idle_s"] == 1.3
    assert found.cure == LEAVE_OUT


def test_max_idle_stays_where_the_server_would_have_closed(clock, serve):
    server = serve(answers((200, "Keep-Alive: timeout=5")))
    with watch(clock=clock) as watched, tuned_session(max_idle=4.5) as session:
        for _ in range(3):
            session.get(server.url, timeout=PATIENCE_S)
            clock.now += 60.0
    found = cause(watched, "max-idle")
    assert found.evidence.endswith("The server announces Keep-Alive: timeout=5.")
    assert found.cure == (
        "Nothing, or send requests at least every 5.0 s: max_idle avoids errors; it saves no "
        "handshake."
    )


@pytest.mark.parametrize(
    ("max_idle", "own"), [(55.0, "55"), (None, "None")], ids=["too long", "none"]
)
def test_a_tuned_session_in_use_is_told_what_to_change_of_it(clock, serve, max_idle, own):
    script = Then(Peer.close, after=(2,))
    server = serve(script, script, answers())
    with watch(clock=clock) as watched, tuned_session(max_idle=max_idle) as session:
        for idle in (2.0, 5.0, 2.0, 5.0):
            script.get(lambda url: session.get(url, timeout=PATIENCE_S), server.url)
            clock.now += idle
        session.get(server.url, timeout=PATIENCE_S)
    found = cause(watched, "idle-timeout")
    assert "tuned_session(" not in found.cure
    assert found.cure == (
        f"Leave out max_idle={own}, and the session learns when the server closes idle "
        "connections: this avoids errors, not the new handshake. To reuse it instead, send "
        "requests at least every 2.0 s."
    )


def test_a_session_that_learns_needs_no_value(clock, serve):
    script = Then(Peer.close, after=(2,))
    server = serve(script, script, answers())
    with watch(clock=clock) as watched, tuned_session() as session:
        for idle in (2.0, 5.0, 2.0, 5.0):
            script.get(lambda url: session.get(url, timeout=PATIENCE_S), server.url)
            clock.now += idle
        session.get(server.url, timeout=PATIENCE_S)
    assert cause(watched, "idle-timeout").cure == (
        "Nothing: your session learns how long the server keeps idle connections. To reuse it "
        "instead, send requests at least every 2.0 s."
    )


def test_what_a_session_replaces_because_it_does_not_know_yet_is_max_idle(clock, serve):
    server = serve()
    with watch(clock=clock) as watched, tuned_session() as session:
        for _ in range(4):
            session.post(server.url)
            clock.now += 10
    found = cause(watched, "max-idle")
    assert found.count == 1
    assert found.cure == (
        "Nothing: your session learns how long the server keeps idle connections. This avoids "
        "errors; it saves no handshake."
    )


def test_a_connection_that_is_replaced_for_its_age_is_not_put_down_to_idle_time(clock, serve):
    server = serve(answers())
    with watch(clock=clock) as watched, tuned_session(max_age=10) as session:
        for _ in range(5):
            session.get(server.url, timeout=PATIENCE_S)
            clock.now += 4.0
    found = cause(watched, "max-idle")
    assert (found.count, found.facts["too_old"]) == (1, 1)
    assert found.evidence.startswith("Your session replaced it for its age (max_age), at ")
    assert found.cure.startswith("Nothing, if max_age is as you want it.")


def test_connections_that_are_replaced_for_either_reason_are_told_apart(clock, serve):
    server = serve(answers())
    with watch(clock=clock) as watched, tuned_session(max_age=10, max_idle=5) as session:
        for pause_s in (4.0, 4.0, 4.0, 6.0, 0.0):
            session.get(server.url, timeout=PATIENCE_S)
            clock.now += pause_s
    found = cause(watched, "max-idle")
    assert found.count == 2
    assert found.evidence.startswith(
        "Your session replaced it after 6.0 s idle (its max_idle is 5)"
    )
    assert "It replaced 1 for their age (max_age)." in found.evidence
