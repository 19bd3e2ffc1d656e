"""Results in pytest-benchmark's storages: real files, and a fake of Elasticsearch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.storage.file import FileStorage
from tests.runs import run
from tests.servers.elasticsearch import FakeElasticsearch, fake_elasticsearch

from keptalive import results
from keptalive.errors import UsageError
from keptalive.results.either import read_both
from keptalive.results.storage import opened, read_stored, storage_url
from keptalive.text import as_json

RUN = run()


@pytest.fixture
def fake() -> Iterator[FakeElasticsearch]:
    with fake_elasticsearch() as running:
        yield running


@pytest.fixture(params=["file", "elasticsearch"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A storage that is empty, of either kind."""
    monkeypatch.chdir(tmp_path)
    if request.param == "file":
        return "file://./team/.benchmarks"
    fake: FakeElasticsearch = request.getfixturevalue("fake")
    return f"{fake.url}/team"


@cache
def document() -> str:
    """A result as JSON: asking what processor this is takes long."""
    return as_json(results.document(RUN))


def made(day: int) -> dict[str, Any]:
    """A result that was made on this day."""
    whole = json.loads(document())
    whole["commit_info"]["id"] = "0badc0de"
    return {**whole, "datetime": f"2026-01-{day:02}T00:00:00.000001+00:00"}


def test_what_was_stored_is_read_back_whole(url: str) -> None:
    stored = made(1)
    opened(url, to_write=True).save(stored, "first")
    read = read_stored(storage_url(url))
    assert as_json(results.ours(read.run)) == as_json(results.ours(RUN))
    assert (read.made, read.commit) == (stored["datetime"], "0badc0de")


def test_saving_leaves_the_document_as_it_was(url: str) -> None:
    stored = made(1)
    before = json.dumps(stored)
    opened(url).save(stored, "first")
    assert json.dumps(stored) == before


def test_the_newest_is_read_unless_one_is_named(url: str) -> None:
    storage = opened(url, to_write=True)
    for day, name in ((2, "second"), (3, "third"), (1, "first")):
        storage.save(made(day), name)
    names = [stored.name for stored in storage.newest_first()]
    assert [name.removesuffix(".json").split("_")[-1] for name in names] == [
        "third",
        "second",
        "first",
    ]
    assert read_stored(storage_url(url)).made[:10] == "2026-01-03"
    assert read_stored(storage_url(f"{url}#{names[1]}")).made[:10] == "2026-01-02"


def test_a_baseline_in_the_storage_is_not_the_candidate_that_was_stored_there_too(
    url: str,
) -> None:
    storage = opened(url, to_write=True)
    storage.save(made(1), "first")
    storage.save(made(2), "second")
    candidate = Path("candidate.json")
    candidate.write_text(json.dumps(made(2)))
    for side in (candidate, storage_url(url)):
        before, after = read_both(storage_url(url), side)
        assert (before.made[:10], after.made[:10]) == ("2026-01-01", "2026-01-02")


def test_with_nothing_older_there_is_no_baseline(url: str) -> None:
    opened(url, to_write=True).save(made(1), "first")
    with pytest.raises(UsageError, match="no older result"):
        read_both(storage_url(url), storage_url(url))


def test_a_result_is_not_compared_with_itself_by_name(url: str) -> None:
    storage = opened(url, to_write=True)
    storage.save(made(1), "first")
    (stored,) = storage.newest_first()
    with pytest.raises(UsageError, match="are the same result"):
        read_both(storage_url(f"{url}#{stored.name}"), storage_url(url))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # their class alone, with version 7
def test_what_pytest_benchmark_stored_there_itself_is_passed_over(url: str) -> None:
    storage = opened(url, to_write=True)
    storage.save(made(1), "ours")
    others = {key: value for key, value in made(2).items() if key != "keptalive"}
    (storage._theirs() if url.startswith("file") else storage._theirs).save(others, "theirs")
    assert read_stored(storage_url(url)).made[:10] == "2026-01-01"


def test_an_empty_storage_says_how_to_fill_it(url: str, tmp_path: Path) -> None:
    (tmp_path / "team" / ".benchmarks").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"There is no result .*Next: "):
        read_stored(storage_url(url))


