"""`keptalive serve`: how to reach it, what it counted, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.commands import COMMAND


def test_serve_leaves_no_file_behind(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [*COMMAND, "serve"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout is not None
        serving.stdout.readline()
        assert str(temporary) in serving.stdout.readline()
        assert [path.name for path in tmp_path.iterdir()] == ["temporary"]
        serving.send_signal(2)
        serving.communicate()
    assert (serving.returncode, [*temporary.iterdir()]) == (0, [])


def test_serve_tells_how_to_reach_it_and_counts_at_the_end(tmp_path: Path) -> None:
    command = [*COMMAND, "serve", "--scenario", "close-announced"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        first = serving.stdout.readline()
        assert first.startswith("https://127.0.0.1:")
        assert "scenario close-announced" in first
        serving.stdout.readline()
        serving.stdout.readline()
        _, _, python = serving.stdout.readline().partition("or:  ")
        (tmp_path / "asks.py").write_text(
            f"import requests\nprint({python.strip()}.json()['login'])"
        )
        asks = [sys.executable, "asks.py"]
        asked = subprocess.run(asks, cwd=tmp_path, capture_output=True, text=True, check=False)
        serving.send_signal(2)
        rest = serving.stdout.read()
    assert (asked.stdout, asked.stderr) == ("octolook\n", "")
    assert "Served 1 request on 1 connection." in rest
    assert serving.returncode == 0
