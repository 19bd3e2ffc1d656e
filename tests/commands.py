"""Commands of `keptalive` run in the tests' own process: a new one would cost half a second.

What needs a process of its own - signals, terminals, closed streams - starts `COMMAND`.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

from keptalive import redaction
from keptalive.cli.main import run_guarded

COMMAND = (sys.executable, "-m", "keptalive")


def keptalive(
    *words: object,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
) -> subprocess.CompletedProcess[bytes]:
    """Run a command as the command line does: its exit code, and every byte of its output.

    Args:
        words: what stands after `keptalive`.
        folder: the current one, unless given.
        environment: all its variables; unless given, ours.
        given: its standard input.
    """
    command = [str(word) for word in words]
    with _as_in_a_new_process(folder, environment), _streams(given) as (output, errors):
        code = run_guarded(command)
    return subprocess.CompletedProcess(command, code, output.getvalue(), errors.getvalue())


def in_text(ended: subprocess.CompletedProcess[bytes]) -> subprocess.CompletedProcess[str]:
    """The same, decoded."""
    texts = (ended.stdout.decode(), ended.stderr.decode())
    return subprocess.CompletedProcess(ended.args, ended.returncode, *texts)


@contextlib.contextmanager
def _as_in_a_new_process(
    folder: Path | None, environment: Mapping[str, str] | None
) -> Iterator[None]:
    before = Path.cwd()
    with mock.patch.dict(
        os.environ, os.environ if environment is None else environment, clear=True
    ):
        with mock.patch.object(redaction.IN_USE, "_patterns", {}):
            os.chdir(folder or before)
            try:
                yield
            finally:
                os.chdir(before)


@contextlib.contextmanager
def _streams(given: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    files = io.BytesIO(), io.BytesIO()
    output, errors = (io.TextIOWrapper(file, "utf-8", write_through=True) for file in files)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as stdin:  # it has a number, as streams do
        stdin.buffer.write(given)
        stdin.seek(0)
        with mock.patch("sys.stdin", stdin):
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
                yield files
    output.detach()
    errors.detach()
