"""Learning with many threads, forks and the end of a session: nothing is lost, and nothing left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# The server closes what was idle for 0.5 s; the threads pause for up to twice that
MANY_THREADS = """
import gc, random, sys, threading, time
from concurrent.futures import ThreadPoolExecutor

from tests.servers.scripted import Server
from tests.servers.scripts import closes_idle
from keptalive import tuned_session

THREADS, EACH = 64, 16
with Server(closes_idle(0.5)) as server:
    session = tuned_session(threads=THREADS)
    stopped, took_s = threading.Event(), []

    def looks_at_it():
        while not stopped.wait(0.005):
            session.learned()
            session.describe()

    def work(number):
        chance, done = random.Random(number), 0
        for count in range(EACH):
            method = chance.choice(["GET", "POST"])
            began = time.monotonic()
            done += session.request(method, server.url, data=f"{method} {number} {count}").ok
            took_s.append(time.monotonic() - began)
            time.sleep(chance.choice([0, 0.01, 0.45, 0.5, 1.0]))
        return done

    looking = threading.Thread(target=looks_at_it)
    looking.start()
    try:
        with ThreadPoolExecutor(THREADS) as threads:
            done = sum(threads.map(work, range(THREADS)))
    finally:
        stopped.set()
        looking.join()
    (learned,) = session.learned().values()
    posts = [body for body in server.bodies if body.startswith(b"POST")]
    session.close()
    assert session.learned() == {}
    server.wait_for_scripts(server.accepted)  # every connection is closed
    assert done == THREADS * EACH
    assert len(posts) == len(set(posts))
    # to a thread that reads a response late, the connection is idle for less
    assert 0.45 - max(took_s) < learned.closed_s < 1.0, (learned, max(took_s))
    print(server.accepted, learned)
    del session
    gc.collect()
"""

FORKS = """
import os, threading, time
from tests.servers.scripted import Server
from keptalive import tuned_session

with Server() as server, tuned_session() as session:
    stopped = threading.Event()

    def posts():
        while not stopped.wait(0.01):
            time.sleep(0.11)  # idle for so long, a connection is not known to be safe
            assert session.post(server.url).ok

    threads = [threading.Thread(target=posts) for _ in range(4)]
    for thread in threads:
        thread.start()
    codes = []
    for _ in range(12):
        time.sleep(0.02)
        child = os.fork()
        if not child:
            code = 1
            try:
                assert session.learned() == {}
                for _ in range(2):
                    assert session.post(server.url).ok
                    time.sleep(0.11)
                session.close()
                code = 0
            finally:
                os._exit(code)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    stopped.set()
    for thread in threads:
        thread.join()
    assert codes == [0] * 12, codes
    (learned,) = session.learned().values()
    assert learned.kept_s > 0.1, learned
    assert learned.closed_s is None, learned
"""


def ran(program: str) -> None:
    """Run it with Python's own checks; it must print no warning."""
    with_threads = "ignore:This process:DeprecationWarning"  # of a fork, since Python 3.12
    warnings = ("-W", "error", "-W", with_threads)
    command = [sys.executable, "-X", "dev", *warnings, "-c", program]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.complete
def test_64_threads_that_learn_lose_nothing_and_leave_nothing_open() -> None:
    ran(MANY_THREADS)


@pytest.mark.complete
@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_processes_that_are_forked_while_threads_learn_learn_anew() -> None:
    ran(FORKS)
