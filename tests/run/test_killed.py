"""A program that is killed, by whatever, still tells of the connections that it had opened."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keptalive.lookalike.process import Lookalike
from keptalive.records.process import ProcessRecord
from keptalive.run.collect import Ran
from keptalive.run.launch import run

# Notes that took a tenth of a second, as they may on a busy machine, would be the last ones
NOTES_ALL = "import _keptalive_process as ours; ours._INTERIM_S = 60\n"
SCENARIO, KEEPS = "close-announced", "keep-alive"
ASKS = """
import os, sys
import requests

with requests.Session() as session:
    for _ in range(3):
        session.get(sys.argv[1] + "/user", headers={"Authorization": "Bearer lookalike-token"})
    sys.stdout.flush()
"""
DIES = {
    "kill -9": ("    os.kill(os.getpid(), 9)", signal.SIGKILL),
    "terminate": ("    os.kill(os.getpid(), 15)", signal.SIGTERM),
    "abort": ("    os.abort()", signal.SIGABRT),
    "segmentation fault": ("    import ctypes; ctypes.string_at(0)", signal.SIGSEGV),
}
POOL = """
import multiprocessing, sys
import requests

def ask(url):
    with requests.Session() as session:
        session.get(url + "/user", headers={"Authorization": "Bearer lookalike-token"})

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:  # terminates those that are late
        pool.map(ask, [sys.argv[1]] * 4)
"""


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start([SCENARIO, KEEPS]) as started:
        yield started


@pytest.fixture
def asked(lookalike, tmp_path, monkeypatch):
    """Run this text under the watcher of ``keptalive run``: what came, and the server's count."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(lookalike.ca_bundle))
    monkeypatch.delenv("PYTHONPATH")  # the watcher of conftest is not for here

    def ask(text: str) -> tuple[Ran, int]:
        program = Path("program.py")
        program.write_text(NOTES_ALL + text)
        before = lookalike.accepted(SCENARIO)
        command = [sys.executable, str(program), lookalike.url(SCENARIO)]
        ran = run(command, watcher="keptalive.run.process_watcher.begin")
        return ran, lookalike.accepted(SCENARIO) - before

    return ask


def opened(record: ProcessRecord) -> int:
    return sum(host.opened for host in record.hosts)


@pytest.mark.parametrize("how", DIES)
def test_a_killed_program_tells_of_all_connections_that_it_opened(how, asked):
    dies, number = DIES[how]
    ran, accepted = asked(ASKS + dies)
    assert (ran.exit_code, accepted) == (128 + number, 3)
    (record,) = ran.records
    assert (ran.processes[0].ended, opened(record), record.left_open) == (None, 3, 0)
    (warning,) = ran.warnings
    assert f"left without a report (killed by {number.name})" in warning


HOLDS = """
import os, sys
import requests

sessions = [requests.Session() for _ in range(3)]
for session in sessions:
    session.get(sys.argv[1] + "/user", headers={"Authorization": "Bearer lookalike-token"})
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_program_had_open_is_not_called_left_open(lookalike, tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(lookalike.ca_bundle))
    monkeypatch.delenv("PYTHONPATH")
    (tmp_path / "program.py").write_text(NOTES_ALL + HOLDS)
    command = [sys.executable, "program.py", lookalike.url(KEEPS)]
    (record,) = run(command, watcher="keptalive.run.process_watcher.begin").records
    assert (opened(record), record.left_open, record.left_at) == (3, 0, ())


THREADS = """
import os, sys, threading
import requests

def ask():
    for _ in range(3):
        with requests.Session() as session:
            session.get(sys.argv[1] + "/user", headers={"Authorization": "Bearer lookalike-token"})

threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_notes_that_threads_take_at_once_are_no_trouble(asked):
    ran, accepted = asked(THREADS)
    assert ([opened(record) for record in ran.records], ran.warnings) == ([accepted], ())
    ran, accepted = asked(THREADS + "os.kill(os.getpid(), 9)")
    (record,) = ran.records
    assert 0 < opened(record) <= accepted == 24


def test_workers_that_a_pool_terminates_tell_of_all_connections_that_they_opened(asked):
    ran, accepted = asked(POOL)
    assert (ran.exit_code, accepted) == (0, 4)
    assert sum(map(opened, ran.records)) == 4


HELD = """
import multiprocessing, sys, time
import requests

def ask(url):
    with requests.Session() as session:
        session.get(url + "/user", headers={"Authorization": "Bearer lookalike-token"})

def hold(url):
    ask(url)
    told.set()
    time.sleep(60)

if __name__ == "__main__":
    fork = multiprocessing.get_context("fork")
    told = fork.Event()
    HERE
"""
IN_A_POOL = """with fork.Pool(1) as pool:
        pool.apply_async(hold, [sys.argv[1]])
        told.wait()"""
ALONE = """worker = fork.Process(target=hold, args=[sys.argv[1]])
    worker.start(); told.wait(); worker.terminate(); worker.join()"""


@pytest.mark.parametrize(("worker", "is_hinted"), [(IN_A_POOL, True), (ALONE, False)])
def test_of_a_worker_that_its_pool_terminates_is_said_how_to_let_it_end(worker, is_hinted, asked):
    ran, _ = asked(HELD.replace("HERE", worker))
    (warning,) = ran.warnings
    hint = "; multiprocessing.Pool terminates its workers: close() and join() let them finish)"
    assert "(ForkPoolWorker-1, " in warning or not is_hinted
    assert (hint in warning) is is_hinted


def test_a_program_that_ends_by_itself_was_not_killed(asked):
    ran, accepted = asked(ASKS)
    assert ([opened(record) for record in ran.records], ran.warnings) == ([accepted], ())


ENDS_ITSELF = """
import os, signal, sys
import requests

signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))

def hear(event, arguments):
    if event == "open" and os.environ["KEPTALIVE_REPORTS"] in str(arguments[0]):
        os.kill(os.getpid(), signal.SIGTERM)

sys.addaudithook(hear)
for _ in range(20):
    try:
        with requests.Session() as session:
            session.get(sys.argv[1] + "/user")
    except requests.RequestException:
        pass
"""


def test_a_program_that_sigterm_ends_ends_although_a_note_is_just_taken(asked):
    ran, accepted = asked(ENDS_ITSELF)
    assert (ran.exit_code, accepted) == (7, 1)
