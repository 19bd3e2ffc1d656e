"""Every Python that we support reports; older ones run unwatched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .running import PROGRAMS, PYTHONS, connects, watched, whole

pytestmark = pytest.mark.complete


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
def test_workers_report_on_every_python_that_we_support(python, method, capfd):
    # that `run` itself runs on each of them is nox's to show: it needs keptalive's libraries there
    ran = watched(python, "-W", "error", PROGRAMS / "workers.py", method, "pool")
    assert sum(connects(ran)) == 4
    assert (ran.exit_code, whole(ran)) == (0, True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.9"])
def test_an_older_python_runs_unwatched_and_that_is_said(version, capfd):
    found = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"there is no Python {version} here")
    ran = watched(found[0], "-B", "-c", "print('fine')")
    assert capfd.readouterr() == ("fine\n", "")
    assert (ran.processes, ran.processes_without_report) == ((), 1)
    assert f"Python {version} is older than 3.10" in ran.warnings[0]


@pytest.mark.parametrize("order", ["ours first", "theirs first"])
@pytest.mark.parametrize("version", ["2.7", "3.6", "3.9"])
def test_an_older_python_runs_the_sitecustomize_of_another_once(
    version, order, tmp_path, monkeypatch, capfd
):
    found = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"there is no Python {version} here")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    chain = "" if version == "2.7" else CHAIN
    (theirs / "sitecustomize.py").write_text(f"import sys\nprint('theirs')\n{chain}print('end')\n")
    run = f"{found[0]} -B -c \"print('fine')\""
    if order == "ours first":
        monkeypatch.setenv("PYTHONPATH", str(theirs))
        ran = watched("sh", "-c", f"exec {run}")
    else:
        ran = watched("sh", "-c", f"PYTHONPATH={theirs}:$PYTHONPATH exec {run}")
    assert capfd.readouterr() == ("theirs\nend\nfine\n", "")
    assert ran.processes == ()
    assert f"Python {version} is older than 3.10" in ran.warnings[0]


CHAIN = """
import os
from importlib.machinery import PathFinder
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [entry for entry in sys.path if entry != here]
spec = PathFinder.find_spec("sitecustomize", path=sys.path)
if spec is not None: spec.loader.load_module("sitecustomize")
"""


def test_another_environment_sees_the_watcher_and_nothing_else_of_ours(tmp_path, capfd):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "venv"], check=True)
    # the watcher lies beside driver.py, and requests in our own environment
    text = "import sys, importlib.util as u; print([*map(u.find_spec, ['driver', 'requests'])])"
    ran = watched("venv/bin/python", "-c", text)
    assert capfd.readouterr().out == "[None, None]\n"
    assert connects(ran) == [0]
    assert whole(ran)
