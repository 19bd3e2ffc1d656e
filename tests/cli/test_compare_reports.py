"""`keptalive compare` of a program of one's own, before and after: two commands, then this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.commands import in_text, keptalive
from tests.compare.test_reports import BAD, GOOD, program
from tests.reports import FIRST_USE
from tests.servers.peer import Peer

from keptalive.records.report import Report
from keptalive.results.reports import to_json

SHOP = Path(__file__).parents[1] / "data" / "shopclient"
SESSION = """
import sys
from shopclient import Shop

shop = Shop(sys.argv[1])
print(shop.prices(range(6)))
"""
GET = """
import sys
from shopclient import prices_one_by_one

print(prices_one_by_one(sys.argv[1], range(6)))
"""


def prices(peer: Peer) -> None:
    """Answer every request, and keep the connection."""
    while peer.request():
        peer.respond(body=b"{}")


def compare(*words: object, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    theirs = ("GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS")
    inherited = {key: value for key, value in os.environ.items() if key not in theirs}
    environment = {**inherited, "COLUMNS": "80", **more}
    return in_text(keptalive("compare", *words, folder=folder, environment=environment))


@pytest.fixture
def saved(tmp_path: Path):
    """Write a report into this file."""

    def save(name: str, report: Report) -> Path:
        (tmp_path / name).write_text(to_json(report))
        return tmp_path / name

    return save


@pytest.fixture
def good(saved) -> Path:
    return saved("good.json", GOOD)


@pytest.fixture
def bad(saved) -> Path:
    return saved("bad.json", BAD)


def test_two_branches_of_a_program_are_compared_with_two_commands(tmp_path, serve):
    """Each against a server of its own, whose port the system chooses."""
    for name, text in (("before", SESSION), ("after", GET)):
        (tmp_path / "sync.py").write_text(text)
        server = serve(prices)
        command = ["run", "--json", f"{name}.json", "sync.py", server.url]
        ran = subprocess.run(
            [sys.executable, "-m", "keptalive", *command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(SHOP)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (ran.returncode, ran.stdout) == (0, f"{[{}] * 6}\n")
    worse = compare("before.json", "after.json", folder=tmp_path, GITHUB_ACTIONS="true")
    assert (worse.returncode, worse.stderr) == (1, "")
    assert (
        "REGRESSION: http://127.0.0.1:* opens 5 more connections: 5 × new-session" in worse.stdout
    )
    assert "client.py:5" in worse.stdout
    assert worse.stdout.count("::error ") == 1
    assert max(len(line.rstrip()) for line in worse.stdout.splitlines() if "::" not in line) <= 80
    back = compare("after.json", "before.json", folder=tmp_path, GITHUB_ACTIONS="true")
    assert (back.returncode, back.stderr) == (0, "")
    assert "Better: http://127.0.0.1:* opens 5 fewer connections" in back.stdout
    assert "::error" not in back.stdout


def test_the_exit_code_is_that_of_the_verdict(good, bad, saved, tmp_path):
    gone = saved("gone.json", program(FIRST_USE, name="https://other.test:443", opened=0, reused=0))
    codes = {(good, good): 0, (good, bad): 1, (bad, good): 0, (good, gone): 2}
    for (before, after), code in codes.items():
        assert compare(before, after, folder=tmp_path).returncode == code


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--fail-on", "nothing"], 0),
        (["--fail-on", "attempts"], 0),
        (["--fail-on", "opened"], 1),
        (["--fail-on", "counts,time:10%"], 1),
        (["--ignore", "*.test"], 2),
    ],
)
def test_what_fails_is_chosen(good, bad, tmp_path, words, code):
    assert compare(good, bad, *words, folder=tmp_path).returncode == code


@pytest.mark.usefixtures("good")
def test_a_time_that_is_guarded_needs_several_reports(tmp_path):
    ended = compare("good.json", "good.json", "--fail-on", "time", folder=tmp_path)
    assert ended.returncode == 2
    said = " ".join(ended.stdout.split())
    assert "NOT COMPARABLE: the program's time: only 1 report on a side; times need" in said


def test_a_folder_each_with_several_reports_is_compared_by_interval(tmp_path):
    for name, opened in (("before", (5, 6, 7, 8)), ("after", (10, 11, 12, 13))):
        (tmp_path / name).mkdir()
        for number in opened:
            route = replace(BAD.hosts[0], opened=number, most_at_once=8, reused=20)
            report = replace(BAD, hosts=(replace(route, requests=20, attempts=20),))
            (tmp_path / name / f"{number}.json").write_text(to_json(report))
    ended = compare("before", "after", folder=tmp_path)
    assert ended.returncode == 1
    assert "+5 [+2, +8]" in ended.stdout


def test_with_json_standard_output_is_json_and_the_annotation_goes_elsewhere(good, bad, tmp_path):
    summary = tmp_path / "summary.md"
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    ended = compare(good, bad, "--json", folder=tmp_path, **environment)
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["outcome"]) == (1, "regression")
    assert ended.stderr.startswith("::error title=keptalive compare%3A a regression::REGRESSION: ")
    assert "| opened | 1 | 10 | +9 | **worse** |" in summary.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--absolute"], "--absolute is for results of keptalive bench. Next: leave it out."),
        (["--export", "bencher=b.json"], "--export is for results of keptalive bench."),
        (["--ignore", "a b"], '--ignore: "a b" must be a host such as api.example.com'),
        (["--fail-on", "tme"], '--fail-on: "tme" must be one of'),
    ],
)
def test_an_option_that_means_nothing_here_is_refused_in_a_line(good, tmp_path, words, said):
    ended = compare(good, good, *words, folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_no_text_of_a_report_is_a_command_to_the_ci_or_the_terminal(saved, tmp_path):
    hostile = "x\n::error::owned\x1b[31m"
    named = program(FIRST_USE, name=f"https://{hostile}:443")
    report = replace(named, command=(hostile,), warnings=(hostile,), doubts=(hostile,))
    one, other = saved("a.json", report), saved("b.json", replace(report, command=("y",)))
    ended = compare(one, other, folder=tmp_path, GITHUB_ACTIONS="true")
    commands = [line for line in ended.stdout.splitlines() if line.startswith("::")]
    assert "\x1b" not in ended.stdout
    assert all(line.startswith("::error title=keptalive compare") for line in commands)
