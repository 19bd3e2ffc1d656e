"""`keptalive report`: pages and traces of whatever keptalive has written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.commands import in_text, keptalive
from tests.render.test_comparison import WORSE
from tests.runs import run
from tests.timelines import timeline

from keptalive import results
from keptalive.render import exports
from keptalive.render.comparison_view import of_results
from keptalive.results.reports import to_json
from keptalive.text import as_json


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """One file of each kind that can be shown."""
    written = {
        "report": to_json(timeline()),
        "result": as_json(results.document(run())),
        "comparison": as_json(exports.document(WORSE, of_results(WORSE))),
    }
    for name, text in written.items():
        (tmp_path / f"{name}.json").write_text(text)
    return {name: tmp_path / f"{name}.json" for name in written}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("report", "1 of 2 connections was not necessary"),
        ("result", "Speed vs requests.get"),
        ("comparison", "REGRESSION: Session opens 1 more connection a run"),
    ],
)
def test_each_kind_of_file_becomes_a_page_that_begins_with_its_verdict(files, tmp_path, kind, said):
    ended = in_text(keptalive("report", files[kind], "-o", tmp_path / "page.html"))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"Wrote {tmp_path / 'page.html'}\n"
    assert said in (tmp_path / "page.html").read_text().partition("</h1>")[0]


def test_without_a_name_the_page_is_report_html(files, tmp_path):
    assert keptalive("report", files["report"], folder=tmp_path).stdout == b"Wrote report.html\n"
    assert (tmp_path / "report.html").exists()


def test_har_and_perfetto_alone_write_no_page(files, tmp_path):
    ended = keptalive("report", files["report"], "--har", "a.har", folder=tmp_path)
    assert ended.stdout == b"Wrote a.har\n"
    assert not (tmp_path / "report.html").exists()
    assert len(json.loads((tmp_path / "a.har").read_text())["log"]["entries"]) == 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.json"], "There is no result nothing.json"),
        (["result.json", "--har", "a.har"], "it has no requests for --har or --perfetto"),
        (["comparison.json", "--har", "a.har"], "comparison.json is a comparison"),
        (["report.json", "-o", "no/such/folder.html"], "cannot be written: No such file"),
        (["report.json", "-o", "/dev/full"], "cannot be written: No space left"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_the_next_step(files, tmp_path, words, said):
    ended = in_text(keptalive("report", *words, folder=tmp_path))
    assert ended.returncode == 2
    assert ended.stderr.startswith("keptalive: ")
    assert said in ended.stderr
    assert "Next: " in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_damaged_comparison_is_refused(files, tmp_path):
    plain = json.loads(files["comparison"].read_text())
    del plain["view"]["verdict"]
    files["comparison"].write_text(json.dumps(plain))
    ended = in_text(keptalive("report", files["comparison"]))
    assert ended.returncode == 2
    assert "is damaged: " in ended.stderr


def test_a_page_that_cannot_be_finished_leaves_the_old_one(files, tmp_path, monkeypatch):
    page = tmp_path / "report.html"
    page.write_text("old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    assert keptalive("report", files["report"], folder=tmp_path).returncode == 2
    assert page.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
