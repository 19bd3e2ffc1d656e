"""`keptalive run --save` and `--anonymize`: the report is kept, and can be shown to anybody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.commands import in_text, keptalive

from keptalive import results
from keptalive.results import either

SYNC = """
import os, sys
import requests
for number in range(2):
    requests.get(sys.argv[1] + f"customers/{number}")
if os.fork() == 0:
    requests.get(sys.argv[1])
    os.kill(os.getpid(), 9)
os.wait()
"""


@pytest.fixture
def run(serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a company's program with these options, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    Path("acme_sync.py").write_text(SYNC)
    return lambda *options: in_text(keptalive("run", *options, "acme_sync.py", serve().url))


def test_a_report_is_saved_where_compare_looks_for_it_and_the_screen_says_where(run):
    done = run("--save")
    saved = results.find(results.RESULTS, reports=True)
    assert done.returncode == 0
    assert done.stderr.rstrip().endswith(f"Saved {saved}")
    report = either.read(saved)
    assert (report.command, sum(host.opened or 0 for host in report.hosts)) == (
        ("acme_sync.py",),
        3,
    )


def test_a_project_can_settle_that_each_report_is_saved(run):
    run()
    assert not results.RESULTS.exists()
    Path("pyproject.toml").write_text("[tool.keptalive]\nsave = true\n")
    run()
    run()
    assert len(list(results.RESULTS.glob("run-*.json"))) == 2


def test_that_a_report_cannot_be_saved_is_found_before_the_program_runs(run):
    results.RESULTS.touch()
    done = run("--save")
    assert done.returncode == 2
    assert done.stderr == (
        "keptalive: Results cannot be written to results: File exists. "
        "Next: keptalive run --json FILE, where you may write.\n"
    )


def test_an_anonymized_report_names_nobody_on_the_screen_in_its_files_and_in_the_ci(
    run, tmp_path, monkeypatch
):
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    done = run(
        *("--anonymize", "--timeline", "--save", "--json", "r.json"),
        *("--max-opened", "1", "--forbid", "new-session"),
    )
    assert done.returncode == 1
    saved = results.find(results.RESULTS, reports=True)
    texts = [done.stderr, Path("r.json").read_text(), saved.read_text()]
    texts.append(summary.read_text())
    for text in texts:
        assert [word for word in ("acme", "customers", str(tmp_path)) if word in text] == []
        assert "file1.py:5" in text
    assert all(len(line) <= 80 or "::error" in line for line in texts[0].splitlines()[:12])
    report = json.loads(texts[1])
    assert (
        report["exchanges"]["path"] == ["/path1", "/path2", "/"][: len(report["exchanges"]["path"])]
    )
    assert [(one["program"], one["seen"]) for one in report["lost"]] == [("file1.py", True)]
    assert [host["is_lower_bound"] for host in report["hosts"]] == [True]


def test_an_explained_log_is_anonymized_likewise(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        "2026-11-26 15:04:05,000 urllib3.connectionpool Starting new HTTPS connection (1): "
        "api.acme.test:443\n2026-11-26 15:04:05,100 urllib3.connectionpool "
        'https://api.acme.test:443 "GET /customers/7 HTTP/1.1" 200 2\n'
    )
    for options in ((), ("--json",)):
        done = keptalive("explain", "--anonymize", *options, log)
        assert done.returncode == 0
        assert b"https://host1.example" in done.stdout
        assert b"acme" not in done.stdout + done.stderr
