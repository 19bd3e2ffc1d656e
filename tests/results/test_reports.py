"""Reports come back from their JSON as they were; whatever else a file is, one line says so."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests import schema
from tests.hostile.words import HOSTILE, faults_in
from tests.reports import host, whole

from keptalive import redaction
from keptalive.errors import UsageError
from keptalive.records.plain import as_plain, with_texts
from keptalive.records.report import SCHEMA, Report
from keptalive.results import either, reports

NEXT = "Next: name a report that keptalive run --json FILE made."
EITHER = "Next: name a result of keptalive bench, or a report of keptalive run --json."


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        either.read(path)
    said = str(caught.value)
    assert "\n" not in said
    return said.replace(str(path), "FILE")


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[str | bytes | dict], str]:
    """The sentence with which a file of these contents is refused."""

    def said(contents: str | bytes | dict) -> str:
        path = tmp_path / "file.json"
        text = json.dumps(contents) if isinstance(contents, dict) else contents
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return refusal(path)

    return said


def damaged(change: Callable[[dict], Any]) -> dict:
    """A whole report's JSON, with this done to it."""
    report = json.loads(reports.to_json(whole()))
    change(report)
    return report


# -- There and back ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "report", [whole(), Report(source="watch"), Report(source="log", hosts=(host("http://a:80"),))]
)
def test_a_report_comes_back_as_it_was(tmp_path, report):
    path = tmp_path / "report.json"
    path.write_text(reports.to_json(report))
    assert either.read(path) == report


def test_a_report_may_come_through_a_pipe():
    reading, writing = os.pipe()
    os.write(writing, reports.to_json(whole()).encode())
    os.close(writing)
    try:
        assert either.read(Path(f"/dev/fd/{reading}")) == whole()
    finally:
        os.close(reading)


def test_the_json_is_valid_by_the_published_schema_and_has_every_key():
    assert json.loads(reports.to_json(whole())) == reports.as_dict(whole()) == as_plain(whole())
    schema.validate(reports.as_dict(whole()))
    schema.validate(reports.as_dict(Report(source="bench")))


def test_keys_of_a_later_keptalive_with_the_same_schema_are_passed_over(tmp_path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(damaged(lambda report: report.update(more=1))))
    assert either.read(path) == whole()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have_is_not_written(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        reports.to_json(Report(source="watch", seconds=number))


# -- The schema ----------------------------------------------------------------------------------


def test_the_published_schema_is_what_the_types_give():
    assert schema.FILE.read_text(encoding="utf-8") == schema.text(), (
        f"Regenerate docs/report.schema.json: {schema.COMMAND}"
    )


def test_the_schema_is_one_and_describes_itself():
    made = reports.schema()
    jsonschema.Draft202012Validator.check_schema(made)
    report = made["$defs"]["Report"]
    assert made["title"] == "A report of keptalive run, watch or explain"
    assert report["description"].startswith("Everything that was found out")
    assert report["properties"]["schema"] == {"const": SCHEMA}
    route = made["$defs"]["HostReport"]["properties"]
    assert route["perfect"]["description"].startswith("how many connections perfect reuse")
    assert route["opened"]["description"] == "connections on which a response came."
    for name, definition in made["$defs"].items():
        assert definition["description"], name
        assert definition["required"] == [*definition["properties"]], name


@pytest.mark.parametrize(
    "change",
    [
        lambda report: report.update(schema=2),
        lambda report: report.update(more=1),
        lambda report: report.pop("places"),
        lambda report: report.update(source="probe"),
        lambda report: report["hosts"][0].update(opened="3"),
        lambda report: report["hosts"][0]["causes"][0].update(members="idle-timeout"),
        lambda report: report["connections"][0].update(end={"idle_s": 1.0}),
        lambda report: report["exchanges"]["status"].append("200"),
    ],
)
def test_validation_notices_a_report_that_is_not_one(change):
    with pytest.raises((jsonschema.ValidationError, AssertionError)):
        schema.validate(damaged(change))


# -- Other files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ("", f"FILE is not a result: it is empty. {EITHER}"),
        (" \n", f"FILE is not a result: it is empty. {EITHER}"),
        (b"\x89PNG\xff\x00", "The result FILE cannot be read: it is not text."),
        ("hello", f"FILE is not a result: it is not JSON (line 1: Expecting value). {EITHER}"),
        ("[1, 2]", f"FILE is other JSON, not a result of keptalive. {EITHER}"),
        ("7", f"FILE is other JSON, not a result of keptalive. {EITHER}"),
        ('{"schema": 1}', f"FILE is other JSON, not a result of keptalive. {EITHER}"),
        ('{"keptalive": {}}', f"FILE is other JSON, not a result of keptalive. {EITHER}"),
        ('{"schema": 1,\n"source": "ru', f"The report FILE is cut off in line 2. {EITHER}"),
        ('{"source": "a long text', f"The result FILE is cut off in line 1. {EITHER}"),
        ('{"schema": 1, "seconds": tru', f"The report FILE is cut off in line 1. {EITHER}"),
        ("[" * 100_000, f"The result FILE is damaged: it is nested too deeply. {EITHER}"),
        (
            '{"schema": 1, "schema": 1}',
            f"The report FILE is damaged: it has 'schema' twice in one object. {EITHER}",
        ),
        (
            '{"schema": 1, "source": "run", "seconds": NaN}',
            f"The report FILE is damaged: it has NaN, which is no number of JSON's. {EITHER}",
        ),
    ],
)
def test_a_file_that_is_no_report_is_refused_in_a_line(refused, contents, said):
    assert refused(contents) == said


