"""The two sides of a comparison: what a name, a file or a folder means."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.reports import whole
from tests.runs import run

from keptalive import results
from keptalive.errors import UsageError
from keptalive.records.report import Report
from keptalive.results.reports import to_json


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report(path: str, *, seconds: float = 1.0, command: str = "sync.py") -> Path:
    made: Report = replace(whole(), seconds=seconds, command=(command,))
    return written(path, to_json(made))


def result(path: str) -> Path:
    return written(path, json.dumps(results.document(run())))


def written(path: str, text: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def seconds(side: results.Saved | results.Reports) -> list[float]:
    assert isinstance(side, results.Reports)
    return sorted(one.seconds for one in side.reports)


def test_two_reports_are_read_whatever_they_are_called(folder):
    before, after = results.read_both(report("a"), report("b.txt", seconds=2.0))
    assert (seconds(before), seconds(after)) == ([1.0], [2.0])
    assert str(after.path) == "b.txt"


def test_a_report_with_its_keys_in_another_order_is_one(folder):
    text = json.dumps(json.loads(to_json(whole())), sort_keys=True)
    before, _ = results.read_both(written("a.json", text), report("b.json"))
    assert isinstance(before, results.Reports)


def test_two_results_are_read_as_results(folder):
    before, after = results.read_both(result("a.json"), result("b.json"))
    assert isinstance(before, results.Saved)
    assert isinstance(after, results.Saved)


@pytest.mark.parametrize("make", [result, report])
@pytest.mark.parametrize("baseline", ["results", "results/run-1.json"])
def test_the_newest_of_a_folder_is_not_compared_with_itself(folder, make, baseline):
    make("results/run-1.json" if make is report else "results/1.json")
    named = Path(baseline if make is report else baseline.replace("run-", ""))
    with pytest.raises(UsageError, match=r"is both baseline and candidate: .+ Next: measure"):
        results.read_both(named, Path("results"))


def test_a_file_may_be_compared_with_itself_where_both_sides_name_it(folder):
    before, after = results.read_both(report("a.json"), Path("a.json"))
    assert before == after


def test_a_folder_of_reports_is_all_of_them(folder):
    for number in (1.0, 2.0, 3.0):
        report(f"before/{number}.json", seconds=number)
    before, after = results.read_both(Path("before"), report("b.json"))
    assert (seconds(before), str(before.path)) == ([1.0, 2.0, 3.0], "before")
    assert seconds(after) == [1.0]


def test_in_results_the_newest_report_is_compared_with_a_report_and_a_result_with_a_result(folder):
    report("results/run-2026-01-02T000000.json", seconds=2.0)
    report("results/run-2026-01-03T000000.json", seconds=3.0)
    result("results/2026-01-04T000000.json")
    newest = Path("results")
    assert seconds(results.read_both(report("a.json"), newest)[1]) == [3.0]
    assert seconds(results.read_both(newest, report("a.json"))[0]) == [3.0]
    saved = results.read_both(result("r.json"), newest)[1]
    assert saved.path == Path("results/2026-01-04T000000.json")
    named = results.read_both(Path("run-2026-01-02T000000"), newest)
    assert [seconds(side) for side in named] == [[2.0], [3.0]]


def test_without_a_name_the_baseline_says_what_is_compared(folder):
    report("results/baseline/run-2026-01-01T000000.json", seconds=1.0)
    report("results/run-2026-01-02T000000.json", seconds=2.0)
    result("results/2026-01-04T000000.json")
    before, after = results.read_both(results.BASELINE, results.RESULTS)
    assert (seconds(before), seconds(after)) == ([1.0], [2.0])


@pytest.mark.parametrize("order", [1, -1])
def test_a_result_and_a_report_are_refused_in_a_line(folder, order):
    with pytest.raises(UsageError) as caught:
        results.read_both(*[result("r.json"), report("a.json")][::order])
    assert str(caught.value) == (
        "r.json is a result of keptalive bench, a.json a report of a program: they cannot be "
        "compared. Next: name two results, or two reports."
    )


def test_a_folder_with_reports_of_several_programs_is_refused_in_a_line(folder):
    report("mixed/a.json")
    report("mixed/b.json", command="other.py")
    with pytest.raises(UsageError, match="mixed has reports of several programs"):
        results.read_both(Path("mixed"), report("b.json"))
    report("both/run-a.json")
    result("both/r.json")
    with pytest.raises(UsageError, match="both has results of keptalive bench and reports"):
        results.read_both(report("b.json"), Path("both"))


def test_a_damaged_report_is_refused_in_a_line(folder):
    contents = json.loads(to_json(whole()))
    contents["hosts"][0]["opened"] = "many"
    damaged = written("a.json", json.dumps(contents))
    with pytest.raises(UsageError) as caught:
        results.read_both(damaged, damaged)
    assert str(caught.value).startswith("The report a.json is damaged: ")
    assert "\n" not in str(caught.value)


def test_a_report_may_be_larger_than_a_result(folder, monkeypatch):
    monkeypatch.setattr("keptalive.results.either.LARGEST", 100)
    assert results.read_both(report("a.json"), report("b.json"))
    with pytest.raises(UsageError, match="at most 100 bytes are read"):
        results.read_both(result("r.json"), result("r.json"))
