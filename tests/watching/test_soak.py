"""64 threads, random ends of connections, forks and signals: counts agree, and nobody is harmed.

``KEPTALIVE_SOAK=100000 pytest -s tests/watching/test_soak.py`` sends that many requests; ``make
soak`` does, on either line of urllib3.
"""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

REQUESTS = int(os.environ.get("KEPTALIVE_SOAK", "1600"))
THREADS = 64
PROGRAMS = Path(__file__).parents[1] / "data" / "programs"

pytestmark = [
    pytest.mark.complete,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
]


class SoakServer:
    """`soak_server.py`, running."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self.port = process.stdout.readline().split()[0]

    def accepted(self) -> int:
        """Connections accepted so far, once no more come: they wait in a queue of the system's."""
        before, now = -1, self._asked()
        while before != now:
            before, now = now, self._asked()
        return now

    def _asked(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def soak_server() -> Iterator[SoakServer]:
    command = [sys.executable, str(PROGRAMS / "soak_server.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield SoakServer(process)


def ran(folder: Path, *, watched: bool, forks: int, signals: str) -> dict[str, Any]:
    """What the program's processes, their sockets, the log, the server and the report say."""
    folder.mkdir()
    report = folder.parent / f"{folder.name}-report.json"
    prefix = ["-m", "keptalive", "run", "--json", str(report), sys.executable] if watched else []
    with soak_server() as server:
        numbers = [str(number) for number in (server.port, REQUESTS, THREADS, forks)]
        program = [str(PROGRAMS / "soak.py"), *numbers, signals, str(folder)]
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, *prefix, *program],
            capture_output=True,
            text=True,
            timeout=120 + REQUESTS / 50,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        seconds = time.monotonic() - began
        accepted = server.accepted()
    assert done.returncode == 0, done.stderr[-3000:]
    left = [json.loads(file.read_text()) for file in folder.glob("*.json")]
    results: collections.Counter[str] = collections.Counter()
    for one in left:
        results.update(one["results"])
    found = {name: sum(one[name] for one in left) for name in ("sockets", "log", "log_opened")}
    return {
        **found,
        "processes": len(left),
        "signals": max(one["signals"] for one in left),
        "results": dict(results),
        "accepted": accepted,
        "seconds": seconds,
        "report": json.loads(report.read_text()) if watched else None,
    }


def total(report: dict[str, Any], name: str) -> int:
    return sum(host[name] for host in report["hosts"])


def test_counts_agree_and_results_are_as_without_a_watch_whatever_happens_at_once(tmp_path):
    alone = ran(tmp_path / "alone", watched=False, forks=8, signals="pass")
    watched = ran(tmp_path / "watched", watched=True, forks=8, signals="pass")
    report = watched["report"]
    shown = ("accepted", "sockets", "log", "log_opened", "signals", "seconds")
    opened, unanswered = total(report, "opened"), total(report, "opened_unanswered")
    counted = {name: watched[name] for name in shown}
    print(counted, "watch", opened, "+", unanswered)  # noqa: T201 - for `make soak`
    assert watched["results"] == alone["results"]
    assert not [kind for kind in watched["results"] if ":" in kind]
    assert watched["processes"] == alone["processes"] == 9
    assert watched["signals"] > 0
    assert watched["accepted"] == watched["sockets"] == watched["log"] == opened + unanswered
    assert opened == watched["log_opened"]
    assert total(report, "attempts") == opened + total(report, "reused") + sum(
        sum(host["errors"].values()) for host in report["hosts"]
    )
    assert [line for line in report["warnings"] if "failed here" in line] == []


def test_with_signal_handlers_that_raise_no_connection_is_lost_to_the_server(tmp_path):
    watched = ran(tmp_path / "watched", watched=True, forks=0, signals="raise")
    shown = {name: watched[name] for name in ("accepted", "sockets", "signals", "seconds")}
    print(shown)  # noqa: T201 - for `make soak`
    assert watched["signals"] > 10
    assert watched["sockets"] == watched["accepted"]
    assert not [kind for kind in watched["results"] if ":" in kind]
    assert [line for line in watched["report"]["warnings"] if "failed here" in line] == []
