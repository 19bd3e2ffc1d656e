"""What it costs to read a debug log in which one line in twenty is urllib3's.

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
from collections.abc import Iterator
from pathlib import Path

import pytest

from keptalive.watching import debug_log

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
READ = """
import json, sys
from keptalive.watching import debug_log
log = debug_log.read(sys.argv[1])
seen = sum(1 for _ in log)
with open("/proc/self/status") as status:
    (peak,) = [int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")]
print(json.dumps({"seen": seen, "bytes": log.bytes, "peak": peak}))
"""


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


def test_a_log_is_read_at_a_hundred_megabytes_a_second(benchmark, logs):
    cpu_seconds, wall_seconds = [], []

    def read() -> debug_log.Reading:
        cpu, wall = time.process_time(), time.perf_counter()
        log = debug_log.read(logs[SIZE])
        for _ in log:
            pass
        cpu_seconds.append(time.process_time() - cpu)
        wall_seconds.append(time.perf_counter() - wall)
        return log

    log = benchmark.pedantic(read, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info |= {
        "bytes": log.bytes,
        "lines": log.lines,
        "urllib3_lines": log.urllib3_lines,
        "mb_per_cpu_s": log.bytes / MB / min(cpu_seconds),
        "mb_per_cpu_s_median": log.bytes / MB / statistics.median(cpu_seconds),
        "mb_per_wall_s": log.bytes / MB / min(wall_seconds),
    }
    assert log.skipped == 0
    assert log.urllib3_lines * ONE_IN == pytest.approx(log.lines, rel=0.01)
    assert log.bytes / MB / min(cpu_seconds) >= LEAST_MB_PER_CPU_S


@pytest.mark.skipif(not HAS_PEAK, reason="the system tells no peak of memory")
def test_memory_does_not_grow_with_the_log(benchmark, logs):
    def peaks() -> list[dict[str, int]]:
        return [
            json.loads(subprocess.check_output([sys.executable, "-c", READ, logs[size]]))
            for size in SIZES
        ]

    short, long = benchmark.pedantic(peaks, rounds=1)
    benchmark.extra_info |= {"short": short, "long": long}
    assert long["seen"] == 4 * short["seen"] > 0
    assert abs(long["peak"] - short["peak"]) < MOST_MORE_MEMORY
