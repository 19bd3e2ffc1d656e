"""A benchmark's progress: on a terminal until Ctrl-C, on a simple one, and where there is none."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from tests.commands import COMMAND

from keptalive.bench.runner import Progress
from keptalive.cli.bench_progress import shown_progress

from .benching import SMALL, keptalive

STEPS = (
    Progress(round=0, trial=1, trials_a_round=2, elapsed_s=1.0, seconds_left=None),
    Progress(round=0, trial=2, trials_a_round=2, elapsed_s=2.0, seconds_left=None),
    Progress(round=1, trial=2, trials_a_round=2, elapsed_s=4.2, seconds_left=3.1),
    Progress(round=2, trial=2, trials_a_round=2, elapsed_s=6.0, seconds_left=0.0, traced=True),
)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (
            True,
            (
                "warm-up done after 2 s\n"
                "round 1 done after 4 s, at most 3 s left\n"
                "traced round done after 6 s\n"
            ),
        ),
        (False, ""),
    ],
)
def test_without_a_terminal_there_is_a_line_for_each_round_if_that_is_wanted(
    capsys: pytest.CaptureFixture[str], wanted: bool, expected: str
) -> None:
    with shown_progress(wanted=wanted) as show:
        for step in STEPS:
            show(step)
    assert capsys.readouterr() == ("", expected)


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    plan = tmp_path / "long.toml"
    plan.write_text(SMALL.replace("rounds = 1", "rounds = 100000"))
    terminal, ours = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    with subprocess.Popen(
        [*COMMAND, "bench", plan],
        cwd=tmp_path,
        env=environment,
        stdin=ours,
        stdout=ours,
        stderr=ours,
        start_new_session=True,
    ) as running:
        os.close(ours)
        shown = b""
        while b"round 3" not in shown:  # the progress bar
            shown += os.read(terminal, 65536)
        running.send_signal(2)
        try:
            while chunk := os.read(terminal, 65536):
                shown += chunk
        except OSError:  # Linux: the other side of a pty has closed
            pass
        os.close(terminal)
    assert running.returncode == 130
    assert b"interrupted: incomplete, and marked so" in shown
    (saved,) = (tmp_path / "results").glob("*.json")
    assert json.loads(saved.read_text())["keptalive"]["complete"] is False


ROUNDS = ["warm-up", "round 1", "traced round"]


SMALLEST = f'{SMALL}strategies = ["session"]\nscenarios = ["keep-alive"]\n'


def rounds_named(said: str) -> list[str]:
    return re.findall(r"^(.+) done after \d+ s(?:, at most \d+ s left)?\r?$", said, re.MULTILINE)


def test_a_terminal_that_cannot_move_its_cursor_gets_a_line_for_each_round(
    small_plan: Path, tmp_path: Path
) -> None:
    small_plan.write_text(SMALLEST)
    terminal, ours = pty.openpty()
    environment = {**os.environ, "TERM": "dumb"}
    with subprocess.Popen(
        [*COMMAND, "bench", small_plan],
        cwd=tmp_path,
        env=environment,
        stdin=ours,
        stdout=subprocess.DEVNULL,
        stderr=ours,
    ):
        os.close(ours)
        shown = b""
        with contextlib.suppress(OSError):  # Linux: the other side of a pty has closed
            while chunk := os.read(terminal, 65536):
                shown += chunk
        os.close(terminal)
    assert rounds_named(shown.decode()) == ROUNDS
    assert b"\x1b" not in shown


@pytest.mark.complete
def test_where_there_is_no_terminal_each_round_is_reported_if_that_is_wanted(
    small_plan: Path, tmp_path: Path
) -> None:
    small_plan.write_text(SMALLEST)
    ended = keptalive("bench", small_plan, "--progress", "--json", folder=tmp_path)
    assert json.loads(ended.stdout)["keptalive"]["complete"]
    assert rounds_named(ended.stderr) == ROUNDS
