"""The documentation is true: its examples run, and its tables are those of the code."""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest
from tests.real_programs.combinations import COMBINATIONS
from tests.real_servers.setups.tables import rows_of_servers, rows_of_setups

import keptalive
from keptalive import results, tuned_session
from keptalive.bench.plan import Plan, read_plan
from keptalive.causes.catalogue import CATALOGUE, ROWS
from keptalive.causes.cures import cure
from keptalive.causes.findings.catalogue import FINDINGS
from keptalive.causes.libraries import LIBRARIES
from keptalive.causes.log_sets import SETS
from keptalive.causes.meaning import meaning_of
from keptalive.cli.program_limits import limits_of
from keptalive.cli.settings import settings
from keptalive.compare.host_patterns import host_pattern
from keptalive.compare.program_limits import OpenedLimit
from keptalive.lookalike.behaviour import SCENARIOS
from keptalive.lookalike.process import Lookalike
from keptalive.probe.catalogue import FINDINGS as PROBE_FINDINGS
from keptalive.records import report
from keptalive.records.connection import CloseReason
from keptalive.records.probe import ProbeReport
from keptalive.results.reports import to_json
from keptalive.text import as_json

ROOT = Path(__file__).parent.parent
SOURCE = "src/keptalive"
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *(ROOT / "docs").glob("*.md"),
    ]
)


