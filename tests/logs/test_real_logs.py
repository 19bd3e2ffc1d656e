"""Logs that real urllib3s wrote, against what really happened."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3
from tests.logs.logs import Line, lines, reading

from keptalive import logs
from keptalive.bench import pool_log
from keptalive.logs import Discarding
from keptalive.records.pool_events import Answered, Resetting, Starting

WRITER = """
import logging, sys, threading
import urllib3
url, path, fmt, threads = sys.argv[1:5]
logging.basicConfig(filename=path, level=logging.DEBUG, format=fmt)
pools = urllib3.PoolManager(maxsize=2)
all_done = threading.Barrier(int(threads))
def ask():
    for n in range(5):
        assert pools.request("GET", url + "?token=s3cret").status == 200
    all_done.wait(30)  # until then nobody else has this thread's number
workers = [threading.Thread(target=ask) for _ in range(int(threads))]
for worker in workers: worker.start()
for worker in workers: worker.join()
print(urllib3.__version__)
"""
OTHER_PYTHON = Path("/tmp/v/310/bin/python")  # one with urllib3 1.26, where there is one
PYTHONS = [sys.executable] + [str(OTHER_PYTHON)] * OTHER_PYTHON.exists()


@pytest.fixture
def closing_server(serve):
    """Announces on every third connection that it closes it, and keeps the others."""

    def script(peer):
        number = server.accepted
        while peer.request():
            if number % 3 == 0:
                peer.respond(200, "Connection: close")
                return
            peer.respond()

    server = serve(script)
    return server


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    "fmt",
    [
        "%(asctime)s [pid %(process)d] [%(threadName)s] %(name)s:%(lineno)d %(message)s",
        "%(created)f %(process)d %(thread)d %(message)s",
        '{"t": %(created)f, "pid": %(process)d, "thread": "%(threadName)s", "m": "%(message)s"}',
        "pid=%(process)d thread=%(thread)d %(message)s",
        "%(message)s (%(threadName)s) [pid %(process)d]",
    ],
)
def test_what_processes_and_threads_wrote_at_once_is_kept_apart(
    closing_server, tmp_path, python, fmt
):
    path = tmp_path / "app.log"
    arguments = [closing_server.url, str(path), fmt, "4"]
    running = [
        subprocess.Popen([python, "-c", WRITER, *arguments], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    assert all(process.communicate(timeout=60)[0] for process in running)
    log = logs.read(path)
    found = lines(log)
    kinds = Counter(type(one.event) for one in found)
    opened = kinds[Starting] + kinds[Resetting]
    assert opened == closing_server.accepted
    assert kinds[Answered] == 2 * 4 * 5
    assert log.skipped == 0
    assert {process.pid for process in running} == {one.process for one in found}
    assert log.knows_threads
    assert len({one.event.thread for one in found}) == 8
    in_order(found)


def in_order(found: list[Line]) -> None:
    """In each thread an attempt to connect is followed by its response."""
    connecting = set()
    for one in found:
        thread = one.event.thread
        if isinstance(one.event, Starting | Resetting):
            assert thread not in connecting
            connecting.add(thread)
        elif isinstance(one.event, Answered):
            connecting.discard(thread)
    assert not connecting


def test_a_log_shows_what_the_live_witness_has_seen(closing_server):
    live_events, text = [], io.StringIO()
    logger = logging.getLogger(pool_log.LOGGER)
    with pool_log.listening(live_events.append):
        handler = logging.StreamHandler(text)
        handler.setFormatter(logging.Formatter("%(asctime)s [%(thread)d] %(name)s: %(message)s"))
        logger.addHandler(handler)
        try:
            with urllib3.PoolManager(maxsize=2) as pools, ThreadPoolExecutor(4) as threads:
                answers = threads.map(
                    lambda _: pools.request("GET", closing_server.url).status, range(40)
                )
                assert {200} == set(answers)
        finally:
            logger.removeHandler(handler)
    log = reading(text.getvalue())
    threads_of = {}
    found = [one.event for one in lines(log) if not isinstance(one.event, Discarding)]
    assert len(found) == len(live_events) > 40

    def nameless(event: object) -> str:
        # pool_log reads no ordinals
        return re.sub(r"thread=\d+|, ordinal=\w+", "", repr(event))

    # two threads may write in another order than they came live
    assert Counter(map(nameless, found)) == Counter(map(nameless, live_events))
    for event in found:
        threads_of.setdefault(event.thread, []).append(nameless(event))
    live = {}
    for event in live_events:
        live.setdefault(event.thread, []).append(nameless(event))
    assert sorted(threads_of.values()) == sorted(live.values())
    assert log.knows_threads
