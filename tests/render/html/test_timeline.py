"""The columns that a page draws: every connection and request, in microseconds and few bytes."""

from __future__ import annotations

from dataclasses import replace

from tests.timelines import connection, exchanges, timeline

from keptalive.render.html.timeline import data


def test_each_connection_has_its_route_times_cause_and_end():
    drawn = data(timeline())
    columns = drawn["connections"]
    assert [route["name"] for route in drawn["routes"]] == [
        "https://api.example.com",
        "https://cdn.example.com",
    ]
    assert columns["id"] == [1, 2, 3]
    assert columns["route"] == [0, 0, 1]
    assert columns["attempted"] == [0, 5_000_000, None]
    assert columns["connected"] == [100_000, 5_100_000, None]
    assert columns["ended"] == [5_000_000, None, None]
    assert columns["phases"] == [[10_000, 20_000, 0, 30_000, 40_000]] * 2 + [[]]
    assert [drawn["causes"][one] for one in columns["cause"][:2]] == ["first-use", "idle-timeout"]
    assert columns["cause"][2] is None
    assert [drawn["places"][one] for one in columns["where"][:2]] == ["sync.py:3", "sync.py:9"]


def test_the_end_of_a_connection_is_named_by_the_cause_of_the_one_that_replaces_it():
    drawn = data(timeline())
    assert drawn["ends"] == ["idle-timeout"]
    assert drawn["connections"]["end"] == [0, None, None]


def test_requests_are_columns_whose_starts_are_differences():
    drawn = data(timeline())["exchanges"]
    assert drawn["connection"] == [0, 2, 0, 2, 1, 1]
    assert drawn["started"] == [0, 500_000, 500_000, 0, 3_900_000, 1_100_000]
    assert drawn["head"] == [300_000, 100_000, 500_000, 100_000, 500_000, None]
    assert drawn["released"] == [400_000, 200_000, 1_000_000, 100_000, 600_000, 1_000_000]
    assert [drawn["paths"][one] for one in drawn["path"]] == [
        "GET /user",
        "GET /logo",
        "GET /repos?page",
        "GET /logo",
        "POST /user",
        "GET /user",
    ]
    assert drawn["status"] == [200, 304, 200, 304, 201, None]


def test_requests_on_connections_that_the_report_left_out_are_counted_as_missing():
    report = replace(timeline(), connections=(connection(2, 5.0),))
    drawn = data(report)["exchanges"]
    assert drawn["connection"] == [0, 0]
    assert drawn["started"] == [4_900_000, 1_100_000]
    assert drawn["missing"] == 4


def test_without_a_timeline_there_are_no_requests():
    assert data(replace(timeline(), exchanges=None))["exchanges"] is None


def test_the_picture_lasts_until_the_last_thing_in_it():
    late = exchanges((1, 11.0, 11.5, 12.0, "GET", "/", 200, 7, None))
    assert data(replace(timeline(), exchanges=late))["seconds"] == 12.0


def test_a_route_says_how_many_connections_would_be_enough():
    assert data(timeline())["routes"][0] == {
        "name": "https://api.example.com",
        "opened": 2,
        "enough": 1,
    }
