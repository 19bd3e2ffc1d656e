"""What it costs to explain a debug log: where one line in twenty is urllib3's, and where all are.

CPU time is what is judged, as a ratio to the same work everywhere: to look for the logger's name in
each line of the same log, as a loop in Python does. Both are measured in turns, so that a machine
that is busy with something else is slower for both. Memory is measured in processes of their own,
which read logs of different lengths.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from keptalive.logs.explain import explained
from keptalive.records.report import Report

MB = 1_000_000
MIB = 1024 * 1024
MOST_MORE_MEMORY = 4 * MIB
SIZE = 64 * MIB
SIZES = (64 * MIB, 256 * MIB)
ROUNDS = 15
# One line in so many is urllib3's; and explaining may take so many times the CPU time of the loop
MOST_TIMES = {20: 3, 1: 18}

# Not ru_maxrss, which a process inherits from the one that has started it
HAS_PEAK = Path("/proc/self/status").exists()
PEAK = """
with open("/proc/self/status") as status:
    (peak,) = [int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")]
print(json.dumps({"seen": seen, "peak": peak}))
"""
READ = (
    """
import json, sys
from keptalive.logs import read
seen = sum(map(len, read(sys.argv[1])))
"""
    + PEAK
)
EXPLAIN = (
    """
import json, sys
from keptalive.logs.explain import explained
seen = sum(host.attempts for host in explained(sys.argv[1]).hosts)
"""
    + PEAK
)


def stretch_of_log(size: int, one_in: int) -> bytes:
    """What a program of eight threads logs, some 110 bytes a line, of which some are urllib3's."""
    dice, milliseconds, lines, length = random.Random(1), 0, [], 0
    while length < size:
        milliseconds += dice.randrange(40)
        minutes, left = divmod(milliseconds, 60_000)
        stamp = f"2026-11-22 15:{minutes % 60:02}:{left // 1000:02},{left % 1000:03}"
        prefix = f"{stamp} {{}} [ThreadPoolExecutor-0_{dice.randrange(8)}]"
        number = len(lines)
        if number % one_in:
            line = f"{prefix.format('INFO')} shop.orders: order {number} of customer {left} is paid"
        elif number % (one_in * 10):
            line = (
                f"{prefix.format('DEBUG')} urllib3.connectionpool: https://api.example.com:443 "
                f'"GET /orders/{number}?page=2 HTTP/1.1" 200 {left}'
            )
        else:
            line = (
                f"{prefix.format('DEBUG')} urllib3.connectionpool: "
                f"Starting new HTTPS connection ({number}): api.example.com:443"
            )
        lines.append(line)
        length += len(line) + 1
    return ("\n".join(lines) + "\n").encode()


def log_of(path: Path, size: int, one_in: int) -> Path:
    stretch = stretch_of_log(16 * MIB, one_in)
    with path.open("wb") as file:
        for _ in range(size // (16 * MIB)):
            file.write(stretch)
    return path


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Path]]:
    folder = tmp_path_factory.mktemp("logs")
    made = {size: log_of(folder / f"{size // MIB}.log", size, 20) for size in SIZES}
    yield made
    for path in made.values():
        path.unlink()


def loop(path: Path) -> int:
    """The work that explaining is compared with: lines that have the logger's name."""
    with path.open("rb") as file:
        return sum(b"urllib3.connectionpool" in line for line in file)


def cpu_seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    done = work()
    return time.process_time() - began, done


@pytest.mark.parametrize("one_in", MOST_TIMES)
def test_explaining_a_log_costs_so_many_times_a_loop_over_its_lines(benchmark, tmp_path, one_in):
    path = log_of(tmp_path / "debug.log", SIZE, one_in)
    ratios: list[float] = []
    rates: list[float] = []

    def round_of_both() -> tuple[int, Report]:
        loop_s, lines = cpu_seconds(lambda: loop(path))
        explain_s, report = cpu_seconds(lambda: explained(str(path)))
        ratios.append(explain_s / loop_s)
        rates.append(SIZE / MB / explain_s)
        return lines, report

    lines, report = benchmark.pedantic(round_of_both, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info |= {
        "times_a_loop_median": statistics.median(ratios),
        "times_a_loop_least": min(ratios),
        "mb_per_cpu_s_median": statistics.median(rates),
        "mb_per_cpu_s_most": max(rates),
    }
    (host,) = report.hosts
    assert host.connects + host.opened + host.reused == lines
    assert statistics.median(ratios) < MOST_TIMES[one_in]


@pytest.mark.skipif(not HAS_PEAK, reason="the system shows no peak of memory")
@pytest.mark.parametrize("program", [READ, EXPLAIN], ids=["reading", "explaining"])
def test_memory_does_not_grow_with_the_log(benchmark, logs, program):
    def peaks() -> list[dict[str, int]]:
        return [
            json.loads(subprocess.check_output([sys.executable, "-c", program, logs[size]]))
            for size in SIZES
        ]

    short, long = benchmark.pedantic(peaks, rounds=1)
    benchmark.extra_info |= {"short": short, "long": long}
    assert long["seen"] == pytest.approx(4 * short["seen"], rel=0.001)
    assert short["seen"] > 0
    assert abs(long["peak"] - short["peak"]) < MOST_MORE_MEMORY
