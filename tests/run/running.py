"""Run programs under a watcher that counts, and read what came of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import pytest

from keptalive.run.collect import Ran
from keptalive.run.launch import run

PROGRAMS = Path(__file__).parents[1] / "data" / "programs"
PYTHONS = [
    found
    for version in ("3.10", "3.12", "3.13")
    for found in sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    or [shutil.which(f"python{version}")]
    if found
]


def quickly(names: Iterable[str], *quick: str) -> list[object]:
    """All these for `make test-all`, some for `make test`: parameters of a test."""
    complete = pytest.mark.complete
    return [name if name in quick else pytest.param(name, marks=complete) for name in names]


def watched(*command: object, watcher: str = "counting.start", module: bool = False) -> Ran:
    return run([str(word) for word in command], module=module, watcher=watcher)


def code(text: str, **options: str) -> Ran:
    return watched(sys.executable, "-c", text, **options)


def connects(ran: Ran) -> list[int]:
    return [sum(host.connects for host in record.hosts) for record in ran.records]


def ended(ran: Ran) -> list[str]:
    return [one.ended for one in ran.processes]


def whole(ran: Ran) -> bool:
    """Nobody is missing, and nothing is to be said."""
    return (ran.processes_without_report, ran.warnings) == (0, ())


def on_terminal(*command: object) -> subprocess.Popen[bytes]:
    driver = [sys.executable, PROGRAMS / "driver.py", "ran.json", *command]
    return subprocess.Popen(
        [sys.executable, PROGRAMS / "terminal.py", *driver],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def until(stream: IO[bytes], wanted: bytes) -> None:
    shown = b""
    while wanted not in shown:
        byte = stream.read(1)
        assert byte, shown
        shown += byte


def driven(*command: object, **options: object) -> subprocess.Popen[bytes]:
    driver = [sys.executable, PROGRAMS / "driver.py", "ran.json"]
    return subprocess.Popen([*driver, *command], stdout=subprocess.PIPE, **options)
