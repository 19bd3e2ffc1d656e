"""Locust itself, with users that are counted: alone, with workers, with one of them killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests
from bench.ports import reserved_port
from tests.servers.peer import answers
from tests.servers.scripted import Server

ROOT = Path(__file__).parents[2]
LOCUSTFILE = """
import gevent
from keptalive.locust import ConnectionsMixin, FreshUser, SessionUser, TunedUser
from locust import HttpUser, constant
from locust.exception import StopUser

running = 10  # users; each sends five requests

def call(user):
    global running
    user.client.get("/")
    user.calls += 1
    if user.calls == 5:
        running -= 1
        if not running:
            runner = user.environment.runner
            gevent.spawn(runner.stop if user.environment.web_ui else runner.quit)
        raise StopUser

class Calls:
    tasks, wait_time, fixed_count, calls = [call], constant(0.01), 2, 0

class Fresh(Calls, FreshUser):
    pass

class OneSession(Calls, SessionUser):
    pass

class Tuned(Calls, TunedUser):
    tuned = {"max_idle": 40}

class Own(Calls, ConnectionsMixin, HttpUser):
    pass

class Plain(Calls, HttpUser):
    pass
"""
ROW = re.compile(
    r"│ (\S+) +│ +(\d+|–) │ +\d+ │ +(\d+) │ +(\d+) │ +(\d+) │"
)  # users, opened, enough


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    return tmp_path


def locust(folder: Path, *options: str) -> str:
    """Run Locust to its end: what it wrote to standard error."""
    ended = subprocess.run(
        [sys.executable, "-m", "locust", *options],
        cwd=folder,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


@contextmanager
def started(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Locust in a process group of its own, with a pipe for what it writes to standard error."""
    with subprocess.Popen(
        [sys.executable, "-m", "locust", *options],
        cwd=folder,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        overdue = threading.Timer(180, os.killpg, (process.pid, signal.SIGKILL))
        overdue.start()
        try:
            yield process
        finally:
            overdue.cancel()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


PAGE = ("--web-host", "127.0.0.1", "--web-port")


def saved(folder: Path) -> dict:
    [file] = (folder / "results").glob("run-*.json")
    return json.loads(file.read_text())


def test_a_load_test_ends_with_the_connections_of_each_class_and_their_causes(folder):
    with Server(answers()) as server:
        said = locust(folder, "--headless", "-u", "10", "-r", "100", "--host", server.url)
    rows = {name: (int(opened), int(enough)) for name, _, _, opened, enough in ROW.findall(said)}
    kept = dict.fromkeys(("OneSession", "Own", "Tuned"), (2, 2))
    assert {name: one for name, one in rows.items() if name != "(others)"} == {
        "Fresh": (10, 2),
        **kept,
    }
    report = saved(folder)
    [host] = report["hosts"]
    assert (host["requests"], host["opened_unanswered"]) == (50, 0)
    assert host["opened"] == server.accepted == sum(opened for opened, _ in rows.values())
    causes = {cause["cause"]: cause["count"] for cause in host["causes"]}
    assert causes["new-session"] >= 8
    classes = report["environment"]["classes"]
    assert {name: one["users"] for name, one in classes.items()} == {
        "(others)": None,
        "Fresh": 2,
        **dict.fromkeys(kept, 2),
    }
    assert classes["Fresh"]["causes"] == {"new-session": 8, "first-use": 2}
    assert "Fresh opened 10: 8 × new-session, 2 × first-use; OneSession opened 2:" in said
    assert (report["warnings"], report["lost"]) == ([], [])


EXAMPLES = re.findall(
    r"<!-- needs: locust -->\n```python\n(.*?)```",
    (ROOT / "docs" / "locust.md").read_text(),
    re.DOTALL,
)


@pytest.mark.complete
def test_the_locustfiles_of_the_page_run(tmp_path):
    (tmp_path / "locustfile.py").write_text("\n".join(EXAMPLES))
    with Server(answers()) as server:
        options = ["--headless", "-u", "8", "-r", "100", "-t", "4s", "--host", server.url]
        said = locust(tmp_path, *options)
    rows = {name: int(opened) for name, _, _, opened, _ in ROW.findall(said)}
    assert rows.keys() == {"Fresh", "OneSession", "Tuned", "Shop"}
    [host] = saved(tmp_path)["hosts"]
    assert sum(rows.values()) == host["opened"]


def test_without_locust_one_line_says_how_to_install_it():
    code = "import sys; sys.modules['locust'] = None; from keptalive.locust import FreshUser"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = ended.stderr.splitlines()[-1]
    assert last.endswith("keptalive.locust needs Locust. Next: pip install 'keptalive[scale]'.")


@pytest.mark.complete
def test_the_web_page_has_a_tab_with_the_connections_of_each_class(folder):
    with Server(answers()) as server, reserved_port() as port:
        options = ["--autostart", "--autoquit", "60", "-u", "10", "-r", "99", "-H", server.url]
        with started(folder, *options, *PAGE, str(port)) as process:
            assert any("Saved results" in line for line in process.stderr)
            _check_page(f"http://127.0.0.1:{port}")


def _check_page(url: str) -> None:
    page = requests.get(url, timeout=30).text
    assert '"extended_tabs": [{"key": "connections", "title": "Connections"}]' in page
    statistics = requests.get(f"{url}/stats/requests", timeout=30).json()
    [table] = [one for one in statistics["extended_stats"] if one["key"] == "connections"]
    opened = {row["name"]: row["opened"] for row in table["data"]}
    assert (opened["Fresh"], opened["Own"], opened["(others)"]) == (10, 2, 2)
    assert requests.get(f"{url}/connections", timeout=30).json() == {"classes": table["data"]}
    report = requests.get(f"{url}/connections/report", timeout=30).json()
    assert report["hosts"][0]["opened"] == sum(opened.values())


FOR_EVER = """
from keptalive.locust import FreshUser
from locust import constant

class Fresh(FreshUser):
    wait_time = constant(0.05)

    def visit(self):
        self.client.get("/")

    tasks = [visit]
"""
PATIENT = """
from locust import runners

runners.HEARTBEAT_LIVENESS = 20  # seconds: no worker is missed because the machine is busy
"""


@pytest.mark.complete
def test_ctrl_c_that_reaches_the_master_and_all_workers_at_once_loses_nothing(tmp_path):
    (tmp_path / "locustfile.py").write_text(FOR_EVER + PATIENT)
    options = ("--processes", "2", "--headless", "-u", "20", "-r", "100", "--stop-timeout", "10")
    with Server(answers()) as server, reserved_port() as free:
        ports = ("--master-bind-port", str(free), "--master-port", str(free))
        with started(tmp_path, *options, *ports, "-H", server.url) as process:
            assert any(line.startswith("Connections  ") for line in process.stderr)
            os.killpg(process.pid, signal.SIGINT)
            said = process.stderr.read()
            assert process.wait() == 0, said
        accepted = server.accepted
    report = saved(tmp_path)
    [host] = report["hosts"]
    assert (report["warnings"], report["lost"]) == ([], [])
    assert host["opened"] + host["opened_unanswered"] == accepted
    assert "unknown" not in {cause["cause"] for cause in host["causes"]}


DIES = """
import os, signal
from locust import events

@events.test_stopping.add_listener
def dies(environment, **_):
    if getattr(environment.runner, "worker_index", 0) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.complete
def test_the_web_page_has_a_report_though_a_worker_dies_where_the_test_is_stopped(tmp_path):
    (tmp_path / "locustfile.py").write_text(FOR_EVER + DIES)
    below = ("--web-base-path", "/load")
    options = ("--processes", "2", "--autostart", "-u", "4", "-r", "100", *below)
    with Server(answers()) as server, reserved_port() as free, reserved_port() as page:
        ports = ("--master-bind-port", str(free), "--master-port", str(free), *PAGE, str(page))
        with started(tmp_path, *options, *ports, "-H", server.url) as run:
            url = f"http://127.0.0.1:{page}/load"
            assert any("All users spawned" in line for line in run.stderr)
            assert requests.post(f"{url}/stop", timeout=60).ok
            assert any("Saved results" in line for line in run.stderr)
            report = requests.get(f"{url}/connections/report", timeout=30).json()
    [warning] = report["warnings"]
    assert warning.startswith("1 worker left without a report (")


def scale(folder: Path, *words: str) -> tuple[str, int]:
    """What `make scale` says, and how many connections the look-alike has accepted."""
    ended = subprocess.run(
        [sys.executable, "-m", "bench.scale", *words],
        cwd=folder,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    accepted = re.search(r"accepted (\d+) connections", ended.stdout)
    assert ended.returncode == 0, ended.stderr
    assert accepted is not None, ended.stderr
    return ended.stderr, int(accepted[1])


@pytest.mark.complete
def test_two_workers_with_200_users_count_as_many_connections_as_the_server_accepts(tmp_path):
    said, accepted = scale(tmp_path, "200", "used")
    report = saved(tmp_path)
    [host] = report["hosts"]
    assert host["opened"] + host["opened_unanswered"] == accepted
    assert sum(one["users"] or 0 for one in report["environment"]["classes"].values()) == 200
    assert (report["environment"]["workers"], report["warnings"]) == (2, [])
    assert max(map(len, said[said.index("╭") :].splitlines())) <= 80


@pytest.mark.complete
def test_a_worker_that_is_killed_loses_its_own_numbers_and_the_report_says_so(tmp_path):
    said, accepted = scale(tmp_path, "40", "kill")
    report = saved(tmp_path)
    [warning] = report["warnings"]
    assert warning.startswith("1 worker left without a report (process ")
    assert "1 worker left without a report" in said
    [host], [lost] = report["hosts"], report["lost"]
    assert host["is_lower_bound"]
    # all of the other worker's, and the killed one's until its last report
    [process] = {one["process"] for one in report["connections"]}
    assert process != lost["process"]
    whole = sum(cause["count"] for cause in host["causes"] if cause["cause"] != "unknown")
    assert whole == sum(one["served"] > 0 for one in report["connections"])
    assert whole < host["opened"]  # it had reported some
    assert host["opened"] + host["opened_unanswered"] <= accepted
