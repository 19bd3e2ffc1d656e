"""Locust itself, with users that are counted: alone, with workers, with one of them killed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.servers.scripted import Server, answers

ROOT = Path(__file__).parents[2]
LOCUSTFILE = """
from locust import HttpUser, constant
from keptalive.locust import ConnectionsMixin, FreshUser, SessionUser, TunedUser

def call(user):
    user.client.get("/")

class Calls:
    tasks, wait_time, fixed_count = [call], constant(0.05), 2

class Fresh(Calls, FreshUser):
    pass

class OneSession(Calls, SessionUser):
    pass

class Tuned(Calls, TunedUser):
    tuned = {"max_idle": 4}

class Own(Calls, ConnectionsMixin, HttpUser):
    pass

class Plain(Calls, HttpUser):
    pass
"""
ROW = re.compile(r"│ (\S+) +│ +(\d+) │ +\d+ │ +(\d+) │ +(\d+) │ +(\d+) │")  # users, opened, enough


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
        timeout=90,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


def saved(folder: Path) -> dict:
    [file] = (folder / "results").glob("run-*.json")
    return json.loads(file.read_text())


def test_a_load_test_ends_with_the_connections_of_each_class_and_their_causes(folder):
    with Server(answers()) as server:
        said = locust(
            folder, "--headless", "-u", "10", "-r", "100", "-t", "1s", "--host", server.url
        )
    report = saved(folder)
    [host] = report["hosts"]
    assert host["opened"] + host["opened_unanswered"] == server.accepted
    rows = {name: (int(opened), int(enough)) for name, _, _, opened, enough in ROW.findall(said)}
    for name in ("OneSession", "Tuned", "Own"):
        assert rows[name] == (2, 2)
    opened, enough = rows["Fresh"]
    assert opened > enough == 2
    assert sum(opened for opened, _ in rows.values()) == host["opened"]
    causes = {cause["cause"]: cause["count"] for cause in host["causes"]}
    assert causes["new-session"] == opened - enough
    assert report["environment"]["users"] == dict.fromkeys(
        ("Fresh", "OneSession", "Own", "Tuned"), 2
    )
    assert (report["warnings"], report["lost"]) == ([], [])


def test_without_locust_one_line_says_how_to_install_it():
    code = "import sys; sys.modules['locust'] = None; from keptalive.locust import FreshUser"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = ended.stderr.splitlines()[-1]
    assert last.endswith("keptalive.locust needs Locust. Next: pip install 'keptalive[scale]'.")


def scale(folder: Path, *words: str) -> tuple[str, int]:
    """What `make scale` says, and how many connections the look-alike has accepted."""
    ended = subprocess.run(
        [sys.executable, "-m", "bench.scale", *words],
        cwd=folder,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    accepted = re.search(r"accepted (\d+) connections", ended.stdout)
    assert ended.returncode == 0, ended.stderr
    assert accepted is not None, ended.stderr
    return ended.stderr, int(accepted[1])


@pytest.mark.complete
def test_two_workers_with_200_users_count_as_many_connections_as_the_server_accepts(tmp_path):
    said, accepted = scale(tmp_path, "200", "8")
    report = saved(tmp_path)
    [host] = report["hosts"]
    assert host["opened"] + host["opened_unanswered"] == accepted
    assert sum(report["environment"]["users"].values()) == 200
    assert (report["environment"]["workers"], report["warnings"]) == (2, [])
    assert max(map(len, said[said.index("╭") :].splitlines())) <= 80


@pytest.mark.complete
def test_a_worker_that_is_killed_loses_its_own_numbers_and_the_report_says_so(tmp_path):
    said, accepted = scale(tmp_path, "200", "8", "kill")
    report = saved(tmp_path)
    [lost] = report["lost"]
    [warning] = report["warnings"]
    assert f"process {lost['process']}" in warning
    assert "1 worker left without a report" in said
    others = [one for one in report["connections"] if one["process"] != lost["process"]]
    [host] = report["hosts"]
    assert host["is_lower_bound"]
    # all of the other worker's, and the killed one's until its last report
    whole = sum(cause["count"] for cause in host["causes"] if cause["cause"] != "unknown")
    assert whole == sum(one["served"] > 0 for one in others)
    assert whole < host["opened"] + host["opened_unanswered"] <= accepted
