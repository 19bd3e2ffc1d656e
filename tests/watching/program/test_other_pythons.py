"""Every Python that we support reports; older ones run unwatched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import keptalive

from .running import PROGRAMS, PYTHONS, connects, watched, whole


@pytest.mark.parametrize("python", PYTHONS, ids=str)
def test_every_python_that_we_support_reports(python):
    ran = watched(
        python,
        "-c",
        "import calls, multiprocessing as m, os\n"
        "calls.connect()\n"
        "p = m.get_context('fork').Process(target=calls.connect, args=[2])\n"
        "p.start(); p.join()\n"
        "pid = os.fork()\n"
        "if not pid: calls.connect(3); os._exit(0)\n"
        "os.wait()",
    )
    assert connects(ran) == [1, 2, 3]
    assert whole(ran)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("python", PYTHONS, ids=str)
def test_we_run_on_every_python_that_we_support(python, method, tmp_path, capfd, monkeypatch):
    package = Path(keptalive.__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", f"{package}{os.pathsep}{tmp_path / 'lib'}")
    driver = [python, "-W", "error", PROGRAMS / "driver.py", "ran.json"]
    subprocess.run([*driver, python, "-W", "error", PROGRAMS / "workers.py", method, "pool"])
    ran = json.loads(Path("ran.json").read_text())
    assert sum(report["report"]["connects"] for report in ran["reports"]) == 4
    assert (ran["exit_code"], ran["processes_without_report"], ran["warnings"]) == (0, 0, [])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.9"])
def test_an_older_python_runs_unwatched_and_that_is_said(version, capfd):
    found = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"there is no Python {version} here")
    ran = watched(found[0], "-B", "-c", "print('fine')")
    assert capfd.readouterr() == ("fine\n", "")
    assert (ran.reports, ran.processes_without_report) == ((), 1)
    assert f"Python {version} is older than 3.10" in ran.warnings[0]


def test_another_environment_sees_the_watcher_and_nothing_else_of_ours(tmp_path, capfd):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "venv"], check=True)
    # the watcher lies beside driver.py, and requests in our own environment
    text = "import sys, importlib.util as u; print([*map(u.find_spec, ['driver', 'requests'])])"
    ran = watched("venv/bin/python", "-c", text)
    assert capfd.readouterr().out == "[None, None]\n"
    assert connects(ran) == [0]
    assert whole(ran)
