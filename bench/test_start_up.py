"""What `keptalive run` costs a short program, and what `keptalive --version` costs, in CPU time.

The reference is a program that imports requests and ends. Each round starts all three, in another
order than the round before; CPU time is that of the process and its children, user and system. All
modules are compiled beforehand, as they are after an installation. The benchmark replays the CPU
seconds of `keptalive run`.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import pytest
from bench.side_by_side import CLOCK, replay

ROUNDS = 30
# Times the CPU time of the program alone
MOST_OF_RUN = 3.0
MOST_OF_VERSION = 0.6

COMMANDS = {
    "program": ["prog.py"],
    "run": ["-m", "keptalive", "run", "prog.py"],
    "version": ["-m", "keptalive", "--version"],
}


@pytest.fixture(scope="module")
def cpu_seconds(tmp_path_factory) -> Callable[[str], float]:
    """Run this command; its CPU seconds, those of its children included."""
    folder = tmp_path_factory.mktemp("start-up")
    (folder / "prog.py").write_text("import requests\n")
    compiled = {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}

    def run(name: str) -> float:
        return _cpu_seconds([sys.executable, *COMMANDS[name]], {**kept, **compiled}, folder)

    for name in COMMANDS:
        run(name)
    return run


def _cpu_seconds(words: list[str], variables: Mapping[str, str], folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, env=variables, cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


@pytest.mark.benchmark(timer=CLOCK)
def test_run_costs_three_times_a_program_that_imports_requests_at_most(benchmark, cpu_seconds):
    rounds = []
    for number in range(ROUNDS):
        names = sorted(COMMANDS, reverse=bool(number % 2))
        rounds.append({name: cpu_seconds(name) for name in names})
    alone, run, version = (median(one[name] for one in rounds) for name in COMMANDS)
    replay(benchmark, [one["run"] for one in rounds])
    benchmark.extra_info |= {
        "program_cpu_ms": alone * 1000,
        "run_cpu_ms": run * 1000,
        "version_cpu_ms": version * 1000,
        "run_to_program": run / alone,
        "version_to_program": version / alone,
    }
    assert run / alone <= MOST_OF_RUN
    assert version / alone <= MOST_OF_VERSION
