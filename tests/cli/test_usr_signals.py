"""SIGUSR1 and SIGUSR2 to `keptalive run`: whenever they come, they end nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parents[1] / "data" / "programs"
WAITS = """
import os, sys
import requests

requests.get(sys.argv[1])
print(os.getppid(), flush=True)
sys.stdin.readline()
"""


@pytest.mark.complete
def test_sigusr1_prints_the_report_so_far_and_the_program_goes_on(tmp_path, serve):
    (tmp_path / "waits.py").write_text(WAITS)
    with subprocess.Popen(
        [sys.executable, "-m", "keptalive", "run", "waits.py", serve().url],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "80"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        os.kill(int(running.stdout.readline()), signal.SIGUSR1)
        so_far = [running.stderr.readline() for _ in range(5)]
        running.stdin.write("go on\n")
        running.stdin.close()
        at_the_end = running.stderr.read()
    assert running.returncode == 0
    assert so_far[1].startswith("keptalive: waits.py, ")
    assert so_far[1].endswith(" so far\n")
    assert "1 request, 1 connection" in so_far[4]
    assert "Next: in CI, keptalive run --max-opened 1 waits.py" in at_the_end


LEAVES_A_CHILD = """
import os, select, sys
ours, (ended, end) = os.getppid(), os.pipe()
import requests
if os.fork() == 0:
    os.close(end)
    os.read(ended, 1)  # until the program itself has ended
    for _ in range(8):
        os.kill(ours, int(sys.argv[1]))
        select.select([], [], [], 0.05)
"""


BOTH = (signal.SIGUSR1, signal.SIGUSR2)  # the second is for the program


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_when_the_program_has_ended_does_not_cost_the_report(tmp_path, number):
    (tmp_path / "leaves.py").write_text(LEAVES_A_CHILD)
    words = ["run", "--json", "r.json", "leaves.py", str(int(number))]
    ran = subprocess.run(
        [sys.executable, "-m", "keptalive", *words],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, (tmp_path / "r.json").exists()) == (0, True)


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_after_the_report_changes_no_exit_code(tmp_path, number):
    (tmp_path / "ends.py").write_text("raise SystemExit(3)")
    last = ["keptalive.interruption:settle", "run", "ends.py"]  # what it does before it exits
    with subprocess.Popen(
        [sys.executable, PROGRAMS / "stops_at.py", *last],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stderr is not None
        while (line := running.stderr.readline()) != b"there\n":
            assert line
        running.send_signal(number)
        running.communicate(timeout=30)
    assert running.returncode == 3
