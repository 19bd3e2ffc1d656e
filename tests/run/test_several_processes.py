"""Forks, workers and children report, each its own share."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from keptalive.run import folder

from .running import PROGRAMS, PYTHONS, code, connects, driven, ended, quickly, watched, whole

METHODS = ("fork", "spawn", "forkserver")


def test_a_fork_reports_its_own_share_only():
    fork = (
        "import calls, os; calls.connect(4); pid = os.fork()\n"
        "calls.connect(1 if pid else 2)\n"
        "if pid: os.wait()"
    )
    assert connects(code(fork)) == [5, 2]
    assert connects(code(fork, watcher="counting.start_told")) == [5, 102]


def test_a_fork_warns_of_no_thread_of_ours(capfd):
    for python in [sys.executable, *PYTHONS]:
        text = "import os; os.fork() and os.wait(); os.fork() and os.wait()"
        assert len(watched(python, "-W", "error", "-c", text).processes) == 4
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "words",
    quickly(
        [f"{method} {kind}" for method in METHODS for kind in ("pool", "process")],
        *("spawn pool", "fork process"),
    ),
)
def test_workers_of_multiprocessing_report(words, capfd):
    ran = watched(PROGRAMS / "workers.py", *words.split())
    assert (ran.exit_code, sum(connects(ran))) == (0, 4)
    assert whole(ran)
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_is_terminated_leaves_what_it_noted():
    ran = code(
        "import calls, multiprocessing as m, time\n"
        "told = m.Event()\n"
        "def work(): calls.connect(); told.set(); time.sleep(60)\n"
        "worker = m.get_context('fork').Process(target=work)\n"
        "worker.start(); told.wait(); worker.terminate(); worker.join()"
    )
    assert (ended(ran), connects(ran)) == (["exit", None], [0, 1])


def test_children_report_whoever_starts_them(tmp_path):
    Path("x.py").write_text("import calls; calls.connect()")
    python = sys.executable
    ran = watched("sh", "-c", f"{python} x.py; {python} x.py")
    assert connects(ran) == [1, 1]
    ran = code("import subprocess, sys; subprocess.run([sys.executable, 'x.py'])")
    assert connects(ran) == [0, 1]
    script = Path("tool")
    script.write_text(f"#!{python}\nimport calls; calls.connect(3)")
    script.chmod(0o755)
    assert connects(watched("./tool")) == [3]


def test_a_fork_that_becomes_another_program_at_once_is_no_process_without_report():
    ran = code("import subprocess; subprocess.run(['true'], preexec_fn=lambda: None)")
    assert len(ran.processes) == 1
    assert whole(ran)


def test_pytest_runs_as_ever_and_reports(capfd):
    Path("test_it.py").write_text("import calls\n\ndef test_it():\n    calls.connect()\n")
    ran = watched("pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
    assert "1 passed" in capfd.readouterr().out
    assert (ran.exit_code, connects(ran)) == (0, [1])


READY = """
import sys
def post_worker_init(_worker):
    print("a worker is ready", file=sys.stderr, flush=True)
"""


@pytest.mark.complete
def test_workers_of_gunicorn_report():
    pytest.importorskip("gunicorn", reason="gunicorn is not installed: pip install gunicorn")
    shutil.copy(PROGRAMS / "wsgi.py", "wsgi.py")
    Path("ready.py").write_text(READY)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)
        options = ["-b", f"fd://{listener.fileno()}", "-w", "2", "-c", "ready.py", "wsgi"]
        with driven(
            "gunicorn", *options, close_fds=False, stderr=subprocess.PIPE, text=True
        ) as serving:
            for _ in range(2):  # one that is told to end before that would leave no report
                assert any("a worker is ready" in line for line in serving.stderr)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            urllib.request.urlopen(url, timeout=30).close()
            serving.stderr.read()
    ran = json.loads(Path("ran.json").read_text())
    assert sum(host["connects"] for one in ran["processes"] for host in one["report"]["hosts"]) == 1
    assert (serving.returncode, len(ran["processes"]), ran["processes_without_report"]) == (0, 3, 0)


def test_a_process_that_outlives_the_program_is_said():
    os.mkfifo("go_on")
    ran = code(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'print(1, flush=True); "
        'open("go_on").read()\'], stdout=subprocess.PIPE)\n'
        "child.stdout.readline()"
    )
    Path("go_on").write_text("")
    assert (len(ran.processes), ran.processes_without_report) == (1, 1)
    assert ran.warnings == ("1 process still runs: what it does from now on is not seen",)


def test_a_machine_that_stands_still_takes_nothing_off_the_wait_for_late_ones(
    tmp_path, monkeypatch
):
    jumps = itertools.count(step=60)

    def sleep(_seconds: float) -> None:
        late.stdin.close()
        late.wait()

    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as late:
        (tmp_path / f"{late.pid}-1.started").touch()
        clock = SimpleNamespace(monotonic=lambda: next(jumps), sleep=sleep)
        monkeypatch.setattr(folder, "time", clock)
        assert folder.await_late_ones(tmp_path) == frozenset()
