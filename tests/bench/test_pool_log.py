"""The pool log's counts against the sockets' and the server's, with real requests and urllib3."""

from __future__ import annotations

import logging
import select
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.counted import counted

from keptalive.bench import pool_log, sockets
from keptalive.counting import count
from keptalive.records.pool_events import (
    Answered,
    CallBegan,
    CallEnded,
    Resetting,
    Retrying,
    RetryingStatus,
    Starting,
)

HERE = threading.get_ident()


@contextmanager
def session(**options: int) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        made.mount("http://", HTTPAdapter(**options))
        yield made


def wait_for_the_close(client: requests.Session, url: str) -> None:
    """Until it has arrived here: that the server has closed says so of the other end only."""
    pools = client.get_adapter(url).poolmanager.pools
    (kept,) = (one for key in pools.keys() for one in pools[key].pool.queue if one)  # noqa: SIM118
    assert select.select([kept.sock], [], [], 30)[0]


class Watched:
    """What both witnesses on the client's side have seen."""

    def __init__(self) -> None:
        self.events = []

    @contextmanager
    def watching(self) -> Iterator[Watched]:
        with pool_log.listening(self.events.append), sockets.watching() as self.sockets:
            yield self

    def get(self, client: requests.Session, url: str) -> None:
        thread = threading.get_ident()
        self.events.append(CallBegan(thread=thread))
        failed = True
        try:
            assert client.get(url, timeout=5).text == "ok"
            failed = False
        finally:
            self.events.append(CallEnded(thread=thread, failed=failed))

    @property
    def counts(self) -> dict[str, int]:
        return counted(count(self.events))


@pytest.fixture
def watched() -> Iterator[Watched]:
    with Watched().watching() as made:
        yield made


# -- Three witnesses, one number -----------------------------------------------------------------


def test_keep_alive_is_one_connection_to_all_three(serve, watched):
    def script(peer):
        while peer.request():
            peer.respond()

    server = serve(script)
    with session() as client:
        for _ in range(3):
            watched.get(client, server.url)
    assert watched.counts == {"requests": 3, "connects": 1, "opened": 1, "reused": 2}
    assert (watched.sockets.connected, server.accepted) == (1, 1)


def test_a_close_that_was_announced_reopens_for_every_further_request(serve, watched):
    def script(peer):
        assert peer.request()
        peer.respond(200, "Connection: close")

    server = serve(script)
    with session() as client:
        for _ in range(3):
            watched.get(client, server.url)
    assert watched.counts == {"requests": 3, "connects": 3, "opened": 3, "reopened": 2}
    assert (watched.sockets.connected, server.accepted) == (3, 3)


def test_a_close_without_a_word_reopens_too(serve, watched):
    asked = threading.Event()

    def script(peer):
        assert peer.request()
        peer.respond()
        if server.accepted == 1:
            asked.wait(5)
        else:
            assert not peer.request()

    server = serve(script)
    with session() as client:
        watched.get(client, server.url)
        asked.set()
        wait_for_the_close(client, server.url)
        watched.get(client, server.url)
    assert watched.counts == {"requests": 2, "connects": 2, "opened": 2, "reopened": 1}
    assert (watched.sockets.connected, server.accepted) == (2, 2)


def test_eight_threads_on_a_pool_of_two_open_eight(serve, watched):
    everybody_asks = threading.Barrier(8)

    def script(peer):
        assert peer.request()
        everybody_asks.wait(5)
        peer.respond()
        peer.request()

    server = serve(script)
    with session(pool_maxsize=2) as client, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: watched.get(client, server.url), range(8)))
    assert watched.counts == {"requests": 8, "connects": 8, "opened": 8}
    assert (watched.sockets.connected, server.accepted) == (8, 8)


def test_a_retry_after_a_connection_broke_is_an_attempt_more_and_opens_another(serve, watched):
    def script(peer):
        assert peer.request()
        peer.respond()
        peer.request()  # and closes without an answer

    server = serve(script)
    with session(max_retries=1) as client:
        for _ in range(3):
            watched.get(client, server.url)
    assert watched.counts == {"requests": 3, "connects": 3, "opened": 3, "unanswered": 2}
    assert (watched.sockets.connected, server.accepted) == (3, 3)


