"""The action, used by somebody else's project: its steps are executed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.installing.foreign import bring_back_requests_get, copied_to
from tests.installing.machine import ROOT
from tests.installing.runner import Runner, read
from tests.servers.scripted import Server

WORKFLOWS = [
    path.relative_to(ROOT).as_posix() for path in sorted((ROOT / ".github/workflows").glob("*.yml"))
]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return copied_to(tmp_path / "project")


@pytest.fixture
def runner(program: Path, tmp_path: Path, serve: Callable[..., Server]) -> Runner:
    """A machine where keptalive is installed already: the installing is for `make test-wheel`."""
    variables = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "API_URL": serve().url.rstrip("/"),
    }
    return Runner(
        program.parent,
        tmp_path / "runner",
        actions={},
        environment=variables,
        without=["Install keptalive"],
    )


def test_a_program_that_opens_no_more_than_allowed_passes_and_its_report_is_an_output(
    runner: Runner,
) -> None:
    ended = runner.run_action(ROOT, {"program": "python 'sync.py'", "max-opened": "1"})
    assert not ended.failed, ended.output
    report = json.loads(Path(ended.outputs["report"]).read_text())
    assert [host["opened"] for host in report["hosts"]] == [1]
    assert report["command"] == ["python", "sync.py"]


def test_a_program_that_opens_more_fails_with_the_line_in_the_log_and_in_the_summary(
    runner: Runner, program: Path
) -> None:
    line = bring_back_requests_get(program)
    given = {"program": "python sync.py", "max-opened": "1", "forbid": "new-session"}
    ended = runner.run_action(ROOT, given)
    assert [step.exit_code for step in ended.steps] == [1], ended.output
    (annotation,) = [line for line in ended.output.splitlines() if line.startswith("::error")]
    assert "3 connections" in annotation
    assert line in annotation
    assert line in runner.summary.read_text()
    assert Path(ended.outputs["report"]).exists()


@pytest.mark.complete
def test_several_limits_and_hosts_come_with_commas(runner: Runner, program: Path) -> None:
    bring_back_requests_get(program)
    given = {"max-opened": "1, 127.0.0.1=3", "ignore": "telemetry.example.com, localhost"}
    assert not runner.run_action(ROOT, {"program": "python sync.py", **given}).failed


def test_the_program_gets_no_variable_of_the_action(runner: Runner, program: Path) -> None:
    program.write_text("import os\nprint([name for name in os.environ if 'INPUT' in name])\n")
    assert "[]\n" in runner.run_action(ROOT, {"program": "python sync.py"}).output


def test_the_page_shows_inputs_that_the_action_has(runner: Runner) -> None:
    page = (ROOT / "docs" / "ci.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (step,) = yaml.safe_load(example)
    assert step["with"].keys() <= read(ROOT / "action.yml")["inputs"].keys()
    assert step["with"]["max-opened"] == "1, other.example.com=4"


@pytest.mark.complete
@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-actions", ["action.yml"]),
        ("vendor.github-workflows", ["docs/reuse.yml", *WORKFLOWS]),
    ],
)
def test_the_files_fit_the_schemas_of_github(schema: str, files: list[str]) -> None:
    command = [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", schema, *files]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_without_a_program_nothing_is_run(runner: Runner) -> None:
    ended = runner.run_action(ROOT, {"max-opened": "1"})
    assert (ended.steps, ended.outputs) == ([], {"report": ""})
