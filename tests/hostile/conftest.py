"""Commands run in this process, every byte of what they print at hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import commands

SGR = re.compile(r"\x1b\[[0-9;]*m")


class Ended:
    """A command that has ended: its exit code, and what it wrote."""

    def __init__(self, code: int, stdout: bytes, stderr: bytes) -> None:
        self.code, self.stdout, self.stderr = code, stdout, stderr

    @property
    def said(self) -> str:
        return (self.stdout + self.stderr).decode()


Keptalive = Callable[..., Ended]


@pytest.fixture
def keptalive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Keptalive:
    """The command line, in a folder of its own, knowing no secret and no CI."""
    for name in (
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "KEPTALIVE_TOKEN",
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PATH", "/nonexistent")  # no gh
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Ended:
        ended = commands.keptalive(*words)
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run
