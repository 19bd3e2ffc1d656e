"""A script that uses PyGithub is the same under `keptalive run`, and what it opens is counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from keptalive.lookalike.process import Lookalike

pytest.importorskip("github", reason="PyGithub is not installed: pip install PyGithub")
pytestmark = pytest.mark.complete

SCENARIOS = ("keep-alive", "close-announced", "request-limit=3", "http-1.0")
PROGRAM = """
import sys
from itertools import islice

from github import Auth, Github, UnknownObjectException

url, bundle, token = sys.argv[1:]
with Github(base_url=url, auth=Auth.Token(token), verify=bundle, per_page=2) as github:
    user = github.get_user()
    print(user.login)
    for repository in islice(user.get_repos(), 7):  # four pages
        print(repository.full_name, repository.default_branch)
    try:
        github.get_repo("nobody/nothing")
    except UnknownObjectException as error:
        sys.exit(error.status // 100)
"""
# user, four pages, and what is not there
REQUESTS = 6

Ran = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(SCENARIOS) as started:
        yield started


@pytest.fixture
def runs(lookalike: Lookalike, tmp_path: Path) -> Callable[..., Ran]:
    (tmp_path / "sync.py").write_text(PROGRAM)

    def run(scenario: str, *before: str) -> Ran:
        arguments = [lookalike.url(scenario), str(lookalike.ca_bundle), lookalike.token]
        return subprocess.run(
            [sys.executable, *before, "sync.py", *arguments],
            cwd=tmp_path,
            env={key: value for key, value in os.environ.items() if key != "REQUESTS_CA_BUNDLE"},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def watched(
    runs: Callable[..., Ran], scenario: str, report: Path, *options: str
) -> tuple[Ran, dict[str, Any]]:
    ran = runs(scenario, "-m", "keptalive", "run", *options, "--json", str(report))
    return ran, json.loads(report.read_text())


@pytest.mark.parametrize("options", [(), ("--tuned",)], ids=["as-it-is", "tuned"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_pygithub_runs_unharmed_and_is_counted_as_the_server_counts(
    scenario, options, lookalike, runs, tmp_path
):
    plain = runs(scenario)
    before = lookalike.accepted(scenario)
    ran, report = watched(runs, scenario, tmp_path / "report.json", *options)
    accepted = lookalike.accepted(scenario) - before
    assert (plain.returncode, plain.stderr) == (4, "")
    assert len(plain.stdout.splitlines()) == 8
    assert (ran.returncode, ran.stdout) == (plain.returncode, plain.stdout)
    (host,) = report["hosts"]
    assert (host["host"], host["requests"], host["opened"]) == (
        lookalike.url(scenario),
        REQUESTS,
        accepted,
    )
    assert sum(cause["count"] for cause in host["causes"]) == accepted
    assert report["warnings"] == []
    assert lookalike.token not in ran.stderr + json.dumps(report)
