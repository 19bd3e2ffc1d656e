"""Result files come back as they were; whatever else a file is gets one line that says so."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pytest
from tests.runs import run, trace, usual

from keptalive import results
from keptalive.errors import UsageError
from keptalive.records.run import Run

NEXT = "Next: name a result of keptalive bench, or a report of keptalive run --json."
OTHER = (
    f"this keptalive reads {results.SCHEMA}. "
    "Next: read it with the keptalive that made it, or run keptalive bench again."
)


def as_json(made: Run) -> dict:
    return json.loads(json.dumps(results.document(made)))


@cache
def _usual_text() -> str:
    return json.dumps(results.document(run()))


def usual_result() -> dict:
    """The result of a usual run; to write one asks the machine and git, which takes a while."""
    return json.loads(_usual_text())


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

    def said_of(contents: str | bytes) -> str:
        path = tmp_path / "file.json"
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return refusal(path)

    return said_of


def test_what_was_saved_is_read_back_as_it_was(tmp_path: Path) -> None:
    made = run(ended="budget", traces=(trace("session", first_use=1),))
    saved = results.read(results.save(results.document(made), tmp_path))
    assert as_json(made)["keptalive"] == as_json(saved.run)["keptalive"]
    assert (saved.run.trials, saved.run.summary) == (made.trials, made.summary)
    assert (saved.run.strategies, saved.run.traces) == (made.strategies, made.traces)


def test_counts_that_are_unknown_come_back_unknown(tmp_path: Path) -> None:
    made = run(usual(reused=None, reopened=None, unanswered=None, in_flight=None))
    saved = results.read(results.save(results.document(made), tmp_path))
    assert saved.run.trials == made.trials
    assert saved.run.trials[1].counts.attempts is None


def test_outside_of_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    contents = {**usual_result(), "commit_info": {"id": "unversioned"}}
    assert results.read(results.save(contents, tmp_path)).commit is None


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ("", f"FILE is not a result: it is empty. {NEXT}"),
        (" \n", f"FILE is not a result: it is empty. {NEXT}"),
        (b"\x89PNG\xff\x00", "The result FILE cannot be read: it is not text."),
        ("hello", f"FILE is not a result: it is not JSON (line 1: Expecting value). {NEXT}"),
        (
            "[1, 2]",
            f"FILE is other JSON, not a result of keptalive. {NEXT}",
        ),
        (
            '{"machine_info": {}, "benchmarks": []}',
            (
                "FILE is a pytest-benchmark file without keptalive's part, not a result of "
                f"keptalive. {NEXT}"
            ),
        ),
        (
            '{"keptalive": 7}',
            f"FILE is other JSON, not a result of keptalive. {NEXT}",
        ),
        ('{"keptalive": {"schema": "1"}}', f"The result FILE has schema '1'; {OTHER}"),
        ('{"keptalive": {"schema": true}}', f"The result FILE has schema True; {OTHER}"),
        (
            '{"keptalive": {"schema": 99}}',
            f"The result FILE has schema 99; {OTHER}",
        ),
        (
            '{"keptalive": {"schema": 1}}',
            f"The result FILE is damaged: there is no plan. {NEXT}",
        ),
        (
            "[" * 100_000,
            (f"The result FILE is damaged: it is nested too deeply. {NEXT}"),
        ),
        (
            '{"a": NaN}',
            (f"The result FILE is damaged: it has NaN, which is no number of JSON's. {NEXT}"),
        ),
        (
            '{"a": 1, "b": {"a": 2, "\\u0061": 3}}',
            (f"The result FILE is damaged: it has 'a' twice in one object. {NEXT}"),
        ),
        (
            f'{{"a": {"9" * 5000}}}',
            (f"The result FILE is damaged: it has a number of 5000 digits. {NEXT}"),
        ),
        (
            '{"a": 1e999}',
            (f"The result FILE is damaged: it has a number too large: 1e999. {NEXT}"),
        ),
    ],
)
def test_what_is_no_result_is_refused_in_a_line(of, contents: str | bytes, said: str) -> None:
    assert said == of(contents)


@pytest.mark.parametrize("depth", [300, 600, 900, 1500, 100_000])
def test_json_of_any_depth_is_refused_in_a_line(of, depth: int) -> None:
    said = of("[" * depth + "]" * depth)
    assert said.startswith(("FILE is other JSON", "The result FILE is damaged: it is nested too"))


def test_a_file_that_was_cut_off_anywhere_is_refused_in_a_line(of) -> None:
    whole = json.dumps(usual_result(), indent=1)
    for end in range(2, len(whole), 97):
        said = of(whole[:end])
        assert said.startswith("The result FILE is cut off in line "), (end, said)


def test_a_folder_a_device_and_nothing_are_refused_in_a_line(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "The result FILE cannot be read: Is a directory."
    assert refusal(Path(os.devnull)) == f"The result FILE is a device, not a file. {NEXT}"
    assert refusal(tmp_path / "none") == f"There is no result FILE. {NEXT}"


MISSING = object()


def put(contents: dict, path: str, value: object) -> None:
    """Put a value at this path, or take away what is there."""
    *parents, last = path.split(".")
    for key in parents:
        contents = contents[int(key) if key.lstrip("-").isdigit() else key]
    if value is MISSING:
        del contents[last]
    else:
        contents[last] = value


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("trials.17.seconds", 0, "trials[17].seconds: 0.0 is out of range"),
        ("trials.17.seconds", -1, "trials[17].seconds: -1.0 is out of range"),
        ("trials.17.seconds", 5e-324, "trials[17].seconds: 5e-324 is out of range"),
        ("trials.17.seconds", 1e308, "trials[17].seconds: 1e+308 is out of range"),
        ("trials.17.seconds", "fast", "trials[17].seconds: expected a number, got text"),
        ("trials.17.seconds", None, "trials[17].seconds: expected a number, got null"),
        ("trials.17.cpu_seconds", -1, "trials[17].cpu_seconds: -1.0 is out of range"),
        ("trials.17.counts.opened", -1, "trials[17].counts.opened: -1 is out of range"),
        (
            "trials.17.counts.opened",
            10**39,
            f"trials[17].counts.opened: {10**39} is out of range",
        ),
        (
            "trials.17.counts.opened",
            1.5,
            "trials[17].counts.opened: expected a whole number or null, got a number",
        ),
        (
            "trials.17.counts.opened",
            True,
            "trials[17].counts.opened: expected a whole number or null, got true or false",
        ),
        ("trials.17.witnesses", {"pool_log": 1}, "trials[17].witnesses: there is no sockets"),
        ("trials.17.witnesses", None, "trials[17].witnesses: expected an object, got null"),
        (
            "trials.17.request_seconds",
            7,
            "trials[17].request_seconds: expected a list, got a whole",
        ),
        (
            "trials.17.request_seconds",
            [],
            "trials[17].request_seconds (how many): 0 is out of range",
        ),
        ("trials.17.request_seconds", [-1.0], "trials[17].request_seconds: -1.0 is out of range"),
        (
            "trials.17.request_seconds",
            ["x"],
            "trials[17].request_seconds[0]: expected a number, got",
        ),
        ("trials.17.strategy", "never", "trials[17]: its strategy is none of the strategies"),
        ("trials.17.phases", 3, "trials[17].phases: expected an object, got a whole number"),
        ("trials.17.round", "first", "trials[17].round: expected a whole number, got text"),
        ("trials.17.counts.errors", {"X": 0}, "trials[17].counts.errors.X: 0 is out of range"),
        (
            "trials.17.counts.errors",
            ["X"],
            "trials[17].counts.errors: expected an object, got a list",
        ),
        ("trials.17.cpu_seconds", MISSING, "trials[17]: there is no cpu_seconds"),
        ("summary.1.rounds", 0, "summary[1].rounds: 0 is out of range"),
        ("summary.1.speedup.low", -2.0, "summary[1].speedup: -2.0 is out of range"),
        ("summary.1.strategy", "fresh", "summary: it is not that of the trials"),
        ("disagreements", "abc", "disagreements: expected a list, got text"),
        ("ended", 7, "ended: expected text, got a whole number"),
        ("strategies.session.label", None, "strategies[...].label: expected text, got null"),
        ("traces", [{}], "traces[0]: there is no scenario"),
    ],
)
def test_a_damaged_part_is_named_with_what_is_wrong(
    of, path: str, value: object, said: str
) -> None:
    contents = usual_result()
    put(contents["keptalive"], path, value)
    line = of(json.dumps(contents))
    assert line.startswith(f"The result FILE is damaged: {said}")
    assert line.endswith(f". {NEXT}")


def test_a_date_that_is_no_text_is_refused(of) -> None:
    contents = usual_result() | {"datetime": None}
    assert of(json.dumps(contents)) == (
        f"The result FILE is damaged: datetime: expected text, got null. {NEXT}"
    )


@pytest.mark.parametrize("key", ["plan", "environment", "strategies", "trials", "summary", "ended"])
@pytest.mark.parametrize("value", [None, 7, "x", [1], [{}], {"a": 1}])
def test_a_part_that_is_something_else_is_refused_or_makes_no_difference(
    tmp_path: Path, key: str, value: object
) -> None:
    contents = usual_result()
    contents["keptalive"][key] = value
    path = tmp_path / "file.json"
    path.write_text(json.dumps(contents))
    if (key == "ended" and isinstance(value, str)) or (
        key in ("plan", "environment") and isinstance(value, dict)
    ):
        assert results.read(path)
    else:
        assert refusal(path).startswith("The result FILE is damaged: ")


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
    contents = usual_result()
    contents["keptalive"]["trials"][0]["witnesses"] = {HOSTILE: 1}
    said = of(json.dumps(contents))
    assert said.isprintable()
    assert "ghp_" not in said
