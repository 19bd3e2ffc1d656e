"""HAR 1.2: what developer tools import, by the format's own rules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from tests.timelines import connection, exchanges, timeline

from keptalive.errors import UsageError
from keptalive.render.har import har

SCHEMA = json.loads((Path(__file__).parent / "har.schema.json").read_text())


def entries(report):
    made = har(report)
    jsonschema.validate(json.loads(json.dumps(made)), SCHEMA)
    return made["log"]["entries"]


def test_each_request_is_an_entry_with_its_connection_and_its_place_in_the_program():
    first, *_, last = entries(timeline())
    assert first["startedDateTime"] == "2026-11-24T12:00:00.000+00:00"
    assert first["request"]["url"] == "https://api.example.com/user"
    assert first["response"]["status"] == 200
    assert first["connection"] == "1"
    assert first["_initiator"] == {"type": "script", "url": "sync.py", "lineNumber": 2}
    assert (last["connection"], last["response"]["status"]) == ("2", 0)


def test_the_first_request_on_a_connection_has_the_time_of_opening_it():
    first = entries(timeline())[0]["timings"]
    assert first == {
        "blocked": -1,
        "dns": 10.0,
        "connect": 90.0,
        "ssl": 70.0,
        "send": 0,
        "wait": 200.0,
        "receive": 100.0,
    }


def test_a_request_on_a_kept_connection_has_none():
    kept = entries(timeline())[2]["timings"]
    assert (kept["dns"], kept["connect"], kept["ssl"]) == (-1, -1, -1)
    assert (kept["wait"], kept["receive"]) == (500.0, 500.0)


def test_what_a_request_waited_before_its_connection_was_opened_is_blocked():
    post = entries(timeline())[4]
    assert post["timings"]["blocked"] == pytest.approx(100.0)
    assert post["time"] == pytest.approx(600.0)


def test_an_attempt_that_began_before_the_request_took_it_is_part_of_the_request():
    report = replace(
        timeline(),
        connections=(connection(1, 0.9999),),
        exchanges=exchanges((1, 1.0, 1.3, 1.4, "GET", "/", 200, 7, None)),
    )
    (entry,) = entries(report)
    assert entry["startedDateTime"].endswith("12:00:00.999+00:00")
    assert entry["timings"]["connect"] == 90.0
    assert entry["time"] == pytest.approx(400.1, abs=0.01)


def test_the_timings_of_each_entry_add_up_to_its_time():
    for entry in entries(timeline()):
        added = [v for name, v in entry["timings"].items() if name != "ssl" and v > 0]
        assert entry["time"] == pytest.approx(sum(added), abs=0.001)


def test_a_query_has_names_and_no_values():
    assert entries(timeline())[2]["request"]["queryString"] == [{"name": "page", "value": ""}]


def test_a_unix_socket_has_a_url_of_the_usual_form():
    report = replace(
        timeline(),
        connections=(connection(1, 0.0, host="unix:/run/docker.sock"),),
        exchanges=exchanges((1, 0.0, 0.3, 0.4, "GET", "/info", 200, 7, None)),
    )
    (entry,) = entries(report)
    assert entry["request"]["url"] == "http+unix://%2Frun%2Fdocker.sock/info"


def test_a_report_without_a_timeline_is_refused():
    with pytest.raises(UsageError, match="Next: keptalive run --har FILE"):
        har(replace(timeline(), exchanges=None))


def test_haralyzer_reads_it():
    haralyzer = pytest.importorskip("haralyzer")
    parser = haralyzer.HarParser(har(timeline()))
    assert [entry.request.method for page in parser.pages for entry in page.entries].count(
        "POST"
    ) == 1
