"""`keptalive compare` as a person and a CI meet it: screens, exit codes, files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.commands import in_text, keptalive
from tests.runs import run, trace, usual

from keptalive import results
from keptalive.cli.guarding import guard_of
from keptalive.errors import UsageError
from keptalive.records.run import Run

ROOT = Path(__file__).parents[2]
TOKEN = "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789"


def saved(made: Run, path: Path, **ours: Any) -> Path:
    contents = results.document(made)
    contents["keptalive"].update(ours)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(contents))
    return path


def in_github(folder: Path) -> dict[str, str]:
    """The environment of GitHub Actions, with the job's summary in a file."""
    return {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}


@pytest.fixture
def same(tmp_path: Path) -> Path:
    return saved(run(), tmp_path / "same.json")


@pytest.fixture
def worse(tmp_path: Path) -> Path:
    return saved(run(usual(opened=2, reopened=1)), tmp_path / "worse.json")


def inherited() -> dict[str, str]:
    """The tests' environment, but for what a CI would have there."""
    theirs = ("GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS")
    return {key: value for key, value in os.environ.items() if key not in theirs}


def compare(
    *arguments: object, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    variables = {**inherited(), "COLUMNS": "80", **environment}
    return in_text(keptalive("compare", *arguments, folder=folder, environment=variables))


def test_as_a_process_of_its_own_it_does_the_same(same: Path, worse: Path, tmp_path: Path) -> None:
    for candidate, code in ((same, 0), (worse, 1), (tmp_path / "none", 2)):
        ended = subprocess.run(
            [sys.executable, "-m", "keptalive", "compare", same, candidate],
            cwd=tmp_path,
            env={**inherited(), "COLUMNS": "80"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        here = compare(same, candidate, folder=tmp_path)
        assert (ended.returncode, ended.stdout, ended.stderr) == (code, here.stdout, here.stderr)


def test_a_result_against_itself_is_fine(same: Path, tmp_path: Path) -> None:
    ended = compare(same, same, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "No regression." in ended.stdout
    assert max(len(line.rstrip()) for line in ended.stdout.splitlines()) <= 80


def test_a_regression_is_exit_code_1_and_a_sentence(
    same: Path, worse: Path, tmp_path: Path
) -> None:
    ended = compare(same, worse, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "REGRESSION: Session opens 1 more connection a run (reopened)." in ended.stdout


def test_without_arguments_the_newest_result_is_held_against_the_baseline(tmp_path: Path) -> None:
    saved(run(), tmp_path / "results/baseline/2026-01-01T000000.json")
    saved(run(), tmp_path / "results/2026-01-02T000000.json")
    saved(run(usual(opened=2)), tmp_path / "results/2026-01-03T000000.json")
    assert compare(folder=tmp_path).returncode == 1
    named = compare("results/baseline", "2026-01-02T000000", folder=tmp_path)
    assert named.returncode == 0


def test_what_fails_is_chosen(same: Path, worse: Path, tmp_path: Path) -> None:
    for fail_on, code in (("time", 0), ("time:15%,reopened", 1), ("nothing", 0), ("opened", 1)):
        ended = compare(same, worse, "--fail-on", fail_on, folder=tmp_path)
        assert ended.returncode == code, fail_on
    assert (
        "Worse, but not guarded: Session opens"
        in compare(same, worse, "--fail-on", "nothing", folder=tmp_path).stdout
    )


def test_what_could_not_be_compared_does_not_pass_the_gate(same: Path, tmp_path: Path) -> None:
    alone = saved(run([t for t in usual() if t.strategy == "fresh"]), tmp_path / "alone.json")
    gone = compare(same, alone, folder=tmp_path)
    assert gone.returncode == 2
    assert "Session: not comparable: not in the candidate." in gone.stdout
    annotation = compare(same, alone, "--json", folder=tmp_path, GITHUB_ACTIONS="true").stderr
    assert "%0ASession: not comparable: not in the candidate." in annotation
    new = compare(alone, same, folder=tmp_path)
    assert new.returncode == 0
    assert "Session: new, not in the baseline." in new.stdout


def test_the_limits_of_the_candidates_plan_hold_too(same: Path, tmp_path: Path) -> None:
    gate = [{"scenario": None, "strategy": "session", "max_opened": 0}]
    limited = saved(run(plan={"gate": gate}), tmp_path / "limited.json")
    ended = compare(same, limited, folder=tmp_path)
    assert ended.returncode == 1
    assert "Session opened 1 connection in a run, max_opened is 0." in " ".join(
        ended.stdout.split()
    )
    assert compare(limited, same, folder=tmp_path).returncode == 0


def test_a_limit_that_cannot_be_judged_is_exit_code_2_and_one_that_holds_is_reported(
    same: Path, tmp_path: Path
) -> None:
    few = saved(run(rounds=3, plan={"gate": [{"min_speedup": 50}]}), tmp_path / "few.json")
    ended = compare(same, few, "--fail-on", "counts", folder=tmp_path)
    assert ended.returncode == 2
    assert "min_speedup is 50, but it has only 3 rounds" in " ".join(ended.stdout.split())
    (limit,) = json.loads(compare(same, few, "--json", folder=tmp_path).stdout)["gate_unjudged"]
    assert (limit["strategy"], limit["limit"]) == ("session", "min_speedup")
    holding = saved(run(plan={"gate": [{"max_opened": 1}]}), tmp_path / "holding.json")
    ended = compare(holding, holding, folder=tmp_path)
    assert ended.returncode == 0
    assert "The plan's gate holds: 1 limit." in ended.stdout


def test_a_report_only_fails_nothing_and_makes_no_annotation(same: Path, tmp_path: Path) -> None:
    gate = [{"max_opened": 0}, {"strategy": "tuned", "max_opened": 0}]
    limited = saved(run(usual(opened=2), plan={"gate": gate}), tmp_path / "limited.json")
    ended = compare(
        *(same, limited, "--fail-on", "nothing"), folder=tmp_path, GITHUB_ACTIONS="true"
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "GATE, where the server keeps connections: Session opened 2" in ended.stdout
    assert "GATE not judged: tuned" in ended.stdout
    assert "--fail-on nothing makes a report only" in ended.stdout
    assert "::error" not in ended.stdout


def test_with_json_standard_output_is_json_and_the_annotation_goes_elsewhere(
    same: Path, worse: Path, tmp_path: Path
) -> None:
    ended = compare(same, worse, "--json", folder=tmp_path, GITHUB_ACTIONS="true")
    contents = json.loads(ended.stdout)
    assert (ended.returncode, contents["outcome"]) == (1, "regression")
    bad = [(r["strategy"], r["measure"]) for r in contents["rows"] if r["regression"]]
    assert bad == [("session", "opened"), ("session", "reopened")]
    assert ended.stderr.splitlines() == [
        (
            "::error title=keptalive compare%3A a regression::"
            "REGRESSION: Session opens 1 more connection a run (reopened)."
        )
    ]


def test_one_annotation_is_made_and_only_where_something_is_wrong(
    same: Path, worse: Path, tmp_path: Path
) -> None:
    wrong = compare(same, worse, folder=tmp_path, GITHUB_ACTIONS="true")
    assert sum(line.startswith("::error ") for line in wrong.stdout.splitlines()) == 1
    fine = compare(same, same, folder=tmp_path, GITHUB_ACTIONS="true")
    assert "::" not in fine.stdout
    assert "::" not in compare(same, worse, folder=tmp_path).stdout


def test_an_error_instead_of_a_comparison_is_reported_to_the_ci_too(tmp_path: Path) -> None:
    ended = compare(folder=tmp_path, **in_github(tmp_path))
    assert (ended.returncode, ended.stdout) == (2, "")
    why = "There is no result results/baseline. Next: keptalive bench --results results/baseline"
    command, line = ended.stderr.splitlines()
    assert command.startswith(f"::error title=keptalive compare%3A no comparison::{why}")
    assert line.startswith(f"keptalive: {why}")
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith(f"## Connection reuse\n\n**No comparison: {why}")


def test_no_text_of_a_file_is_a_command_to_the_ci_or_the_terminal(tmp_path: Path) -> None:
    hostile = "3\n::error::hi\x1b]0;gone\x07"
    contents = results.document(run(ended=hostile, environment={"python": hostile}))
    contents["machine_info"]["cpu"] = {"brand_raw": hostile}
    contents["commit_info"] = {"id": f"\n::stop-commands::x{hostile}"}
    contents["datetime"] = f"\n::{contents['datetime']}"
    path = tmp_path / "hostile.json"
    path.write_text(json.dumps(contents))
    plain = saved(run(), tmp_path / "plain.json")
    for arguments in ((path, plain), (plain, path, "--absolute"), (plain, path, "--json")):
        ended = compare(*arguments, folder=tmp_path, **in_github(tmp_path))
        assert ended.returncode == 0
        lines = (ended.stdout + ended.stderr).split("\n")
        obeyed = ("::", "##[")
        assert [o for o in lines if o.lstrip().startswith(obeyed) or not o.isprintable()] == []


def test_the_jobs_summary_is_added_to_and_stays_below_its_limit(
    same: Path, worse: Path, tmp_path: Path
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("# Of an earlier command\n")
    compare(same, worse, folder=tmp_path, GITHUB_STEP_SUMMARY=str(summary))
    text = summary.read_text()
    assert text.startswith("# Of an earlier command\n## Connection reuse\n")
    assert "| Session | opened | 1 | 2 | +1 | **worse** |" in text
    summary.write_text("x" * (1024 * 1024 - 200) + "\n")
    compare(same, worse, folder=tmp_path, GITHUB_STEP_SUMMARY=str(summary))
    assert summary.stat().st_size <= 1024 * 1024
    assert "does not fit here" in summary.read_text()


def test_a_summary_that_cannot_be_written_spoils_no_verdict(same: Path, tmp_path: Path) -> None:
    ended = compare(same, same, folder=tmp_path, GITHUB_STEP_SUMMARY="/dev/null/x")
    assert ended.returncode == 0
    assert "GITHUB_STEP_SUMMARY: /dev/null/x cannot be written" in ended.stderr


def test_exports_are_written_both_at_once(same: Path, tmp_path: Path) -> None:
    ended = compare(
        *(same, same, "--export", "bencher=b.json"),
        *("--export", "github-action-benchmark=g.json"),
        folder=tmp_path,
    )
    assert ended.returncode == 0
    assert json.loads((tmp_path / "b.json").read_text())["session[keep-alive]"]["opened"]
    assert json.loads((tmp_path / "g.json").read_text())[0]["name"]


def test_the_baseline_that_is_kept_here_is_read_by_us_and_by_pytest_benchmark(
    tmp_path: Path,
) -> None:
    (baseline,) = (ROOT / "results" / "baseline").glob("*.json")
    assert compare(baseline, baseline, folder=tmp_path).returncode == 0
    command = [Path(sys.executable).with_name("pytest-benchmark"), "compare", baseline]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "session[keep-alive]" in shown.stdout


def test_the_cause_of_a_connection_more_is_named(tmp_path: Path) -> None:
    before = saved(run(traces=(trace("session", first_use=1),)), tmp_path / "before.json")
    traces = (trace("session", first_use=1, request_limit=1),)
    after = saved(run(usual(opened=2), traces=traces), tmp_path / "after.json")
    ended = compare(before, after, folder=tmp_path)
    assert "REGRESSION: Session opens 1 more connection a run (request-limit)." in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.json", "none.json"], "There is no result none.json. Next: keptalive bench makes"),
        ([], "There is no result results/baseline. Next: keptalive bench --results"),
        (["{}/empty", "{}/empty"], "There is no result in"),
        (["{}/text", "{}/text"], "is not a result: it is not JSON"),
        (["{}/invalid.json", "{}/invalid.json"], "is no result: The counts disagree: pool log"),
        (["{}/no_round.json", "{}/no_round.json"], "has no counted round: it ended too soon"),
        (["{}/same.json", "{}/same.json", "--fail-on", "tme"], '--fail-on: "tme" must be one of'),
        (["{}/same.json", "{}/same.json", "--export", "x=y"], "--export x=y must be"),
        (["{}/same.json", "{}/same.json", "--export", "bencher=/dev/null/x"], "cannot be written"),
        (["--wrong"], "No such option"),
    ],
)
def test_bad_input_gets_a_line_or_two_and_exit_code_2(
    same: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("hello")
    saved(
        run(),
        tmp_path / "invalid.json",
        valid=False,
        disagreements=[
            "The counts disagree: pool log 1, sockets 2.",
        ],
    )
    saved(run(usual()[:2]), tmp_path / "no_round.json")
    given = [argument.format(tmp_path) for argument in arguments]
    ended = compare(*given, folder=tmp_path, GITHUB_ACTIONS="true")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) <= 2


def test_a_secret_in_a_file_is_not_shown(tmp_path: Path) -> None:
    file = saved(run(usual(errors={TOKEN: 1})), tmp_path / "file.json")
    text = file.read_text().replace("[hidden]", TOKEN)
    assert TOKEN in text
    file.write_text(text)
    for arguments in ((), ("--json",)):
        ended = compare(file, file, *arguments, folder=tmp_path, **in_github(tmp_path))
        summary = (tmp_path / "summary.md").read_text()
        assert "hidden" in summary
        assert TOKEN.removeprefix("ghp_") not in ended.stdout + ended.stderr + summary


@pytest.mark.parametrize(
    ("values", "measures", "threshold"),
    [
        ([], {"opened", "reopened", "attempts", "time"}, 0.1),
        (["counts"], {"opened", "reopened", "attempts"}, 0.1),
        (["opened, time:15%"], {"opened", "time"}, 0.15),
        (["opened", "time: 2.5%"], {"opened", "time"}, 0.025),
        (["nothing"], set(), 0.1),
    ],
)
def test_fail_on_takes_words_with_commas_or_repeated(
    values: list[str], measures: set[str], threshold: float
) -> None:
    guard = guard_of(values)
    assert (guard.measures, guard.threshold) == (measures, pytest.approx(threshold))


@pytest.mark.parametrize(
    "word",
    ["", "time:", "time:15", "time:0%", "time:-1%", "time:nan%", "opened:1%", "counts,nothing"],
)
def test_fail_on_refuses_what_it_does_not_know(word: str) -> None:
    with pytest.raises(UsageError, match="--fail-on"):
        guard_of([word])


def test_a_comparison_is_written_as_a_page_too(same: Path, tmp_path: Path) -> None:
    ended = in_text(keptalive("compare", same, same, "--html", tmp_path / "page.html"))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "<h1>No regression" in (tmp_path / "page.html").read_text()
