"""Result files come back as they were, old ones too; whatever else a file is, it is told."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.runs import run

from keptalive import results
from keptalive.errors import UsageError
from keptalive.records.run import Run

DATA = Path(__file__).parents[1] / "data" / "results"
OLD_FILES = sorted(DATA.glob("*.json"))


def as_json(made: Run) -> dict:
    return json.loads(json.dumps(results.document(made)))


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        results.read(path)
    assert caught.value.exit_code == 2
    said = str(caught.value)
    assert "\n" not in said
    return said.replace(str(path), "FILE")


@pytest.fixture
def of(tmp_path: Path):
    """The sentence with which a file of these contents is refused."""

    def told(contents: str | bytes) -> str:
        path = tmp_path / "file.json"
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return refusal(path)

    return told


def test_what_was_saved_is_read_back_as_it_was(tmp_path: Path) -> None:
    made = run(ended="budget")
    saved = results.read(results.save(results.document(made), tmp_path))
    assert saved.schema == results.SCHEMA
    assert as_json(made)["keptalive"] == as_json(saved.run)["keptalive"]
    assert (saved.run.trials, saved.run.summary) == (made.trials, made.summary)


@pytest.mark.parametrize("path", OLD_FILES, ids=lambda path: path.stem)
def test_files_of_every_schema_so_far_are_read(path: Path) -> None:
    saved = results.read(path)
    assert saved.commit is not None
    assert len(saved.run.trials) == 2 * 3 * 7
    assert [row.rounds for row in saved.run.summary] == [6] * 6
    assert all(trial.phases for trial in saved.run.trials) == ("before-phases" not in path.stem)
    assert saved.schema == int(path.stem.split("-")[1])


def test_there_is_a_file_of_each_schema() -> None:
    schemas = {results.read(path).schema for path in OLD_FILES}
    assert schemas == set(range(1, results.SCHEMA + 1))


def test_outside_of_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    contents = {**results.document(run()), "commit_info": {"id": "unversioned"}}
    assert results.read(results.save(contents, tmp_path)).commit is None


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ("", "FILE is not a result: it is empty."),
        (" \n", "FILE is not a result: it is empty."),
        (b"\x89PNG\xff\x00", "The result FILE cannot be read: it is not text."),
        ("hello", "FILE is not a result: it is not JSON (line 1: Expecting value)."),
        (
            "[1, 2]",
            "FILE is other JSON, not a result of keptalive. Next: keptalive bench makes one.",
        ),
        (
            '{"machine_info": {}, "benchmarks": []}',
            (
                "FILE is a pytest-benchmark file without keptalive's part, not a result of "
                "keptalive. Next: keptalive bench makes one."
            ),
        ),
        (
            '{"keptalive": 7}',
            "FILE is other JSON, not a result of keptalive. Next: keptalive bench makes one.",
        ),
        ('{"keptalive": {"schema": "2"}}', "The result FILE is damaged: its schema is '2'."),
        (
            '{"keptalive": {"schema": 99}}',
            (
                f"The result FILE has schema 99; this keptalive reads up to {results.SCHEMA}. "
                "Next: a newer keptalive."
            ),
        ),
        ('{"keptalive": {"schema": 1}}', "The result FILE is damaged: there is no 'trials'."),
        (
            "[" * 100_000,
            (
                "The result FILE is damaged: it is nested too deeply. "
                "Next: name a result that keptalive bench made."
            ),
        ),
        (
            '{"a": NaN}',
            (
                "The result FILE is damaged: it has NaN, which is no number of JSON's. "
                "Next: name a result that keptalive bench made."
            ),
        ),
        (
            '{"a": 1, "b": {"a": 2, "\\u0061": 3}}',
            (
                "The result FILE is damaged: it has 'a' twice in one object. "
                "Next: name a result that keptalive bench made."
            ),
        ),
        (
            f'{{"a": {"9" * 5000}}}',
            (
                "The result FILE is damaged: it has a number of 5000 digits. "
                "Next: name a result that keptalive bench made."
            ),
        ),
        (
            '{"a": 1e999}',
            (
                "The result FILE is damaged: it has a number too large: 1e999. "
                "Next: name a result that keptalive bench made."
            ),
        ),
    ],
)
def test_what_is_no_result_is_told_in_a_line(of, contents: str | bytes, said: str) -> None:
    assert said == of(contents)


@pytest.mark.parametrize("depth", [300, 600, 900, 1500, 100_000])
def test_json_of_any_depth_is_told_in_a_line(of, depth: int) -> None:
    said = of("[" * depth + "]" * depth)
    assert said.startswith(("FILE is other JSON", "The result FILE is damaged: it is nested too"))


def test_a_file_that_was_cut_off_anywhere_is_told_in_a_line(of) -> None:
    whole = json.dumps(results.document(run()), indent=1)
    for end in range(2, len(whole), 97):
        said = of(whole[:end])
        assert said.startswith("The result FILE is cut off in line "), (end, said)


def test_a_folder_a_device_and_nothing_are_told_in_a_line(tmp_path: Path) -> None:
    named = "Next: name a result that keptalive bench made."
    assert refusal(tmp_path) == "The result FILE cannot be read: Is a directory."
    assert refusal(Path(os.devnull)) == f"The result FILE is a device, not a file. {named}"
    assert refusal(tmp_path / "none") == f"There is no result FILE. {named}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seconds", 0),
        ("seconds", -1),
        ("seconds", "fast"),
        ("seconds", None),
        ("seconds", 1e999),
        ("requests", 0),
        ("opened", -1),
        ("opened", 10**400),
        ("seconds", 5e-324),
        ("seconds", 1e308),
        ("opened", 1.5),
        ("opened", True),
        ("witnesses", {"pool_log": 1}),
        ("witnesses", None),
        ("request_seconds", 7),
        ("strategy", "never named"),
        ("phases", 3),
        ("round", "first"),
        ("first_error", ...),
    ],
)
def test_a_trial_with_a_value_that_none_has_is_told_in_a_line(of, key: str, value: object) -> None:
    contents = as_json(run())
    trial = contents["keptalive"]["trials"][-1]
    if value is ...:
        del trial[key]
    else:
        trial[key] = value
    assert of(json.dumps(contents)).startswith("The result FILE is damaged: ")


@pytest.mark.parametrize("key", ["plan", "environment", "strategies", "trials", "summary", "ended"])
@pytest.mark.parametrize("value", [None, 7, "x", [1], [{}], {"a": 1}])
def test_a_part_that_is_something_else_is_refused_or_makes_no_difference(
    tmp_path: Path, key: str, value: object
) -> None:
    contents = as_json(run())
    contents["keptalive"][key] = value
    path = tmp_path / "file.json"
    path.write_text(json.dumps(contents))
    if (key == "ended" and isinstance(value, str)) or (
        key in ("plan", "environment") and isinstance(value, dict)
    ):
        assert results.read(path)
    else:
        assert refusal(path).startswith("The result FILE is damaged: ")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("datetime", None, "its datetime is no text"),
        ("disagreements", "abc", "its disagreements are no list of texts"),
        ("ended", 7, "its ended is no text"),
    ],
)
def test_a_text_that_is_none_is_told_in_a_line(of, key: str, value: object, said: str) -> None:
    contents = as_json(run())
    (contents if key in contents else contents["keptalive"])[key] = value
    assert of(json.dumps(contents)) == f"The result FILE is damaged: {said}."


HOSTILE = "3\n::error::hi \x1b]0;gone\x07 \u202e ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789"


def with_every_text_hostile(value: object) -> object:
    """The value with something after each text that nobody should obey or see."""
    if isinstance(value, str):
        return value + HOSTILE
    if isinstance(value, list):
        return [with_every_text_hostile(inner) for inner in value]
    if isinstance(value, dict):
        return {key: with_every_text_hostile(inner) for key, inner in value.items()}
    return value


def texts_in(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for inner in pair for text in texts_in(inner)]
    if isinstance(value, (list, tuple)):
        return [text for inner in value for text in texts_in(inner)]
    return []


def test_no_text_of_a_file_is_obeyed_by_a_terminal_or_a_ci(tmp_path: Path) -> None:
    contents = with_every_text_hostile(as_json(run(disagreements=("x",), stopped_by="y")))
    ours = contents["keptalive"]
    for part in ("plan", "environment", "strategies"):
        ours[part] = {
            f"{key}{HOSTILE * (part != 'environment')}": v for key, v in ours[part].items()
        }
    path = tmp_path / "hostile.json"
    path.write_text(json.dumps(contents))
    saved = results.read(path)
    found = texts_in([saved.made, saved.commit, saved.machine, asdict(saved.run)])
    assert len(found) > 50
    assert [text for text in found if not text.isprintable() or "ghp_" in text] == []


def test_nor_is_what_a_damaged_file_is_quoted_with(of) -> None:
    contents = as_json(run())
    contents["keptalive"]["trials"][0]["witnesses"] = {HOSTILE: 1}
    said = of(json.dumps(contents))
    assert said.isprintable()
    assert "ghp_" not in said
