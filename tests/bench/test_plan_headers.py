"""A plan's headers: what they may be, where their values come from, and that nothing shows them."""

from __future__ import annotations

import base64
import json

import pytest

from keptalive.bench.plan import Plan, with_values
from keptalive.bench.plan_headers import checked_headers, checked_token, resolved
from keptalive.bench.plan_requests import PlannedRequest
from keptalive.errors import UsageError
from keptalive.redaction import IN_USE

KEY = "the-value-of-my-key"


def plan_with(**values: object) -> Plan:
    return with_values(Plan(), values, source="It")


def refusal(**values: object) -> str:
    with pytest.raises(UsageError) as caught:
        plan_with(**values)
    return str(caught.value)


def test_a_value_comes_from_the_environment_or_stands_in_the_plan() -> None:
    headers = checked_headers({"X-Api-Key": "env:MY_KEY", "Accept": "a/b"})
    expected = [("X-Api-Key", KEY), ("Accept", "a/b")]
    assert expected == resolved(headers, {"MY_KEY": f" {KEY}\n"})


def test_a_value_from_the_environment_is_hidden_with_all_that_is_secret_in_it() -> None:
    basic = base64.b64encode(b"me:the-password-of-me").decode()
    environment = {"A": "Bearer abcdef-of-mine", "B": f"Basic {basic}", "C": "id=0123456789; x=y"}
    headers = checked_headers({name: f"env:{name}" for name in environment})
    resolved(headers, environment)
    for secret in ("abcdef-of-mine", basic, "the-password-of-me", "0123456789"):
        assert IN_USE.hide(f"It says {secret}.") == "It says [hidden]."


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_variable_that_is_not_set_is_refused_with_its_name(value: str | None) -> None:
    environment = {} if value is None else {"MY_KEY": value}
    with pytest.raises(UsageError) as caught:
        resolved(checked_headers({"X-Api-Key": "env:MY_KEY"}), environment)
    assert str(caught.value) == (
        "The plan's header X-Api-Key needs the variable MY_KEY, which is not set. "
        "Next: export MY_KEY=..."
    )


@pytest.mark.parametrize("value", ["two\nlines-of-it", "snow\u2603man-is-here", "x" * 4097])
def test_a_value_that_no_header_can_have_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(UsageError, match="The plan's header A: B holds") as caught:
        resolved(checked_headers({"A": "env:B"}), {"B": value})
    assert value not in str(caught.value)
    said = refusal(headers={"A": value})
    assert said.startswith("It: headers: A holds")
    assert value not in said


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ("x", 'headers must be a table, such as { "X-Api-Key" = "env:MY_KEY" }.'),
        ({"a b": "c"}, 'headers: "a b" is no name of a header.'),
        ({"A": 1}, 'headers: A must be a text, such as "env:MY_KEY".'),
        ({"A": "env:"}, 'headers: A must name one variable, such as "env:MY_KEY".'),
        ({"A": "env:X Y"}, 'headers: A must name one variable, such as "env:MY_KEY".'),
        ({"A": "b", "a": "c"}, "headers: A is there twice."),
        (
            {"Content-Length": "3"},
            "headers: Content-Length is set by the client itself. Next: leave it out.",
        ),
    ],
)
def test_headers_that_cannot_be_sent_are_refused_in_a_line(headers: object, said: str) -> None:
    assert f"It: {said}" == refusal(headers=headers)


def test_a_token_in_the_plan_itself_is_refused_and_not_shown() -> None:
    said = refusal(token=KEY)
    assert said == (
        'It: token must name the variable that holds it, such as "env:MY_TOKEN"; '
        "a plan holds no token."
    )
    assert checked_token("env:MY_TOKEN") == "env:MY_TOKEN"


# -- In a result file ----------------------------------------------------------------------------


def test_a_result_file_has_variables_and_no_value_of_a_secret_header() -> None:
    plan = plan_with(
        headers={"X-Api-Key": "env:MY_KEY", "Cookie": f"id={KEY}", "Accept": "a/b"},
        requests=[
            "/a",
            {"path": "/b", "json": {"password": KEY}, "headers": {"Authorization": KEY}},
        ],
    )
    kept = json.loads(json.dumps(plan.as_dict()))
    assert kept["headers"] == {"X-Api-Key": "env:MY_KEY", "Cookie": "[hidden]", "Accept": "a/b"}
    assert kept["requests"][0] == "/a"
    assert kept["requests"][1]["headers"]["Authorization"] == "[hidden]"
    assert kept["requests"][1]["body"].startswith("35 bytes, SHA-256 ")
    assert KEY not in json.dumps(kept) + repr(plan)


def test_what_a_field_of_a_body_holds_is_hidden_if_its_name_is_that_of_a_secret() -> None:
    plan_with(
        requests=[
            {"path": "/", "json": {"users": [{"name": "somebody", "password": "xyzzy-xyzzy"}]}},
            {"path": "/", "body": "grant_type=password&client_secret=abracadabra"},
        ]
    )
    said = "somebody with xyzzy-xyzzy or abracadabra"
    assert IN_USE.hide(said) == "somebody with [hidden] or [hidden]"


