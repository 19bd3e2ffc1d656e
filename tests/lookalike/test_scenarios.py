"""Every scenario over a real TLS socket: exactly what arrives, and how the connection ends."""

from __future__ import annotations

import json

import pytest

from keptalive.lookalike.behaviour import REQUEST_TIMEOUT

CONNECTIONS = 25


def test_keep_alive_answers_on_one_connection_for_as_long_as_one_asks(serve, connect):
    lookalike = serve("keep-alive")
    client = connect(lookalike, "keep-alive")
    answers = [client.ask() for _ in range(20)]
    lookalike.skip("keep-alive", seconds=1e6)
    answers.append(client.ask())
    assert {answer.status for answer in answers} == {200}
    assert not any("connection" in answer.headers for answer in answers)
    assert client.looks_alive()
    assert lookalike.accepted("keep-alive") == 1


def test_close_announced_says_so_and_closes(serve, connect):
    client = connect(serve("close-announced"), "close-announced")
    answer = client.ask()
    assert (answer.version, answer.headers["connection"]) == ("HTTP/1.1", "close")
    assert client.until_the_end() == (b"", "close_notify")
    assert client.sees_fin()


def test_http_1_0_answers_without_keep_alive_and_closes(serve, connect):
    client = connect(serve("http-1.0"), "http-1.0")
    answer = client.ask()
    assert (answer.version, answer.status) == ("HTTP/1.0", 200)
    assert "connection" not in answer.headers
    assert client.until_the_end() == (b"", "close_notify")
    assert client.sees_fin()


def test_request_limit_closes_after_the_nth_response_without_a_word(serve, connect):
    client = connect(serve("request-limit=3"), "request-limit=3")
    answers = [client.ask() for _ in range(3)]
    assert not any("connection" in answer.headers for answer in answers)
    assert client.until_the_end() == (b"", "close_notify")
    assert client.sees_fin()


def test_request_limit_announced_says_so_on_the_nth(serve, connect):
    scenario = "request-limit-announced=3"
    client = connect(serve(scenario), scenario)
    said = [client.ask().headers.get("connection") for _ in range(3)]
    assert said == [None, None, "close"]
    assert client.until_the_end() == (b"", "close_notify")
    assert client.sees_fin()


@pytest.mark.parametrize("path", ["/user", "/user/repos?per_page=100"])
def test_whoever_has_the_whole_response_has_the_fin_as_well(serve, connect, path):
    lookalike = serve("request-limit=1")
    for _ in range(CONNECTIONS):
        client = connect(lookalike, "request-limit=1")
        client.ask(path)
        assert client.fin_is_here()
        client.close()


def test_idle_timeout_closes_an_idle_connection(serve, connect):
    lookalike = serve("idle-timeout=60")
    client = connect(lookalike, "idle-timeout=60")
    client.ask()
    lookalike.skip("idle-timeout=60", seconds=57)
    assert client.looks_alive()
    lookalike.skip("idle-timeout=60", seconds=3)
    assert client.fin_is_here()
    assert client.until_the_end() == (b"", "close_notify")
    assert client.sees_fin()


def test_idle_timeout_needs_no_skip_where_time_itself_passes(serve, connect):
    client = connect(serve("idle-timeout=0.05"), "idle-timeout=0.05")
    client.ask()
    assert client.until_the_end() == (b"", "close_notify")


def test_what_was_skipped_counts_for_the_time_that_then_passes(serve, connect):
    lookalike = serve("idle-timeout=60")
    client = connect(lookalike, "idle-timeout=60")
    client.ask()
    lookalike.skip("idle-timeout=60", seconds=59.95)
    assert client.until_the_end() == (b"", "close_notify")


def test_idle_reset_sends_rst(serve, connect):
    lookalike = serve("idle-reset=60")
    client = connect(lookalike, "idle-reset=60")
    client.ask()
    lookalike.skip("idle-reset=60", seconds=60)
    assert client.until_the_end() == (b"", "RST")


def test_timeout_408_sends_an_answer_nobody_asked_for_and_closes(serve, connect):
    lookalike = serve("timeout-408=60")
    client = connect(lookalike, "timeout-408=60")
    client.ask()
    lookalike.skip("timeout-408=60", seconds=60)
    received, ending = client.until_the_end()
    assert received == REQUEST_TIMEOUT
    assert received.startswith(b"HTTP/1.1 408 Request Time-out\r\n")
    assert b"\r\nConnection: close\r\n" in received
    assert ending == "close_notify"
    assert client.sees_fin()