def test_a_connection_that_breaks_without_retries_is_an_error_and_opens_none(serve, watched):
    def script(peer):
        assert peer.request()
        peer.respond()
        peer.request()

    server = serve(script)
    with session() as client:
        watched.get(client, server.url)
        with pytest.raises(requests.ConnectionError):
            watched.get(client, server.url)
    assert watched.counts == {
        "requests": 2,
        "connects": 1,
        "opened": 1,
        "unanswered": 1,
        "errors": 1,
    }
    assert (watched.sockets.connected, server.accepted) == (1, 1)


@pytest.mark.parametrize("retries", [0, 3])
def test_a_refused_connection_opens_none(refusing, watched, retries):
    with session(max_retries=retries) as client, pytest.raises(requests.ConnectionError):
        watched.get(client, refusing)
    tries = retries + 1
    assert {"requests": 1, "connects": tries, "unanswered": tries, "errors": 1} == watched.counts
    assert watched.sockets.connected == 0


def test_urllib3_without_requests_is_seen_as_well(serve, watched):
    def script(peer):
        while peer.request():
            peer.respond()

    server = serve(script)
    with urllib3.PoolManager() as pools:
        for _ in range(2):
            assert pools.request("GET", server.url).status == 200
    assert watched.counts == {"connects": 1, "opened": 1, "reused": 1}
    assert (watched.sockets.connected, server.accepted) == (1, 1)


# -- Single lines --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "args", "expected"),
    [
        (
            "Starting new HTTP connection (%d): %s:%s",
            (1, "::1", 80),
            Starting(thread=HERE, scheme="http", host="::1", port=80),
        ),
        (
            "Starting new HTTPS connection (%d): %s:%s",
            (2, "h", "8443"),
            Starting(thread=HERE, scheme="https", host="h", port=8443),
        ),
        ("Resetting dropped connection: %s", ("h",), Resetting(thread=HERE, host="h")),
        (
            "Retrying (%r) after connection broken by '%r': %s",
            ("Retry", "why", "/"),
            Retrying(thread=HERE),
        ),
        (
            '%s://%s:%s "%s %s %s" %s %s',
            ("https", "h", None, "GET", "/", "HTTP/1.1", 204, None),
            Answered(thread=HERE, scheme="https", host="h", port=443, status=204),
        ),
        ("Connection pool is full, discarding connection: %s. Size: %s", ("h", 2), None),
        ("Retry: %s", ("/",), RetryingStatus(thread=HERE)),
        ("Starting new HTTP connection (1): h:80", (), None),
    ],
)
def test_a_line_of_the_log_is_its_event_and_any_other_is_none(line, args, expected):
    record = logging.LogRecord(pool_log.LOGGER, logging.DEBUG, __file__, 1, line, args, None)
    assert expected == pool_log.event_of(record.msg, record.args, record.thread or 0)


# -- Leaving no trace ----------------------------------------------------------------------------


def state(logger: logging.Logger) -> tuple[object, ...]:
    enabled = [logger.isEnabledFor(level) for level in (logging.DEBUG, logging.WARNING)]
    return logger.level, logger.propagate, logger.disabled, list(logger.handlers), enabled


@pytest.mark.parametrize("level", [logging.NOTSET, logging.INFO, logging.ERROR])
@pytest.mark.parametrize("flag", [True, False])
def test_the_logger_is_exactly_as_before_even_after_an_error(level, flag, monkeypatch):
    logger = logging.getLogger(pool_log.LOGGER)
    handler = logging.NullHandler()
    monkeypatch.setattr(logger, "propagate", flag)
    monkeypatch.setattr(logger, "disabled", flag)
    untouched = logger.level
    logger.setLevel(level)
    logger.addHandler(handler)
    try:
        before = state(logger)
        with pool_log.listening(lambda _event: None):
            assert state(logger)[:3] == (logging.DEBUG, False, False)
        assert state(logger) == before
        with pytest.raises(KeyError), pool_log.listening(lambda _event: None):
            raise KeyError
        assert before == state(logger)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(untouched)


def test_nothing_of_it_reaches_the_handlers_of_the_root(caplog):
    caplog.set_level(logging.DEBUG)
    events = []
    with pool_log.listening(events.append):
        logging.getLogger(pool_log.LOGGER).debug("Resetting dropped connection: %s", "h")
    assert [Resetting(thread=HERE, host="h")] == events
    assert caplog.records == []
