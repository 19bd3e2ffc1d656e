"""Services as they are run: greenlets, tasks that use threads, forks, gunicorn and celery."""

from __future__ import annotations

import collections
import concurrent.futures
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.marks import complete
from tests.servers.peer import answers
from tests.servers.scripted import Server

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "data" / "programs" / "service_ways.py"
OPENED = "keptalive.connections.opened"
REUSED = "keptalive.requests.reused"
ENDED = "http.client.connection.duration"
OPEN = "http.client.open_connections"


def lines_of(way: str, url: str) -> list[dict]:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", PROGRAM, way, url],
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "NO_PROXY": "*"},
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.parametrize("way", ["gevent", complete("asyncio")])
def test_requests_that_share_a_process_are_counted_as_the_server_counts(way):
    with Server(answers()) as server:
        [told] = lines_of(way, server.url)
        accepted = server.accepted
    assert 1 <= accepted <= 8
    assert told["report"] == {"opened": accepted, "reused": 40 - accepted}
    assert told["metrics"][OPENED] == told["metrics"][OPEN] == accepted
    assert told["metrics"][REUSED] == 40 - accepted
    assert set(told["causes"]) <= {"first-use", "concurrency"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_each_forked_worker_counts_its_own_requests_and_the_parent_goes_on():
    with Server(answers()) as server:
        *workers, parent = lines_of("forks", server.url)
        assert server.accepted == 3
    assert len(workers) == 2
    for told in workers:
        assert told["report"] == {"opened": 1, "reused": 39}
        assert (told["metrics"][OPENED], told["metrics"][REUSED]) == (1, 39)
        assert told["causes"] == ["first-use"]
    assert parent["report"] == {"opened": 1, "reused": 1}
    assert parent["metrics"][OPEN] == 1


# -- The example in docs/


NUMBERED = """
import os
from prometheus_client import Gauge
from service import app

Gauge("worker_process", "which worker answers").set_function(os.getpid)
"""


@contextmanager
def gunicorn(folder: Path, workers: int, upstream: str) -> Iterator[str]:
    """Serve docs/service.py, with the process id among its metrics; gives its URL."""
    (folder / "numbered.py").write_text(NUMBERED)
    command = [sys.executable, "-W", "ignore", "-m", "gunicorn", "--workers", str(workers)]
    own = {"UPSTREAM": upstream, "HOME": str(folder), "PYTHONPATH": str(folder)}
    # a port that is closed here, for gunicorn to open, could be another's by then
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = ["--threads", "4", "--bind", f"fd://{listener.fileno()}"]
        with subprocess.Popen(
            [*command, *options, "--config", "python:service", "numbered:app"],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT / "docs",
            env={**os.environ, **own, "NO_PROXY": "*", "PYTHONDONTWRITEBYTECODE": "1"},
            pass_fds=[listener.fileno()],
        ) as serving:
            try:
                assert any("Listening at" in line for line in serving.stderr)
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                serving.terminate()
                serving.stderr.read()


def read(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as response:
        return response.read().decode()


def samples(page: str) -> dict[str, float]:
    """The sums of a page of Prometheus's, by the names of metrics."""
    sums: collections.Counter[str] = collections.Counter()
    for line in page.splitlines():
        if not line.startswith("#"):
            name, value = line.rpartition(" ")[::2]
            sums[name.partition("{")[0]] += float(value)
    return dict(sums)


def test_the_example_in_the_docs_answers_with_metrics_and_with_the_last_hour(monkeypatch):
    with Server(answers()) as server:
        monkeypatch.setenv("UPSTREAM", server.url)
        place = importlib.util.spec_from_file_location("service", ROOT / "docs" / "service.py")
        service = importlib.util.module_from_spec(place)
        place.loader.exec_module(service)
        service.post_fork(None, None)
        pages = {}
        try:
            for path in ("/", "/", "/metrics", "/connections"):
                [body] = service.app({"PATH_INFO": path}, lambda status, _headers: status)
                pages[path] = body.decode()
        finally:
            service.seen.stop()
        assert server.accepted == 1
    assert pages["/"] == "ok"
    assert samples(pages["/metrics"])["keptalive_connections_opened_total"] == 1
    assert samples(pages["/metrics"])["keptalive_requests_reused_total"] == 1
    assert "Nothing to change" in pages["/connections"]


@pytest.mark.complete
def test_the_example_service_serves_metrics_and_the_last_hour(tmp_path):
    pytest.importorskip("gunicorn")
    with Server(answers()) as server, gunicorn(tmp_path, 1, server.url) as url:
        for _ in range(20):
            assert read(url) == "ok"
        page, shown = read(f"{url}/metrics"), read(f"{url}/connections")
        accepted = server.accepted
    found = samples(page)
    assert found["keptalive_connections_opened_total"] == accepted
    assert found["keptalive_requests_reused_total"] == 20 - accepted
    assert found["http_client_open_connections"] == accepted
    assert 'keptalive_cause="first-use"' in page
    assert 'server_address="127.0.0.1"' in page
    assert "Nothing to change" in shown


@pytest.mark.complete
def test_workers_of_gunicorn_that_were_forked_count_their_own(tmp_path):
    pytest.importorskip("gunicorn")
    pages: dict[float, dict[str, float]] = {}
    with Server(answers()) as server, gunicorn(tmp_path, 2, server.url) as url:
        with concurrent.futures.ThreadPoolExecutor(8) as clients:

            def read_at_once(path: str) -> list[str]:
                return list(clients.map(read, [url + path] * 8))

            for _ in range(5):
                read_at_once("/")
            # which worker answers is the kernel's choice: ask until both have answered
            while len(pages) < 2:
                for page in map(samples, read_at_once("/metrics")):
                    pages[page["worker_process"]] = page
        accepted, number = server.accepted, len(server.requests)
    assert number == 40
    # one of them may have answered for its metrics only
    opened = sum(one.get("keptalive_connections_opened_total", 0) for one in pages.values())
    reused = sum(one.get("keptalive_requests_reused_total", 0) for one in pages.values())
    assert (opened, opened + reused) == (accepted, number)


CELERY = """
import os

import requests
from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

import keptalive

app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"
}
session = requests.Session()
if "FILLING" not in os.environ:
    # before the workers are forked; two that share its connection would get each other's responses
    session.get(os.environ["URL"], headers={"Connection": "close"})
seen = keptalive.watch(window_s=3600)


@worker_process_init.connect
def begin(**_):
    seen.start()


@worker_process_shutdown.connect
def end(**_):
    with open(f"report-{os.getpid()}", "w") as file:
        print(seen.opened, seen.reused, file=file)


@app.task
def sync():
    session.get(os.environ["URL"], timeout=30)
"""


@pytest.mark.complete
def test_worker_processes_of_celery_count_their_own(tmp_path, monkeypatch):
    pytest.importorskip("celery")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "queue").mkdir()
    (tmp_path / "tasks.py").write_text(CELERY)
    fill = "import tasks\nfor _ in range(20): tasks.sync.delay()"
    with Server(answers()) as server:
        known = {**os.environ, "URL": server.url, "PYTHONPATH": str(tmp_path), "NO_PROXY": "*"}
        subprocess.run([sys.executable, "-c", fill], check=True, env={**known, "FILLING": "yes"})
        worker = ["-m", "celery", "-A", "tasks", "worker", "-c", "2", "-l", "INFO"]
        with subprocess.Popen(
            [sys.executable, *worker],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=known,
        ) as running:
            overdue = threading.Timer(180, running.kill)
            overdue.start()
            lines, done = [], 0
            for line in running.stdout:
                lines.append(line)
                done += line.count(" succeeded in ")  # two processes write there
                if done == 20:
                    break
            assert done == 20, "".join(lines)
            os.kill(running.pid, signal.SIGTERM)
            running.stdout.read()
            overdue.cancel()
        accepted = server.accepted
    told = [one.read_text().split() for one in tmp_path.glob("report-*")]
    counts = [(int(opened), int(reused)) for opened, reused in told]
    assert sum(opened for opened, _ in counts) == accepted - 1  # one was the parent's, and closed
    assert sum(map(sum, counts)) == 20
    assert all(opened == (opened + reused > 0) for opened, reused in counts)
