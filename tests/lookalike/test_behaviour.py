from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keptalive.errors import UsageError
from keptalive.lookalike.behaviour import (
    ANNOUNCED,
    DROPPED,
    HTTP_1_0,
    KEPT,
    REFUSED,
    REQUEST_TIMEOUT,
    SCENARIOS,
    STRAYED,
    TRUNCATED,
    Ending,
    IdleEnd,
    Scenario,
    Treatment,
    on_request,
    parse_scenario,
    when_idle,
)


@pytest.mark.parametrize(
    ("text", "scenario"),
    [
        ("keep-alive", Scenario(name="keep-alive")),
        ("idle-timeout=60", Scenario(name="idle-timeout", number=60)),
        ("idle-timeout=0.25", Scenario(name="idle-timeout", number=0.25)),
        ("idle-timeout", Scenario(name="idle-timeout", number=5)),
        ("stale", Scenario(name="stale", number=1)),
        (" request-limit=3 ", Scenario(name="request-limit", number=3)),
    ],
)
def test_a_scenario_is_read_from_its_name_and_number(text, scenario):
    assert parse_scenario(text) == scenario


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("keepalive", "unknown scenario 'keepalive': choose one of keep-alive, close-announced"),
        ("", "unknown scenario ''"),
        ("keep-alive=3", "scenario keep-alive takes no number"),
        ("request-limit=2.5", "needs a positive whole number (requests on one connection)"),
        ("request-limit=0", "needs a positive whole number"),
        ("idle-timeout=-1", "needs a positive number (idle seconds after a response)"),
        ("idle-timeout=nan", "needs a positive number"),
        ("idle-timeout=inf", "needs a positive number"),
        ("idle-timeout=", "not ''"),
        ("idle-timeout=soon", "not 'soon'"),
    ],
)
def test_text_that_is_no_scenario_is_refused_in_one_line(text, complaint):
    with pytest.raises(UsageError) as refusal:
        parse_scenario(text)
    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_of_the_table_reads_back_as_it_is_written(name):
    scenario = parse_scenario(name)
    assert parse_scenario(str(scenario)) == scenario


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_a_number_survives_writing_and_reading(number):
    scenario = Scenario(name="idle-timeout", number=number)
    assert parse_scenario(str(scenario)) == scenario


def test_a_whole_number_is_written_without_a_point():
    assert str(Scenario(name="idle-timeout", number=60.0)) == "idle-timeout=60"


def test_every_scenario_with_a_number_says_what_it_means_and_has_a_default():
    for kind in SCENARIOS.values():
        assert (kind.number_means is None) == (kind.default is None)
        assert kind.meaning.endswith(".")


def treatments(text: str, *, connections: list[int]) -> list[list[Treatment]]:
    """Treat so many requests on each connection, one connection after the other."""
    scenario, of_listener, treated = parse_scenario(text), 0, []
    for requests in connections:
        treated.append([])
        for of_connection in range(1, requests + 1):
            of_listener += 1
            treated[-1].append(
                on_request(scenario, of_connection=of_connection, of_listener=of_listener)
            )
    return treated


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("keep-alive", [[KEPT, KEPT, KEPT], [KEPT]]),
        ("close-announced", [[ANNOUNCED, ANNOUNCED, ANNOUNCED], [ANNOUNCED]]),
        ("http-1.0", [[HTTP_1_0, HTTP_1_0, HTTP_1_0], [HTTP_1_0]]),
        ("request-limit=3", [[KEPT, KEPT, DROPPED], [KEPT]]),
        ("request-limit-announced=3", [[KEPT, KEPT, ANNOUNCED], [KEPT]]),
        ("idle-timeout", [[KEPT, KEPT, KEPT], [KEPT]]),
        ("idle-reset", [[KEPT, KEPT, KEPT], [KEPT]]),
        ("timeout-408", [[KEPT, KEPT, KEPT], [KEPT]]),
        ("stray-bytes", [[STRAYED, STRAYED, STRAYED], [STRAYED]]),
        ("stray-bytes=2", [[KEPT, STRAYED, KEPT], [KEPT]]),
        ("stale=2", [[KEPT, KEPT, REFUSED], [KEPT]]),
        ("truncated-body=2", [[KEPT, TRUNCATED, KEPT], [TRUNCATED]]),
    ],
)
def test_each_scenario_treats_three_requests_and_then_one_more_on_another_connection(
    text, expected
):
    assert treatments(text, connections=[3, 1]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("idle-timeout=60", IdleEnd(after_s=60, farewell=b"", ending=Ending.CLOSE_NOTIFY)),
        ("idle-reset=60", IdleEnd(after_s=60, farewell=b"", ending=Ending.RESET)),
        (
            "timeout-408=60",
            IdleEnd(after_s=60, farewell=REQUEST_TIMEOUT, ending=Ending.CLOSE_NOTIFY),
        ),
        ("keep-alive", None),
        ("stale", None),
    ],
)
def test_only_the_idle_scenarios_end_an_idle_connection(text, expected):
    assert when_idle(parse_scenario(text)) == expected
