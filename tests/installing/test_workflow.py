"""docs/reuse.yml, copied into somebody else's project: the steps of its jobs are executed.

A change from a Session to `requests.get` fails each of its three jobs, and names the line.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.installing.foreign import bring_back_requests_get, copied_to
from tests.installing.machine import ROOT, Machine
from tests.installing.runner import Ended, Runner, read
from tests.servers.scripted import Server

pytestmark = pytest.mark.complete
WORKFLOW = ROOT / "docs" / "reuse.yml"
ACTION = "OWNER/keptalive@REF"


@pytest.fixture(scope="module")
def machine(new_machine: Callable[[str], Machine]) -> Machine:
    """A machine on which the action has installed keptalive, and nothing else was."""
    machine = new_machine("runner")
    runner = Runner(
        machine.work, machine.folder / "first", actions={}, environment=machine.variables
    )
    ended = runner.run_action(ROOT, {})
    assert not ended.failed, ended.output
    return machine


class Project:
    """Somebody's repository, in which each change is committed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = copied_to(folder)
        copy = folder / ".github" / "workflows" / "reuse.yml"
        copy.parent.mkdir(parents=True)
        copy.write_text(WORKFLOW.read_text())
        self.workflow = read(copy)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.email", "somebody@example.com")
        self.git("config", "user.name", "Somebody")
        self.commit()

    def git(self, *words: str) -> str:
        command = ["git", "-C", self.folder, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "A change")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def run_job(
    machine: Machine, project: Project, tmp_path: Path, serve: Callable[..., Server]
) -> Callable[..., tuple[Ended, str]]:
    """Run a job of the copied workflow for a pull request; with it comes the job's summary."""
    base = project.git("rev-parse", "HEAD")
    url = serve().url.rstrip("/")

    def run(name: str, **options: Any) -> tuple[Ended, str]:
        runner = Runner(
            project.folder,
            tmp_path / "runner",
            actions={ACTION: ROOT},
            environment={**machine.variables, "API_URL": url},
            github={
                "event_name": "pull_request",
                "event": {"pull_request": {"base": {"sha": base}}},
            },
            **options,
        )
        return runner.run_job(project.workflow, name), runner.summary.read_text()

    return run


JOBS = ("program", "tests", "comparison")
INSTALLED = {"without": ["Install keptalive"]}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_passes_while_the_session_is_kept(job: str, run_job: Any) -> None:
    ended, _ = run_job(job)  # with the steps that install
    assert not ended.failed, ended.output


@pytest.mark.parametrize("job", JOBS)
def test_a_job_fails_once_requests_get_is_back_and_names_the_line(
    job: str, project: Project, run_job: Any
) -> None:
    line = bring_back_requests_get(project.program)
    project.commit()
    ended, _ = run_job(job, **INSTALLED)
    assert ended.failed
    assert line in ended.output
    assert "new-session" in ended.output


@pytest.mark.parametrize("job", ["program", "comparison"])
def test_the_summary_of_a_job_that_failed_has_the_tables(
    job: str, project: Project, run_job: Any
) -> None:
    line = bring_back_requests_get(project.program)
    project.commit()
    _, summary = run_job(job, **INSTALLED)
    assert line in summary


def test_the_page_names_every_action_that_is_not_executed(run_job: Any) -> None:
    used = {
        step["uses"]
        for job in read(WORKFLOW)["jobs"].values()
        for step in job["steps"]
        if "uses" in step
    }
    page = (ROOT / "docs" / "ci.md").read_text()
    untested = page.partition("Untested here: ")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(actions/[\w-]+)`", untested))
    assert named == {name.partition("@")[0] for name in used - {ACTION}}
