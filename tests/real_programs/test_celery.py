"""Tasks of celery that share a tuned Session: each worker process opens one connection."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from tests.servers.peer import answers

pytest.importorskip("celery")
pytestmark = pytest.mark.complete

TASKS, PROCESSES = 20, 2
PROGRAM = """
import os

from celery import Celery
from keptalive import tuned_session

app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"
}
session = tuned_session()
if "FILLING" not in os.environ:
    session.get(os.environ["URL"])  # before the workers are forked


@app.task
def sync():
    session.get(os.environ["URL"])
"""


def test_each_worker_process_of_celery_opens_one_connection_and_reports_it(
    serve, tmp_path, monkeypatch
):
    all_are_there = threading.Barrier(PROCESSES)

    def of_a_worker(peer):
        assert peer.request()
        all_are_there.wait(25)  # a worker that is busy gets no other task
        peer.respond()
        answers()(peer)

    server = serve(answers(), of_a_worker)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("URL", server.url)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "queue").mkdir()
    (tmp_path / "tasks.py").write_text(PROGRAM)
    fill = f"import tasks\nfor _ in range({TASKS}): tasks.sync.delay()"
    subprocess.run([sys.executable, "-c", fill], check=True, env={**os.environ, "FILLING": "yes"})
    run = [sys.executable, "-m", "keptalive", "run", "--json", "report.json"]
    worker = ["-m", "celery", "-A", "tasks", "worker", "-c", str(PROCESSES), "-l", "INFO"]
    with subprocess.Popen(
        [*run, *worker], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    ) as running:
        done = 0
        for line in running.stdout:
            done += " succeeded in " in line
            if done == TASKS:
                break
        os.kill(running.pid, signal.SIGTERM)
        running.stdout.read()
    assert (done, running.returncode) == (TASKS, 0)
    (host,) = json.loads((tmp_path / "report.json").read_text())["hosts"]
    assert (host["requests"], host["opened"]) == (TASKS + 1, PROCESSES + 1)
    assert [cause["cause"] for cause in host["causes"]] == ["first-use"]
