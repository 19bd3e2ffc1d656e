"""The documentation tells the truth: its examples run, its tables are the code's."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keptalive import tuned_session
from keptalive.bench.plan import Plan, read_plan
from keptalive.causes.catalogue import ROWS
from keptalive.causes.log_sets import SETS
from keptalive.lookalike.behaviour import SCENARIOS
from keptalive.lookalike.process import Lookalike

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def test_make_benchs_plan_is_the_default_one() -> None:
    assert replace(Plan(), budget_s=75.0) == read_plan(ROOT / "bench" / "github.toml")


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A host that stands for api.github.com, trusted, and a token for it."""
    with Lookalike.start(["keep-alive"]) as lookalike:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(lookalike.ca_bundle))
        monkeypatch.setenv("GITHUB_TOKEN", lookalike.token)
        monkeypatch.chdir(tmp_path)
        pool_log = logging.getLogger("urllib3.connectionpool")
        monkeypatch.setattr(pool_log, "level", pool_log.level)  # an example sets it
        yield lookalike.url("keep-alive").removeprefix("https://")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_example_runs(page: Path, github: str) -> None:
    known: dict[str, object] = {}
    for example in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(compile(example.replace("api.github.com", github), page.name, "exec"), known)


def test_the_page_on_sessions_shows_what_describe_says() -> None:
    page = (ROOT / "docs" / "sessions.md").read_text()
    assert f"```\n{tuned_session(threads=8).describe()}\n```" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_page_of_scenarios_has_them_all() -> None:
    named = re.findall(
        r"^\| `([^`]+)` \| ([^|]+) \|", (ROOT / "docs/scenarios.md").read_text(), re.M
    )
    assert [(name, kind.meaning) for name, kind in SCENARIOS.items()] == named


def test_the_page_of_causes_has_them_all() -> None:
    named = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|$", (ROOT / "docs/causes.md").read_text(), re.M)
    assert [(cause, row.means) for cause, row in ROWS.items()] == named[: len(ROWS)]


def test_the_page_of_causes_has_the_sets_that_a_log_leaves_open() -> None:
    named = re.findall(
        r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", (ROOT / "docs/causes.md").read_text(), re.M
    )
    sets = [(kind, one.means, ", ".join(one.members)) for kind, one in SETS.items()]
    assert sets == named


def cli_page() -> str:
    """What `docs/cli.md` must hold: the help of each command."""
    parts = ["# The command line\n\nMade from `--help`; a test compares the two.\n"]
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    for command in ("bench", "compare", "run", "explain", "serve"):
        shown = subprocess.run(
            [sys.executable, "-m", "keptalive", command, "--help"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        lines = "\n".join(line.rstrip() for line in shown.strip("\n").splitlines())
        parts.append(f"\n## keptalive {command}\n\n```\n{lines}\n```\n")
    return "".join(parts)


def test_the_page_of_commands_is_their_help() -> None:
    assert cli_page() == (ROOT / "docs" / "cli.md").read_text()


WORKFLOW = ROOT / ".github" / "workflows" / "reuse.yml"


def examples_of_compare() -> list[str]:
    """Every command `keptalive compare ...` that the pages and the workflow show."""
    texts = [page.read_text() for page in PAGES if page.name != "cli.md"] + [WORKFLOW.read_text()]
    shown = [
        re.findall(r"^(?:.*run: \.venv/bin/)?(keptalive compare(?: .*)?)$", text, re.M)
        for text in texts
    ]
    return [example.partition("#")[0].strip() for examples in shown for example in examples]


def test_every_example_of_compare_runs(tmp_path: Path) -> None:
    result = (ROOT / "tests" / "data" / "results" / "schema-2.json").read_bytes()
    (tmp_path / "results" / "baseline").mkdir(parents=True)
    for folder in ("results", "results/baseline"):
        (tmp_path / folder / "2026-01-01T000000.json").write_bytes(result)
    examples = examples_of_compare()
    assert len(examples) >= 3
    for example in examples:
        command = [sys.executable, "-m", *example.split()]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, ""), example


def test_the_plan_that_the_readme_shows_is_one(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "plan.toml").write_text(example)
    plan = read_plan(tmp_path / "plan.toml")
    assert plan == replace(
        Plan(), target=plan.target, requests=("/user", "/user/repos?per_page=30"), repeats=5
    )


def test_the_gate_that_the_pages_show_is_one(tmp_path: Path) -> None:
    (page,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/ci.md").read_text(), re.DOTALL)
    commented = (ROOT / "bench" / "github.toml").read_text().partition("# [[gate]]\n")[2]
    lines = commented.partition("\n\n")[0].splitlines()
    example = "\n".join(["[[gate]]", *(line.removeprefix("# ") for line in lines)])
    gates = []
    for text in (page, example):
        (tmp_path / "plan.toml").write_text(text)
        gates.append(read_plan(tmp_path / "plan.toml").gate)
    assert gates[0] == gates[1] != ()


if __name__ == "__main__":  # python tests/test_docs.py writes the page anew
    (ROOT / "docs" / "cli.md").write_text(cli_page())
