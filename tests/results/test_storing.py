"""Results are found as a file, by a name, or as the newest of a folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.reports import whole

from keptalive import results
from keptalive.errors import UsageError
from keptalive.results import either

MADE = "Next: keptalive bench makes one, or keptalive run --json FILE."


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """results/, in the current folder."""
    monkeypatch.chdir(tmp_path)
    made = Path("results")
    made.mkdir()
    return made


def test_a_name_in_results_will_do_with_or_without_its_ending(folder: Path) -> None:
    (folder / "before.json").touch()
    expected = folder / "before.json"
    assert [results.find(Path(n)) for n in ("before", "before.json", expected)] == [expected] * 3


def test_a_file_of_that_name_goes_before_one_in_results(folder: Path) -> None:
    for path in (folder / "a.json", Path("a.json")):
        path.touch()
    assert results.find(Path("a.json")) == Path("a.json")


def test_a_folder_means_its_newest_by_the_time_in_the_name(folder: Path) -> None:
    names = [
        "2026-01-02T000000-2",
        "2026-01-02T000000-10",
        "2026-01-02T000000",
        "2025-12-31T235959",
    ]
    for name in names:
        (folder / f"{name}.json").touch()
    assert results.find(folder) == folder / "2026-01-02T000000-10.json"


def test_a_file_that_was_renamed_is_as_old_as_its_last_change(folder: Path) -> None:
    (folder / "2026-01-02T000000.json").touch()
    renamed = folder / "renamed.json"
    renamed.touch()
    for changed, newest in (
        (1_767_000_000, "2026-01-02T000000.json"),
        (1_768_000_000, "renamed.json"),
    ):
        os.utime(renamed, (changed, changed))
        assert results.find(folder).name == newest


def test_neither_baseline_nor_unfinished_files_are_the_newest_result(folder: Path) -> None:
    (folder / "baseline").mkdir()
    for name in ("2026-01-02T000000.json", ".2027-unfinished.json", "baseline/2028.json", "notes"):
        (folder / name).touch()
    assert results.find(folder).name == "2026-01-02T000000.json"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (
            "none.json",
            f"There is no result none.json. {MADE}",
        ),
        (
            "results",
            f"There is no result in results. {MADE}",
        ),
        ("x" * 300, f"{'x' * 300} cannot be read: File name too long."),
        (
            "results/baseline",
            (
                "There is no result results/baseline. "
                "Next: keptalive bench --results results/baseline makes a baseline; of your own "
                "program, keptalive run --json FILE makes a report to name here."
            ),
        ),
    ],
)
def test_where_there_is_none_the_next_step_is_told(folder: Path, named: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        results.find(Path(named))
    assert said == str(caught.value)


# -- Reports of run --save


def test_a_saved_report_is_the_newest_report_of_its_folder_and_not_its_newest_result(
    folder: Path,
) -> None:
    result = folder / "2026-01-02T000000.json"
    result.touch()
    first, second = (results.save_report(whole(), folder) for _ in range(2))
    assert first.name.startswith("run-20")
    assert results.find(folder, reports=True) == second != first
    assert results.find(folder, reports=False) == result
    assert results.find(folder) == second
    assert either.read(second) == whole()


def test_git_ignores_reports_and_nothing_else_beside_them(folder: Path) -> None:
    results.save_report(whole(), folder)
    subprocess.run(["git", "init", "-q"], check=True)
    (folder / "2026-01-02T000000.json").touch()
    unknown = subprocess.run(
        ["git", "status", "--short", "-uall"], check=True, capture_output=True, text=True
    )
    assert unknown.stdout.split()[1::2] == ["results/.gitignore", "results/2026-01-02T000000.json"]


def test_a_gitignore_that_is_there_stays_as_it_is(folder: Path) -> None:
    (folder / ".gitignore").write_text("*\n")
    results.save_report(whole(), folder)
    assert (folder / ".gitignore").read_text() == "*\n"


def test_a_folder_without_reports_says_how_to_save_one(folder: Path) -> None:
    (folder / "2026-01-02T000000.json").touch()
    with pytest.raises(UsageError, match=r"no report in results\. Next: keptalive run --save"):
        results.find(folder, reports=True)


def test_a_report_that_cannot_be_saved_is_kept_elsewhere_and_it_is_said_where(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    Path("taken").touch()
    with pytest.raises(UsageError, match=r"cannot be written to taken: .* It is kept as results/"):
        results.save_report(whole(), Path("taken"))
