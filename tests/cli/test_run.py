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
    assert (
        ran.stderr
        == "\nNo request of requests or urllib3 was seen; other clients are not watched.\n\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch.py"], "There is no nosuch.py"),
        (["broken.py"], "broken.py"),
        (["."], "is a folder without __main__.py"),
        (["-m", "nosuch"], "There is no module nosuch"),
        (["-c", "print(1)"], "keptalive takes no code. Next: keptalive run python -c '...'"),
        (["-"], "keptalive takes no code. Next: keptalive run python -."),
        (["--json", "no/such/folder.json", "hello.py"], "cannot be written"),
        (["--json", ".", "hello.py"], ". cannot be written: Is a directory"),
        (["--json", "-", "hello.py"], "Standard output is the program's own. Next: --json FILE."),
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


def test_a_disk_that_is_full_at_the_end_costs_the_file_and_nothing_else(tmp_path, lookalike):
    (tmp_path / "hello.py").write_text("print('hello')")
    ran = keptalive("run", "--json", "/dev/full", "hello.py", cwd=tmp_path, lookalike=lookalike)
    assert (ran.returncode, ran.stdout) == (0, "hello\n")
    assert "No request of requests or urllib3 was seen" in ran.stderr
    assert "/dev/full cannot be written: No space left on device. Next: --json FILE." in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("code", [0, 3])
def test_the_programs_exit_code_outlasts_a_report_that_cannot_be_told(tmp_path, code):
    (tmp_path / "ends.py").write_text(f"raise SystemExit({code})")
    command = [sys.executable, "-m", "keptalive", "run", "--json", "/dev/full", "ends.py"]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(command, cwd=tmp_path, stderr=full, timeout=60)
    assert ran.returncode == code


def test_a_requests_that_is_none_is_not_watched_and_that_is_told_once(tmp_path, lookalike):
    (tmp_path / "lib/requests").mkdir(parents=True)  # not the one that can be watched
    (tmp_path / "lib/requests/__init__.py").write_text("")
    (tmp_path / "lib/requests/adapters.py").write_text("HTTPAdapter = object")
    (tmp_path / "hello.py").write_text(
        "import sys; sys.path.insert(0, 'lib'); import requests, urllib3; print('hello')"
    )
    ran = keptalive("run", "--json", "r.json", "hello.py", cwd=tmp_path, lookalike=lookalike)
    assert (ran.returncode, ran.stdout) == (0, "hello\n")
    (warning,) = json.loads((tmp_path / "r.json").read_text())["warnings"]
    assert warning.startswith("requests is not watched: ModuleNotFoundError")


PROGRAMS = Path(__file__).parents[1] / "data" / "programs"
WAITS = """
import os, sys, time
import requests

with requests.Session() as session:
    session.get(sys.argv[1] + "/user", headers={"Authorization": "Bearer lookalike-token"})
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        if "handle" in sys.argv:
            sys.exit(4)
        raise
"""


@pytest.mark.parametrize(("handles", "exit_code"), [([], 130), (["handle"], 4)])
def test_ctrl_c_on_a_terminal_ends_the_program_and_the_report_comes(
    tmp_path, lookalike, handles, exit_code
):
    (tmp_path / "waits.py").write_text(WAITS)
    command = [sys.executable, "-m", "keptalive", "run", "waits.py", lookalike.url(SCENARIO)]
    with subprocess.Popen(
        [sys.executable, PROGRAMS / "terminal.py", *command, *handles],
        cwd=tmp_path,
        env={**os.environ, "REQUESTS_CA_BUNDLE": str(lookalike.ca_bundle), "NO_COLOR": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\r\n"
        running.stdin.write(b"\x03")
        running.stdin.flush()
        shown = running.stdout.read().decode()
    assert running.returncode == exit_code
    assert shown.count("Traceback") == (0 if handles else 1)  # the program's own
    assert "keptalive: interrupted" not in shown
    assert "1 request, 1 connection opened, perfect reuse: 1" in shown
