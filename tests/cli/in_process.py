"""The command line in the tests' own process: for whatever a process of its own adds nothing to."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from keptalive.cli.main import run_guarded


def keptalive(
    *words: object, folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run these words in this folder and environment, as `main` does, 80 columns wide."""
    out, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        _in(folder, {"COLUMNS": "80", **environment}),
        redirect_stdout(out),
        redirect_stderr(errors),
    ):
        code = run_guarded([str(word) for word in words])
    return subprocess.CompletedProcess(words, code, *map(_written, (out, errors)))


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@contextmanager
def _in(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    before, here = dict(os.environ), Path.cwd()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)
