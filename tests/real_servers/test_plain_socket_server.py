"""The counts against a server of bare sockets that counts its own accepts."""

from __future__ import annotations

from tests.servers.scripted import Peer, answers

from keptalive.bench.strategies import Fresh
from keptalive.records.run import Counts, Run

BODY = b'{"login": "somebody"}'
REQUESTS = 6  # of one trial, as run_against makes them
PREFLIGHT = 1  # connection, before anything is measured


def hangs_up_after_two(peer: Peer) -> None:
    """Close after two responses, unannounced."""
    for _ in range(2):
        if peer.request():
            peer.respond(body=BODY)


def opened(run: Run) -> int:
    """By every trial, the warm-up round included."""
    return sum(trial.counts.opened for trial in run.trials)


def of_a_trial(run: Run) -> dict[str, Counts]:
    return {row.strategy: row.counts for row in run.summary}


def counts(*, opened: int, reopened: int = 0) -> Counts:
    return Counts(
        requests=REQUESTS,
        attempts=REQUESTS,
        opened=opened,
        reopened=reopened,
        reused=REQUESTS - opened,
    )


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


def test_a_server_that_closes_after_each_response_makes_every_way_open_each_time(
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
    run = run_against(server.url, strategies=[Fresh, *patient(every=2)])
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
    assert len(server.requests) == sum(trial.counts.attempts for trial in run.trials) + PREFLIGHT
    sent = {request.headers["authorization"] for request in server.requests}
    assert sent == {"Bearer ghp_of_nobody"}


def test_without_authentication_no_request_carries_a_token(serve, run_against):
    server = serve()
    run_against(server.url, auth="none")
    assert not any("authorization" in request.headers for request in server.requests)
