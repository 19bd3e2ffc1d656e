"""Does `compare` raise false alarms between two results of `bench --program`, of one program?

The program sends requests by three threads at once, and others one after another: the case in which
counts could vary. It is measured in 15 results, and each of them is compared with each other one:
105 comparisons, of which none may call a count worse, and one at most a time. It takes some two
minutes. Every program is run as it is and with tuned Sessions; times are relative to the former.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

from keptalive.bench.plan import Plan, with_values
from keptalive.bench.programs.plan import of_options
from keptalive.bench.programs.runner import ProgramBench, serving
from keptalive.compare.verdicts import COUNTS, TIME, WORSE, Row, compare
from keptalive.records.run import Run

RESULTS = 15
ROUNDS = 8
TIMES_CALLED_WORSE_AT_MOST = 1
PROGRAM = """
import os, sys, threading
from concurrent.futures import ThreadPoolExecutor
import requests

url = sys.argv[1] + "/user"
login = {"Authorization": "Bearer " + os.environ["GITHUB_TOKEN"]}
together = threading.Barrier(3)

def send(_):
    with session.get(url, headers=login, stream=True) as response:
        together.wait()
        return len(response.content)

with requests.Session() as session, ThreadPoolExecutor(3) as threads:
    print(*threads.map(send, range(3)))
    for _ in range(5):
        print(session.get(url, headers=login).status_code)
for _ in range(4):
    print(requests.get(url, headers=login).status_code)
"""


def all_runs(script: Path) -> list[Run]:
    command = f"{sys.executable} {script} {{url}}"
    values = {"program": of_options([command]), "target": "lookalike", "rounds": ROUNDS}
    plan = with_values(Plan(), {**values, "rtt_ms": 2.0}, source=None)
    with serving(plan) as (served, _):
        return [ProgramBench(plan=plan, served=served).run() for _ in range(RESULTS)]


def test_a_program_is_not_called_worse_than_itself(benchmark, tmp_path):
    script = tmp_path / "sync.py"
    script.write_text(PROGRAM)
    runs = benchmark.pedantic(all_runs, args=[script], rounds=1)
    assert all(run.valid and run.complete for run in runs)
    compared = [compare(*pair) for pair in combinations(runs, 2)]
    rows: list[Row] = [row for one in compared for row in one.rows]
    worse = [row for row in rows if row.verdict == WORSE]
    of_times = [row for row in rows if row.measure == TIME]
    benchmark.extra_info |= {
        "comparisons": len(compared),
        "counts_called_worse": sum(row.measure in COUNTS for row in worse),
        "times_called_worse": sum(row.measure == TIME for row in worse),
        "verdicts_on_times": sorted({row.verdict for row in of_times}),
        "speedups": [
            round(row.speedup.median, 3) for run in runs for row in run.summary if row.speedup
        ],
    }
    assert {row.reason for row in rows} == {None}
    assert benchmark.extra_info["counts_called_worse"] == 0
    assert benchmark.extra_info["times_called_worse"] <= TIMES_CALLED_WORSE_AT_MOST