def test_a_file_that_is_not_there_or_has_no_end_is_refused_in_a_line(tmp_path):
    assert refusal(tmp_path / "none") == f"There is no result FILE. {EITHER}"
    assert refusal(Path(os.devnull)) == f"The result FILE is a device, not a file. {EITHER}"
    assert refusal(tmp_path) == "The result FILE cannot be read: Is a directory."


def test_a_file_is_read_up_to_a_limit(refused, monkeypatch):
    monkeypatch.setattr(either, "LARGEST_REPORT", 100)
    assert refused(reports.to_json(whole())).startswith("The report FILE has ")


@pytest.mark.parametrize("number", [0, -1, True, "1", None, 1.0])
def test_a_schema_that_is_no_number_is_damage(refused, number):
    said = refused(damaged(lambda report: report.update(schema=number)))
    assert said == f"The report FILE is damaged: its schema is {number!r}. {NEXT}"


def test_a_newer_schema_asks_for_a_newer_keptalive(refused):
    assert refused(damaged(lambda report: report.update(schema=SCHEMA + 1))) == (
        f"The report FILE has schema {SCHEMA + 1}; this keptalive reads up to {SCHEMA}. "
        "Next: a newer keptalive."
    )


def _set(*path: Any, to: Any) -> Callable[[dict], None]:
    def change(report: Any) -> None:
        for key in path[:-1]:
            report = report[key]
        report[path[-1]] = to

    return change


def _drop(*path: Any) -> Callable[[dict], None]:
    def change(report: Any) -> None:
        for key in path[:-1]:
            report = report[key]
        del report[path[-1]]

    return change