def test_the_plan_of_make_bench_is_the_default_one() -> None:
    assert replace(Plan(), budget_s=75.0) == read_plan(ROOT / "bench" / "github.toml")


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A trusted host in place of api.github.com, and a token for it."""
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
    # What needs other packages is run by tests/real_programs/test_faq.py
    for example in re.findall(r"(?<!-->\n)```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(compile(example.replace("api.github.com", github), page.name, "exec"), known)


def test_the_page_on_sessions_shows_the_output_of_describe() -> None:
    page = (ROOT / "docs" / "sessions.md").read_text()
    assert f"```\n{tuned_session(threads=8).describe()}\n```" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_repository_has_a_target(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


# -- What is made from the code ------------------------------------------------------------------


def causes_table() -> str:
    """A row for each cause: its name, what happened, who can fix it, what to do."""
    rows = [(f"`{row.name}`", meaning_of(row.name), row.mended_by, row.cure({})) for row in ROWS]
    return table(
        "cause", "a connection was opened because", "who can fix it", "what to do", rows=rows
    )


def sets_table() -> str:
    """A row for each set of causes that a log leaves open."""
    rows = [(f"`{name}`", one.means, ", ".join(one.members)) for name, one in SETS.items()]
    return table("shown as", "seen in the log", "may be", rows=rows)


def libraries_table() -> str:
    """A row for each library: a cure of its own for the two commonest causes."""
    shown = [CATALOGUE[name] for name in ("new-session", "pool-too-small")]
    rows = [
        (one.name, *(cure(row.name, {"through": {one.name: 1}}, row.cure({})) for row in shown))
        for one in LIBRARIES
    ]
    return table("library", *(f"`{row.name}`" for row in shown), rows=rows)


def combinations_table() -> str:
    """A row for each way to use another package with the tuned Session."""
    rows = [(one.package, one.how, one.note or "–") for one in COMBINATIONS]
    return table("package", "how", "note", rows=rows)


def findings_table() -> str:
    """A row for each finding."""
    return table("finding", "what was seen", rows=[(f"`{n}`", s) for n, s in FINDINGS.items()])


def probe_table() -> str:
    """A row for each finding of a probe."""
    return table("finding", "means", rows=[(f"`{n}`", s) for n, s in PROBE_FINDINGS.items()])


def servers_table() -> str:
    """A row for each server of the real-server suite."""
    header = ("server", "as it comes", "closes idle ones after", "requests", "how it closes")
    return table(*header, "announces", "what to set", rows=list(rows_of_servers()))


def setups_table() -> str:
    """A row for each set-up of the real-server suite."""
    header = ("server", "settings", "scheme", "idle connections", "requests", "closes with")
    return table(*header, rows=list(rows_of_setups()))


def scenarios_table() -> str:
    """A row for each scenario of the look-alike."""
    rows = [
        (
            f"`{name}`",
            kind.meaning,
            kind.number_means or "–",
            "–" if kind.default is None else f"{kind.default:g}",
        )
        for name, kind in SCENARIOS.items()
    ]
    return table("scenario", "what the server does", "N is", "default", rows=rows)


def table(*header: str, rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{text}\n".replace("| --- ", "|---").replace("--- |", "---|")


MADE = {
    "causes": (ROOT / "docs" / "causes.md", causes_table),
    "findings": (ROOT / "docs" / "causes.md", findings_table),
    "sets": (ROOT / "docs" / "causes.md", sets_table),
    "libraries": (ROOT / "docs" / "causes.md", libraries_table),
    "combinations": (ROOT / "docs" / "faq.md", combinations_table),
    "probe": (ROOT / "docs" / "probe.md", probe_table),
    "servers": (ROOT / "docs" / "servers.md", servers_table),
    "setups": (ROOT / "docs" / "servers.md", setups_table),
    "scenarios": (ROOT / "docs" / "scenarios.md", scenarios_table),
}


def split_at(name: str, page: str) -> tuple[str, str, str]:
    """A page before, within and after the block of this name."""
    before, begin, rest = page.partition(f"<!-- {name}: made by python -m tests.test_docs -->\n")
    block, end, after = rest.partition("<!-- end -->\n")
    assert begin
    assert end
    return before + begin, block, end + after


@pytest.mark.parametrize("name", MADE)
def test_a_table_in_the_pages_is_that_of_the_code(name: str) -> None:
    page, made = MADE[name]
    assert made() == split_at(name, page.read_text())[1]


def test_the_table_of_findings_has_every_one_that_the_code_makes() -> None:
    modules = (ROOT / SOURCE / "causes" / "findings").glob("*.py")
    text = "\n".join(module.read_text() for module in modules)
    made = set(re.findall(r'finding="([a-z\d-]+)"', text))
    constants = set(re.findall(r'^(?:[A-Z\d_]+(?:, [A-Z\d_]+)? = )"(.*)"$', text, re.M))
    made |= {name for line in constants for name in line.split('", "')}
    assert {name for name in made if re.fullmatch(r"[a-z\d-]+", name)} == set(FINDINGS)


def test_the_readme_has_the_right_number_of_causes() -> None:
    assert f"There are {len(ROWS)} causes," in (ROOT / "README.md").read_text()


def test_the_page_of_the_report_has_every_key_and_every_end_of_a_connection() -> None:
    page = (ROOT / "docs" / "report.md").read_text()
    keys = {
        field.name
        for kind in vars(report).values()
        if isinstance(kind, type) and is_dataclass(kind)
        for field in fields(kind)
    }
    named = {name for line in re.findall("^.*`.*$", page, re.M) for name in line.split("`")[1::2]}
    assert keys - named == set()
    assert {reason.value for reason in CloseReason} - named == set()


def test_the_page_of_the_probe_has_every_key_of_its_json() -> None:
    page = (ROOT / "docs" / "probe.md").read_text().partition("## JSON\n")[2]
    named = set(re.findall(r"`(\w+)`", page))
    assert {one.name for one in fields(ProbeReport)} - named == set()


def test_the_house_table_has_every_folder_and_module() -> None:
    source = Path(keptalive.__file__).parent
    places = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in source.iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
    }
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    house = contributing.partition("## The house\n")[2].partition("\n## ")[0]
    named = {
        name
        for line in re.findall(r"^\| (`[^|]+) \|", house, re.M)
        for name in re.findall("`([^`]+)`", line)
    }
    assert named == places - {"__init__.py", "__main__.py"}


def test_the_places_for_something_new_exist() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    section = contributing.partition("## Where something new goes\n")[2].partition("\n## ")[0]
    named = re.findall(r"`((?:tests/)?[a-z_/]+(?:/|\.py))`", section)
    missing = [
        name for name in named if not any((ROOT / top / name).exists() for top in ("", SOURCE))
    ]
    assert named
    assert missing == []


COMMANDS = ("bench", "compare", "run", "explain", "probe", "report", "serve")


def help_of(*command: str, columns: int = 80) -> str:
    """What `--help` prints in a terminal of this width."""
    return subprocess.run(
        [sys.executable, "-m", "keptalive", *command, "--help"],
        env={**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@functools.cache
def cli_page() -> str:
    """`docs/cli.md`: the help of each command."""
    parts = ["# The command line\n\nMade from `--help` by `python -m tests.test_docs`.\n"]
    for command in COMMANDS:
        shown = help_of(command).strip("\n")
        lines = "\n".join(line.rstrip() for line in shown.splitlines())
        parts.append(f"\n## keptalive {command}\n\n```\n{lines}\n```\n")
    return "".join(parts)


def test_the_page_of_commands_is_their_help() -> None:
    assert cli_page() == (ROOT / "docs" / "cli.md").read_text()


def test_an_option_without_a_value_shows_no_type() -> None:
    assert "<bool>" not in cli_page()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_has_the_first_sentence_of_their_help(command: str) -> None:
    (listed,) = re.findall(rf"^│ {command} +(.*?) +│$", help_of(columns=300), re.M)
    assert listed in " ".join(help_of(command, columns=300).split())


WORKFLOW = ROOT / ".github" / "workflows" / "tests.yml"


def examples_of_compare() -> list[str]:
    """Every command `keptalive compare ...` that the pages and the workflow show."""
    texts = [page.read_text() for page in PAGES if page.name != "cli.md"] + [WORKFLOW.read_text()]
    shown = [
        re.findall(r"^(?:.*run: \.venv/bin/)?(keptalive compare(?: .*)?)$", text, re.M)
        for text in texts
    ]
    return [re.split(r"\s#", example)[0].strip() for examples in shown for example in examples]


def test_every_example_of_compare_runs(tmp_path: Path) -> None:
    from tests.compare.test_reports import GOOD
    from tests.runs import run  # here, since this file is a script too

    result = as_json(results.document(run()))
    (tmp_path / "results" / "baseline").mkdir(parents=True)
    for folder in ("results", "results/baseline"):
        (tmp_path / folder / "2026-01-01T000000.json").write_text(result)
    (tmp_path / "team").mkdir()  # a storage
    for year, name in (("2024", "0001_a.json"), ("2025", "0002_b.json")):
        older = {**json.loads(result), "datetime": f"{year}-01-01T00:00:00+00:00"}
        (tmp_path / "team" / name).write_text(json.dumps(older))
    for name in (
        "old.json",
        "new.json",
        "before.json",
        "after.json",
        "before/1.json",
        "after/1.json",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(to_json(GOOD))
    examples = examples_of_compare()
    assert len(examples) >= 3
    for example in examples:
        command = [sys.executable, "-m", *example.split()]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, ""), example


def test_the_plan_in_the_readme_is_valid(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "plan.toml").write_text(example)
    plan = read_plan(tmp_path / "plan.toml")
    assert plan == replace(
        Plan(), target=plan.target, requests=("/user", "/user/repos?per_page=30"), repeats=5
    )


def toml_in(page: str) -> list[str]:
    return re.findall(r"```toml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def test_the_settings_of_a_project_in_the_pages_are_valid(tmp_path: Path) -> None:
    (example,) = (text for text in toml_in("docs/ci.md") if "[tool.keptalive]" in text)
    (_, table) = re.search(r"max_opened = (\d+) +# or a table: (.*)", example).groups()
    for text in (example, re.sub("max_opened = .*", table, example)):
        (tmp_path / "pyproject.toml").write_text(text)
        limits = limits_of(settings(tmp_path))
        assert {"new-session", "unread-body"} == limits.forbidden
        assert limits.opened[0] == OpenedLimit(host=host_pattern("*"), at_most=1)
        assert [one.written for one in limits.ignored] == ["*.sentry.io"]


def test_the_limits_in_the_pages_are_valid_and_alike(tmp_path: Path) -> None:
    page = next(text for text in toml_in("docs/ci.md") if text.startswith("[[gate]]"))
    commented = (ROOT / "bench" / "github.toml").read_text().partition("# [[gate]]\n")[2]
    lines = commented.partition("\n\n")[0].splitlines()
    example = "\n".join(["[[gate]]", *(line.removeprefix("# ") for line in lines)])
    gates = []
    for text in (page, example):
        (tmp_path / "plan.toml").write_text(text)
        gates.append(read_plan(tmp_path / "plan.toml").gate)
    assert gates[0] == gates[1] != ()


if __name__ == "__main__":  # python -m tests.test_docs writes what is made from the code
    (ROOT / "docs" / "cli.md").write_text(cli_page())
    for block, (made_page, make) in MADE.items():
        head, _, tail = split_at(block, made_page.read_text())
        made_page.write_text(head + make() + tail)
