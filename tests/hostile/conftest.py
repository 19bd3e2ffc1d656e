"""Commands run in this process, every byte of what they print at hand."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from keptalive import redaction
from keptalive.cli.main import run_guarded

SGR = re.compile(r"\x1b\[[0-9;]*m")


class Ended:
    """A command that has ended: its exit code, and what it wrote."""

    def __init__(self, code: int, stdout: bytes, stderr: bytes) -> None:
        self.code, self.stdout, self.stderr = code, stdout, stderr

    @property
    def said(self) -> str:
        return (self.stdout + self.stderr).decode()


class Keptalive:
    """Runs commands as the command line does."""

    def __call__(self, *arguments: object) -> Ended:
        files = io.BytesIO(), io.BytesIO()
        streams = [io.TextIOWrapper(file, "utf-8", write_through=True) for file in files]
        words = [str(argument) for argument in arguments]
        with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
            code = run_guarded(words)
        return Ended(code, *(file.getvalue() for file in files))


@pytest.fixture
def keptalive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Keptalive:
    """The command line, in a folder of its own, knowing no secret and no CI."""
    monkeypatch.setattr(redaction.IN_USE, "_patterns", {})
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PATH", "/nonexistent")  # no gh
    monkeypatch.chdir(tmp_path)
    return Keptalive()
