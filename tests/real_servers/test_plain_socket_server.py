"""The counts against a server of bare sockets that counts its own accepts."""

from __future__ import annotations

import functools

from tests.real_servers.counted import counts_of, of_a_trial, opened
from tests.servers.peer import Peer, answers

from keptalive.bench.strategies import Fresh

BODY = b'{"login": "somebody"}'
REQUESTS = 6  # of one trial, as run_against makes them
PREFLIGHT = 1  # connection, before anything is measured


def hangs_up_after_two(peer: Peer) -> None:
    """Close after two responses, unannounced."""
    for _ in range(2):
        if peer.request():
            peer.respond(body=BODY)


counts = functools.partial(counts_of, REQUESTS)


def test_a_kept_connection_is_opened_once_by_a_session_and_each_time_by_requests_get(
    serve, run_against
):
    server = serve()
    run = run_against(server.url)
    assert run.disagreements == ()
    assert of_a_trial(run) == {
        "fresh": counts(opened=REQUESTS),
        "session": counts(opened=1),
        "tuned": counts(opened=1),
    }
    assert server.accepted == opened(run) + PREFLIGHT


def test_a_server_that_closes_after_each_response_makes_every_strategy_open_each_time(
    serve, run_against
):
    server = serve(answers(closes=True))
    run = run_against(server.url)
    assert run.disagreements == ()
    assert of_a_trial(run) == {
        "fresh": counts(opened=REQUESTS),
        "session": counts(opened=REQUESTS, reopened=REQUESTS - 1),
        "tuned": counts(opened=REQUESTS, reopened=REQUESTS - 1),
    }
    assert server.accepted == opened(run) + PREFLIGHT


def test_a_server_that_closes_unannounced_after_two_makes_a_session_reopen_every_second_time(
    serve, run_against, patient
):
    server = serve(hangs_up_after_two)
    run = run_against(server.url, strategies={"fresh": Fresh, **patient(every=2)})
    assert run.disagreements == ()
    assert of_a_trial(run) == {
        "fresh": counts(opened=REQUESTS),
        "session": counts(opened=REQUESTS // 2, reopened=REQUESTS // 2 - 1),
        "tuned": counts(opened=REQUESTS // 2, reopened=REQUESTS // 2 - 1),
    }
    assert server.accepted == opened(run) + PREFLIGHT


def test_every_request_carries_the_token_and_none_is_left_out(serve, run_against):
    server = serve()
    run = run_against(server.url)
    rounds = 3  # the warm-up, the counted and the traced one
    assert len(server.requests) == rounds * len(run.strategies) * REQUESTS + PREFLIGHT
    sent = {request.headers["authorization"] for request in server.requests}
    assert sent == {"Bearer ghp_of_nobody"}


def test_without_authentication_no_request_carries_a_token(serve, run_against):
    server = serve()
    run_against(server.url, auth="none")
    assert not any("authorization" in request.headers for request in server.requests)
