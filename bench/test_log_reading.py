"""What it costs to read, and to explain, a debug log in which one line in twenty is urllib3's.

CPU time is what is judged, the best of some rounds: a machine that is busy with something else is
slower by the clock, and at worst by both. Memory is measured in processes of their own, which read
logs of different lengths.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from keptalive.logs import Reading, read
from keptalive.logs.explain import explained

MB = 1_000_000
MIB = 1024 * 1024
LEAST_MB_PER_CPU_S = 100
MOST_MORE_MEMORY = 4 * MIB
SIZE = 64 * MIB
SIZES = (64 * MIB, 256 * MIB)
ONE_IN = 20
ROUNDS = 25

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
seen = sum(1 for _ in read(sys.argv[1]))
"""
    + PEAK
)
EXPLAIN = (
    """
import json, sys
from keptalive.logs.explain import explained
seen = sum(host["attempts"] for host in explained(sys.argv[1])["hosts"])
"""
    + PEAK
)


def stretch_of_log(size: int) -> bytes:
    """What a program of eight threads logs, some 110 bytes a line."""
    dice, milliseconds, lines, length = random.Random(1), 0, [], 0
    while length < size:
        milliseconds += dice.randrange(40)
        minutes, left = divmod(milliseconds, 60_000)
        stamp = f"2026-11-22 15:{minutes % 60:02}:{left // 1000:02},{left % 1000:03}"
        prefix = f"{stamp} {{}} [ThreadPoolExecutor-0_{dice.randrange(8)}]"
        number = len(lines)
        if number % ONE_IN:
            line = f"{prefix.format('INFO')} shop.orders: order {number} of customer {left} is paid"
        elif number % (ONE_IN * 10):
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


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Path]]:
    stretch = stretch_of_log(16 * MIB)
    made = {}
    for size in SIZES:
        made[size] = tmp_path_factory.mktemp("logs") / f"{size // MIB}.log"
        with made[size].open("wb") as file:
            for _ in range(size // (16 * MIB)):
                file.write(stretch)
    yield made
    for path in made.values():
        path.unlink()


@dataclass
class Costs:
    """What each round took."""

    cpu_seconds: list[float] = field(default_factory=list)
    wall_seconds: list[float] = field(default_factory=list)

    def of(self, work: Callable[[], Any]) -> Any:
        cpu, wall = time.process_time(), time.perf_counter()
        done = work()
        self.cpu_seconds.append(time.process_time() - cpu)
        self.wall_seconds.append(time.perf_counter() - wall)
        return done

    def rates(self, size: int) -> dict[str, float]:
        return {
            "mb_per_cpu_s": size / MB / min(self.cpu_seconds),
            "mb_per_cpu_s_median": size / MB / statistics.median(self.cpu_seconds),
            "mb_per_wall_s": size / MB / min(self.wall_seconds),
        }


def test_a_log_is_read_at_a_hundred_megabytes_a_second(benchmark, logs):
    costs = Costs()

    def read_all() -> Reading:
        log = read(logs[SIZE])
        for _ in log:
            pass
        return log

    log = benchmark.pedantic(costs.of, args=[read_all], rounds=ROUNDS, warmup_rounds=1)
    rates = costs.rates(log.bytes)
    counts = {"bytes": log.bytes, "lines": log.lines, "urllib3_lines": log.urllib3_lines}
    benchmark.extra_info |= counts | rates
    assert log.skipped == 0
    assert log.urllib3_lines * ONE_IN == pytest.approx(log.lines, rel=0.01)
    assert rates["mb_per_cpu_s"] >= LEAST_MB_PER_CPU_S


def test_a_log_is_explained_at_a_hundred_megabytes_a_second(benchmark, logs):
    costs = Costs()

    def explain() -> dict[str, Any]:
        return explained(str(logs[SIZE]))

    report = benchmark.pedantic(costs.of, args=[explain], rounds=ROUNDS, warmup_rounds=1)
    rates = costs.rates(logs[SIZE].stat().st_size)
    benchmark.extra_info |= rates
    assert report["hosts"][0]["opened"] > 0
    assert rates["mb_per_cpu_s"] >= LEAST_MB_PER_CPU_S


@pytest.mark.skipif(not HAS_PEAK, reason="the system tells no peak of memory")
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