@pytest.mark.parametrize("scenario", ["idle-timeout=60", "idle-reset=60", "timeout-408=60"])
def test_a_connection_before_its_first_request_is_not_idle(serve, connect, scenario):
    lookalike = serve(scenario)
    client = connect(lookalike, scenario)
    lookalike.skip(scenario, seconds=100)
    assert client.ask().status == 200


def test_a_connection_in_the_middle_of_a_request_is_not_idle(serve, connect):
    lookalike = serve("idle-timeout=60")
    client = connect(lookalike, "idle-timeout=60")
    client.ask()
    client.sock.sendall(b"GET /user HTTP/1.1\r\nUser-Agent: ")
    lookalike.skip("idle-timeout=60", seconds=100)
    client.sock.sendall(b"raw\r\n\r\n")
    assert client.answer().status == 401


def test_a_skip_leaves_connections_alone_that_have_a_request_under_way_in_the_link(serve, connect):
    lookalike = serve("idle-timeout=60", rtt_ms=60)
    client = connect(lookalike, "idle-timeout=60")
    client.ask()
    client.send()
    lookalike.skip("idle-timeout=60", seconds=100)
    assert client.answer().status == 200
    lookalike.skip("idle-timeout=60", seconds=100)
    assert client.until_the_end() == (b"", "close_notify")


def test_a_skip_leaves_a_client_alone_that_is_still_reading_its_response(serve, connect):
    lookalike = serve("idle-reset=60")
    client = connect(lookalike, "idle-reset=60")
    for _ in range(20):
        client.send("/user/repos?per_page=100")
    client.sock.recv(1)  # of 8 MB, more than the kernel takes: much of it waits in the server
    lookalike.skip("idle-reset=60", seconds=100)
    client._buffer = b"H"
    assert {client.answer().status for _ in range(20)} == {200}


def test_a_skip_ends_idle_connections_and_no_others(serve, connect):
    lookalike = serve("idle-timeout=60", "idle-reset=60")
    idle, fresh = (connect(lookalike, "idle-timeout=60") for _ in range(2))
    elsewhere = connect(lookalike, "idle-reset=60")
    idle.ask()
    elsewhere.ask()
    lookalike.skip("idle-timeout=60", seconds=71)
    assert [client.fin_is_here() for client in (idle, fresh, elsewhere)] == [True, False, False]
    assert (fresh.ask().status, elsewhere.ask().status) == (200, 200)


def test_stray_bytes_come_with_every_nth_response_and_the_connection_stays_open(serve, connect):
    client = connect(serve("stray-bytes=2"), "stray-bytes=2")
    client.ask()
    assert client.looks_alive()
    client.ask()
    client.sock.setblocking(False)  # they are here already, having come in the same write
    assert client.sock.recv(100) == b"\r\n"
    client.sock.settimeout(10)
    assert client.ask().status == 200
    assert client.looks_alive()


def test_stale_closes_on_the_next_request_instead_of_answering(serve, connect):
    client = connect(serve("stale=2"), "stale=2")
    assert [client.ask().status for _ in range(2)] == [200, 200]
    assert client.looks_alive()
    client.send()
    assert client.until_the_end() == (b"", "FIN")


def test_truncated_body_breaks_off_every_nth_response_of_the_listener(serve, connect):
    lookalike = serve("truncated-body=3")
    first, second = (connect(lookalike, "truncated-body=3") for _ in range(2))
    whole = first.ask()
    assert second.ask().body == whole.body
    first.send()
    received, ending = first.until_the_end()
    head, _, body = received.partition(b"\r\n\r\n")
    assert f"content-length: {len(whole.body)}\r\n".encode() in head
    assert body == whole.body[: len(whole.body) // 2]
    assert ending == "FIN"
    assert second.ask().body == whole.body


def test_a_client_that_asks_for_close_is_obeyed(shared, connect):
    client = connect(shared, "keep-alive")
    assert client.ask(extra="Connection: close\r\n").headers["connection"] == "close"
    assert client.until_the_end() == (b"", "close_notify")


def test_the_kernel_answers_with_rst_what_is_sent_after_the_close(serve, connect):
    client = connect(serve("close-announced"), "close-announced")
    client.ask()
    assert client.until_the_end() == (b"", "close_notify")
    client.raw.send(b"anything")
    assert client.hears_rst()


def test_bodies_are_json_to_the_last_byte(shared, connect):
    client = connect(shared, "keep-alive")
    assert len(json.loads(client.ask("/user/repos?per_page=100").body)) == 75