def test_plans_with_other_bodies_are_other_plans() -> None:
    one, other = ({"path": "/a", "body": text} for text in ("x", "y"))
    assert plan_with(requests=[one]).as_dict() != plan_with(requests=[other]).as_dict()


# -- Requests ------------------------------------------------------------------------------------


def test_a_request_is_a_path_or_a_table() -> None:
    plan = plan_with(
        requests=[
            "/a",
            {"path": "/b"},
            {"path": "/c", "method": "put", "body": "é"},
            {"path": "/d", "json": [1, None]},
            {"path": "/e", "json": {}, "headers": {"content-type": "a/json"}},
        ]
    )
    as_json = checked_headers({"Content-Type": "application/json"})
    own = checked_headers({"content-type": "a/json"})
    assert plan.distinct == (
        PlannedRequest(path="/a"),
        PlannedRequest(path="/b"),
        PlannedRequest(path="/c", method="PUT", body="é".encode()),
        PlannedRequest(path="/d", method="POST", body=b"[1, null]", headers=as_json),
        PlannedRequest(path="/e", method="POST", body=b"{}", headers=own),
    )


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (1, 'int must be a path such as "/user?per_page=1", or a table'),
        ("a", "'a' must be a path such as"),
        ({"method": "GET"}, 'has no path. Next: path = "/search".'),
        ({"pth": "/"}, 'has an unknown key "pth". Did you mean "path"?'),
        ({"path": "/", "method": "PSOT"}, "method = 'PSOT' must be one of \"GET\", "),
        ({"path": "/", "method": [1]}, 'method = [1] must be one of "GET", '),
        ({"path": "/", "json": 1, "body": ""}, "has json and body. Next: leave one out."),
        ({"path": "/", "json": float("nan")}, "json must be what JSON can hold."),
        ({"path": "/", "body": {"secret": KEY}}, "body must be a text. Next: json = ..."),
        ({"path": "/", "headers": {"A": 1}}, "headers: A must be a text"),
    ],
)
def test_a_request_that_cannot_be_sent_is_refused_in_a_line_with_its_place(
    request_: object, said: str
) -> None:
    refused = refusal(requests=["/", request_])
    assert refused.startswith("It: request 2")
    assert said in refused
    assert KEY not in refused
    assert "\n" not in refused


# -- Keys that would do nothing ------------------------------------------------------------------

OTHER = {"target": "https://h.example"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {**OTHER, "scenarios": ["keep-alive"]},
            'scenarios is for target = "lookalike" alone. Next: leave it out.',
        ),
        (
            {**OTHER, "rtt_ms": 1},
            'rtt_ms is for target = "lookalike" alone. Next: leave it out.',
        ),
        (
            {"target": "lookalike", "token": "env:T"},
            'token is for other targets than "lookalike", which has its own. Next: leave it out.',
        ),
        (
            {**OTHER, "token": "env:T", "auth": "none"},
            'token is not sent with auth = "none". Next: leave one out.',
        ),
        (
            {**OTHER, "token": "env:T", "headers": {"authorization": "env:A"}},
            "headers has Authorization, and token would replace it. Next: leave one out.",
        ),
        (
            {"strategies": ["session"], "pool": {"threads": 2}},
            '[pool] is for the strategy "tuned", which the plan does not have.',
        ),
    ],
)
def test_a_key_that_would_do_nothing_is_refused_in_a_line(
    values: dict[str, object], said: str
) -> None:
    assert f"It: {said}" == refusal(**values)


def test_a_plan_that_names_no_target_serves_the_look_alike_and_others() -> None:
    plan = plan_with(scenarios=["keep-alive"], token="env:T")
    assert with_values(plan, OTHER, source=None).target == "https://h.example"


# -- [retry] and [pool] --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"retry": 1}, "retry must be a table: [retry] on a line of its own."),
        ({"retry": {"totl": 1}}, 'retry has an unknown key "totl". Did you mean "total"?'),
        ({"retry": {"total": -1}}, "retry: total = -1 must be a whole number, 0 or more."),
        (
            {"retry": {"status_forcelist": [7]}},
            "retry: status_forcelist = [7] must be a list of status codes such as [502, 503].",
        ),
        (
            {"retry": {"respect_retry_after_header": 1}},
            "retry: respect_retry_after_header = 1 must be true or false.",
        ),
        (
            {"pool": {"max_idle": "ever"}},
            'pool: max_idle = \'ever\' must be a number, 0.001 or more, "learn" or "never".',
        ),
    ],
)
def test_settings_that_a_tuned_session_cannot_have_are_refused(
    values: dict[str, object], said: str
) -> None:
    assert f"It: {said}" == refusal(**values)