CAUSE = ("hosts", 0, "causes", 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("source", to="probe"), "Invalid enum value 'probe' - at `$.source`"),
        (_set("hosts", to={}), "Expected `array`, got `object` - at `$.hosts`"),
        (_set("hosts", 0, to=7), "Expected `object`, got `int` - at `$.hosts[0]`"),
        (_set("hosts", 0, "opened", to="3"), "Expected `int | null`, got `str`"),
        (_set("hosts", 0, "opened", to=True), "Expected `int | null`, got `bool`"),
        (_set("hosts", 0, "opened", to=1.5), "Expected `int | null`, got `float`"),
        (_set("hosts", 0, "opened", to=-1), "hosts[0].opened is -1"),
        (_set("hosts", 0, "opened", to=10**30), "hosts[0].opened is 10000"),
        (_set("hosts", 0, "seconds_opening", to=-0.5), "hosts[0].seconds_opening is -0.5"),
        (_set("hosts", 0, "seconds_opening", to=1e300), "hosts[0].seconds_opening is 1e+300"),
        (_set("hosts", 0, "phases", to={"tls": -1}), "hosts[0].phases.tls is -1"),
        (_set("hosts", 0, "perfect", to={"least": 2, "most": 1}), "perfect reuse of https://api"),
        (_set("hosts", 0, "perfect", to={"least": 2}), "Object missing required field `most`"),
        (_drop("hosts", 0, "host"), "Object missing required field `host`"),
        (_set(*CAUSE, "count", to=None), "Expected `int`, got `null`"),
        (_set(*CAUSE, "members", to=[]), "a cause of https://api.github.com:443 has no members"),
        (_set("connections", 0, "served", to=-1), "connections[0].served is -1"),
        (_set("connections", 0, "end", to=[]), "Expected `object | null`, got `array`"),
        (_set("exchanges", "status", to=[200]), "the columns of its exchanges are not of one"),
        (_set("exchanges", "where", to=[1, None]), "an exchange is from a place that it does not"),
        (_set("exchanges", "where", to=[-1, None]), "an exchange is from a place that it does no"),
        (_set("exchanges", "started_s", to=[0, -1]), "exchanges.started_s is -1"),
        (_set("exchanges", "status", to=[2**65, None]), "exchanges.status is 36893"),
        (_set("seconds", to=1e308), "seconds is 1e+308"),
        (_set("started_at", to="today"), "started_at is 'today'"),
        (_set("started_at", to="9999-12-31T23:59:59+00:00"), "started_at is '9999-12-31T23:59"),
        (_set("warnings", to="none"), "Expected `array`, got `str` - at `$.warnings`"),
        (_set("warnings", 0, to=7), "Expected `str`, got `int` - at `$.warnings[0]`"),
        (_set("left_open", to="one"), "Expected `int | null`, got `str` - at `$.left_open`"),
    ],
)
def test_a_value_that_no_report_has_is_damage_and_the_line_says_where(refused, change, said):
    line = refused(damaged(change))
    assert line.startswith(f"The report FILE is damaged: {said}")
    assert line.endswith(f" {NEXT}")


def test_numbers_of_facts_may_be_anything(tmp_path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(damaged(_set(*CAUSE, "facts", to={"change": -1}))))
    assert either.read(path).hosts[0].causes[0].facts == {"change": -1}


# -- Strangers' texts ----------------------------------------------------------------------------

SECRET = "f1e2d3c4b5a6"


@pytest.fixture
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction.IN_USE, "_patterns", {})
    redaction.IN_USE.add(SECRET)


def texts_in(value: Any) -> list[str]:
    """Every text of a plain value, keys too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for inner in pair for text in texts_in(inner)]
    return [text for inner in value for text in texts_in(inner)] if isinstance(value, list) else []


def with_hostile_texts(report: Report) -> Report:
    return replace(
        with_texts(report, lambda text: f"{text} {HOSTILE} token={SECRET}"), source=report.source
    )


@pytest.mark.usefixtures("_secret")
def test_no_text_of_a_file_is_obeyed_by_a_terminal_or_a_ci(tmp_path):
    path = tmp_path / "report.json"
    plain = as_plain(with_hostile_texts(whole()))
    path.write_text(json.dumps({**plain, "started_at": whole().started_at}))
    texts = texts_in(as_plain(either.read(path)))
    assert len(texts) > 50
    assert [text for text in texts if "\n" in text or SECRET in text] == []
    assert faults_in("\n".join(texts).encode()) == []


@pytest.mark.usefixtures("_secret")
def test_what_is_written_has_no_secret_and_nothing_to_obey():
    text = reports.to_json(with_hostile_texts(whole()))
    assert SECRET not in text
    assert faults_in(text.encode()) == []


@pytest.mark.usefixtures("_secret")
@pytest.mark.parametrize(
    "contents",
    [
        {**as_plain(whole()), "schema": f"{SECRET} {HOSTILE}"},
        {**as_plain(whole()), "source": f"{SECRET} {HOSTILE}"},
        f'{{"{SECRET} ##[error]": 1, "{SECRET} ##[error]": 2}}',
    ],
    ids=["schema", "source", "key"],
)
def test_what_a_damaged_file_is_quoted_with_is_harmless(refused, contents):
    said = refused(contents)
    assert "[hidden]" in said
    assert SECRET not in said
    assert faults_in(said.encode()) == []
