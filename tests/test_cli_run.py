"""`keptalive run`: somebody's program, untouched, and then why its connections were opened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keptalive.lookalike.process import Lookalike

SCENARIO = "close-announced"
PROGRAM = """
import sys
import requests

print(sys.argv[1:], __name__)
with requests.Session() as session:
    for _ in range(3):
        session.get(sys.argv[1] + "/user", headers={"Authorization": "Bearer lookalike-token"})
sys.exit(3)
"""


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start([SCENARIO]) as started:
        yield started


def keptalive(*arguments: str, cwd: Path, lookalike: Lookalike) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "REQUESTS_CA_BUNDLE": str(lookalike.ca_bundle), "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-m", "keptalive", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_program_runs_untouched_and_its_connections_are_explained(tmp_path, lookalike):
    (tmp_path / "sync.py").write_text(PROGRAM)
    url = lookalike.url(SCENARIO)
    ran = keptalive(
        "run", "--json", "report.json", "sync.py", url, "--all", cwd=tmp_path, lookalike=lookalike
    )
    assert (ran.returncode, ran.stdout) == (3, f"[{url!r}, '--all'] __main__\n")
    assert 'the server said "Connection: close"  close-announced' in ran.stderr
    assert "3 requests, 3 connections opened, perfect reuse: 1" in ran.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    (host,) = report["hosts"]
    assert (report["source"], host["host"], host["opened"]) == ("run", url, 3)
    assert {c["cause"]: c["count"] for c in host["causes"]} == {
        "close-announced": 2,
        "first-use": 1,
    }
    assert "lookalike-token" not in ran.stderr + json.dumps(report)


def test_a_module_and_its_children_are_watched(tmp_path, lookalike):
    (tmp_path / "sync.py").write_text(PROGRAM.replace("sys.exit(3)", ""))
    (tmp_path / "parent.py").write_text(
        "import subprocess, sys\n"
        "for _ in range(2): subprocess.run([sys.executable, 'sync.py', *sys.argv[1:]])\n"
    )
    url = lookalike.url(SCENARIO)
    ran = keptalive(
        "run", "--json", "report.json", "-m", "parent", url, cwd=tmp_path, lookalike=lookalike
    )
    assert ran.returncode == 0
    (host,) = json.loads((tmp_path / "report.json").read_text())["hosts"]
    assert host["opened"] == 6


def test_a_program_without_requests_has_nothing_to_report(tmp_path, lookalike):
    (tmp_path / "hello.py").write_text("print('hello')")
    ran = keptalive("run", "hello.py", cwd=tmp_path, lookalike=lookalike)
    assert (ran.returncode, ran.stdout) == (0, "hello\n")
    assert ran.stderr == "\nNo request of requests or urllib3 was seen.\n\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch.py"], "There is no nosuch.py"),
        (["broken.py"], "broken.py"),
        (["."], "is a folder without __main__.py"),
        (["-m", "nosuch"], "There is no module nosuch"),
        (["--json", "no/such/folder.json", "hello.py"], "cannot be written"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_run_is_one_line_and_exit_code_2(tmp_path, lookalike, arguments, said):
    (tmp_path / "hello.py").write_text("")
    (tmp_path / "broken.py").write_text("def (:\n")
    ran = keptalive("run", *arguments, cwd=tmp_path, lookalike=lookalike)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("keptalive: ")
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
