"""The cure of what a server does to idle connections, followed in real time: its promise holds."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from tests.servers.scripted import PATIENCE_S, Server
from tests.servers.scripts import over_a_long_link

from keptalive import tuned_session
from keptalive.watching.api import watch

from .failing import failing, hangs_up, keeps_until

IDLE_S, ROUND_TRIP_S = 1.2, 0.1
PAUSES_S = (0.3, 1.15) * 3  # the longer one meets the close: the request leaves just before it


def server() -> Server:
    return Server(over_a_long_link(IDLE_S, ROUND_TRIP_S))


def errors_of(session, url, method, pauses=PAUSES_S):
    """The program: a request after each pause."""
    errors = []
    session.trust_env = False
    for number, pause_s in enumerate((0.0, *pauses)):
        time.sleep(pause_s)
        with failing(errors):
            session.request(method, url, data=str(number), timeout=PATIENCE_S)
    return errors


def followed(method):
    """With the Session that is advised: errors, and the bodies that came."""
    with server() as other, tuned_session() as session:
        errors = errors_of(session, other.url, method)
        return errors, [body.decode() for body in other.bodies]


@pytest.mark.complete
def test_what_the_cure_of_a_race_promises_is_so():
    # whenever the request leaves after the longer pause, this one is closing the connection
    closing = keeps_until(time.monotonic, 0.75, hangs_up)
    with Server(closing) as first, watch() as watched, requests.Session() as session:
        assert errors_of(session, first.url, "POST") == ["ConnectionError"] * 3
    (host,) = watched.result().hosts
    (cure,) = (one.cure for one in host.causes if one.cause == "stale-connection")
    assert cure.startswith(
        "tuned_session() learns when the server closes idle connections: this avoids errors, not "
        "the new handshake. To reuse it instead, send requests at least every 0."
    )
    often = [0.3] * 8

    def with_requests_as_often():
        with server() as other, requests.Session() as session:
            return errors_of(session, other.url, "POST", pauses=often), other.accepted

    with ThreadPoolExecutor() as threads:
        get, post = (threads.submit(followed, method) for method in ("GET", "POST"))
        reused = threads.submit(with_requests_as_often)
        numbers = [str(number) for number in range(1 + len(PAUSES_S))]
        assert get.result() == ([], numbers)
        assert post.result() == ([], numbers)
        assert reused.result() == ([], 1)