@pytest.mark.complete
def test_pytest_benchmarks_own_command_reads_the_storage(url: str) -> None:
    """Its `list` prints names of files, and of Elasticsearch it needs a mapping that 7 refuses."""
    opened(url, to_write=True).save(made(1), "first")
    command = [sys.executable, "-m", "pytest_benchmark", "--storage", url, "compare"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ("session[keep-alive]" in shown.stdout, shown.returncode) == (True, 0), shown.stderr


# -- Folders -------------------------------------------------------------------------------------


def test_somebody_else_may_store_a_result_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, saves = opened(f"file://{tmp_path}", to_write=True), FileStorage.save

    def save(self: FileStorage, *what: Any) -> None:
        saves(self, made(2), "theirs")
        saves(self, *what)

    monkeypatch.setattr(FileStorage, "save", save)
    assert storage.save(made(1), "ours").endswith("_ours.json")


def test_a_result_with_the_name_of_another_one_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = opened(f"file://{tmp_path}", to_write=True)
    storage.save(made(1), "first")
    monkeypatch.setattr(FileStorage, "_next_num", "0001")  # as another process has found it too
    with pytest.raises(UsageError, match=r"just stored one with its name\. Next: "):
        storage.save(made(2), "first")


# -- Elasticsearch -------------------------------------------------------------------------------


@pytest.mark.parametrize("project", ["shop", "Shop-Client"])
def test_a_project_has_its_own_results(fake: FakeElasticsearch, project: str) -> None:
    for name, day in ((project, 1), ("other", 2)):
        opened(f"{fake.url}/team?project_name={name}").save(made(day), f"of-{name}")
    assert read_stored(storage_url(f"{fake.url}/team?project_name={project}")).made[9] == "1"


def test_the_index_gets_no_field_for_each_of_our_keys(fake: FakeElasticsearch) -> None:
    opened(f"{fake.url}/team").save(made(1), "first")
    kinds = {type(one.get("keptalive")) for one in fake.documents["team"].values()}
    assert (len(fake.documents["team"]), kinds) == (len(RUN.summary), {str, type(None)})


def test_of_all_results_that_are_looked_through_only_one_is_fetched(
    fake: FakeElasticsearch,
) -> None:
    storage = opened(f"{fake.url}/team")
    for day in (1, 2, 3):
        storage.save(made(day), f"of-{day}")
    assert read_stored(storage_url(f"{fake.url}/team")).made[9] == "3"
    assert fake.given == 1


def test_an_index_without_any_document_is_empty(fake: FakeElasticsearch) -> None:
    fake.documents["team"] = {}  # somebody made it beforehand
    assert list(opened(f"{fake.url}/team").newest_first()) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # their class alone, with version 7
def test_results_of_others_take_no_place_among_those_looked_through(
    fake: FakeElasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keptalive.results.elasticsearch._MOST", 1)
    storage = opened(f"{fake.url}/team")
    storage.save(made(1), "ours")
    others = {key: value for key, value in made(2).items() if key != "keptalive"}
    others["commit_info"]["project"] = storage._project
    storage._theirs.save(others, "theirs")
    assert len(list(storage.newest_first())) == 1


def test_a_login_is_used_and_never_shown(fake: FakeElasticsearch) -> None:
    url = f"{fake.url}/team".replace("//", "//reader:hunter2secret@", 1)
    assert "hunter2secret" not in opened(url).save(made(1), "first")
    assert fake.logins == {"Basic cmVhZGVyOmh1bnRlcjJzZWNyZXQ="}
    broken = url.replace(f":{fake.port}", ":9")
    with pytest.raises(UsageError, match=r"cannot be reached: .*Next: check the URL") as refused:
        opened(broken)
    assert "hunter2secret" not in str(refused.value)


def test_a_damaged_netrc_gets_one_line_without_what_is_in_it(
    fake: FakeElasticsearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1\nlogin reader hunter2secret\n")
    with pytest.raises(UsageError, match=r"~/\.netrc is damaged near line \d\. Next: ") as refused:
        opened(f"{fake.url}/team")
    assert "hunter2secret" not in str(refused.value)


@pytest.mark.parametrize("host", ["[::1", "127.0.0.1:abc"])
def test_a_url_with_a_host_that_is_none_gets_one_line(host: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be reached: .*Next: check the URL"):
        opened(f"elasticsearch+http://{host}/team")


def test_a_damaged_result_gets_one_line(fake: FakeElasticsearch) -> None:
    opened(f"{fake.url}/team").save(made(1), "first")
    for document in fake.documents["team"].values():
        if "keptalive" in document:
            document["keptalive"] = document["keptalive"][:-9]
    with pytest.raises(UsageError, match=r"^The result team/.*_first is damaged: .*Next: "):
        read_stored(storage_url(f"{fake.url}/team"))


def test_another_version_of_the_client_is_refused_in_one_line(
    fake: FakeElasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("elasticsearch.__version__", (9, 5, 1))
    with pytest.raises(UsageError, match=r"this is 9\.5\.1\. Next: pip install"):
        opened(fake.url)
    monkeypatch.setitem(sys.modules, "elasticsearch", None)
    with pytest.raises(UsageError, match=r"needs the package elasticsearch\. Next: pip install"):
        opened(fake.url)


# -- URLs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["http://host/x", "file://", "elasticsearch+ftp://h", "s3://b"])
def test_a_url_that_is_no_storage_is_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no storage\. Next: name file://FOLDER or"):
        storage_url(text)


def test_a_folder_that_is_not_there_or_not_writable_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        read_stored(storage_url(f"file://{tmp_path}/none"))
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written to"):
        opened(f"file://{tmp_path}/file/below", to_write=True)
