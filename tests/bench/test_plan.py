"""A plan is read as written, or refused in one line that says what is wrong and where."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keptalive.bench.gate import Limit
from keptalive.bench.plan import DEFAULT_BUDGET_S, Plan, gate_of, read_plan, with_values
from keptalive.bench.plan_checks import CHECKS
from keptalive.bench.plan_headers import Header
from keptalive.errors import UsageError
from keptalive.redaction import redact

EXAMPLE = Path(__file__).parents[2] / "bench" / "github.toml"


@pytest.fixture
def refusal(tmp_path):
    """The sentence with which a plan of this text is refused, the path in it being PLAN."""

    def refused(text: str) -> str:
        path = tmp_path / "plan.toml"
        path.write_text(text)
        with pytest.raises(UsageError) as caught:
            read_plan(path)
        assert caught.value.exit_code == 2
        return str(caught.value).replace(str(path), "PLAN")

    return refused


@pytest.mark.skipif(not EXAMPLE.exists(), reason="there is no such file")
def test_the_example_says_what_the_defaults_are():
    assert with_values(Plan(), {"budget_s": DEFAULT_BUDGET_S}, source="") == read_plan(EXAMPLE)


def test_an_empty_file_is_the_default_plan(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text("")
    assert Plan() == read_plan(path)


def test_every_key_of_the_plan_has_a_check():
    assert set(Plan().as_dict()) == set(CHECKS)


def test_every_key_that_is_set_replaces_its_default(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(
        'requests = ["/a?b=c"]\nrepeats = 2\nthreads = 8\nbursts = true\n'
        'strategies = ["tuned"]\nrounds = 7\nbudget_s = 1\n'
        'scenarios = ["close-announced"]\nrtt_ms = 5\nauth = "none"\ncompare = "status"\n'
        'headers = { Accept = "a/b" }\nretry = { total = 1 }\npool = { max_idle = "never" }\n'
    )
    assert Plan(
        requests=("/a?b=c",),
        repeats=2,
        threads=8,
        bursts=True,
        strategies=("tuned",),
        rounds=7,
        budget_s=1.0,
        scenarios=("close-announced",),
        rtt_ms=5.0,
        headers=(Header(name="Accept", value="a/b"),),
        auth="none",
        compare="status",
        retry=(("total", 1),),
        pool=(("max_idle", None),),
    ) == read_plan(path)


def test_a_trial_asks_for_the_requests_as_often_as_they_repeat():
    plan = Plan(requests=("/a", "/b"), repeats=2)
    assert [str(request) for request in plan.targets] == ["GET /a", "GET /b"] * 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("repeat = 2", 'The plan PLAN has an unknown key "repeat". Did you mean "repeats"?'),
        (
            "strategy = []",
            'The plan PLAN has an unknown key "strategy". Did you mean "strategies"?',
        ),
        ("qqq = 1", f'The plan PLAN has an unknown key "qqq". Known are: {", ".join(CHECKS)}.'),
        ('repeats = "2"', "The plan PLAN: repeats = '2' must be a whole number, 1 or more."),
        ("repeats = 0", "The plan PLAN: repeats = 0 must be a whole number, 1 or more."),
        ("threads = 0", "The plan PLAN: threads = 0 must be a whole number, 1 or more."),
        (
            "threads = 1001",
            "The plan PLAN: threads = 1001 must be a whole number, 1 or more, and at most 1000.",
        ),
        ("bursts = 1", "The plan PLAN: bursts = 1 must be true or false."),
        (
            "bursts = true",
            "The plan PLAN: bursts are of several threads. Next: threads = 8, or leave it out.",
        ),
        (
            'target = "github"\nthreads = 2',
            (
                "The plan PLAN: threads = 2: GitHub asks for one request after another. Next: "
                'target = "lookalike", which imitates it, or leave threads out.'
            ),
        ),
        (
            "threads = 1000\nrepeats = 400",
            (
                "The plan PLAN: repeats: 1200000 requests in a run; at most 1000000 can be made. "
                "Next: fewer repeats or threads."
            ),
        ),
        ("repeats = 1.5", "The plan PLAN: repeats = 1.5 must be a whole number, 1 or more."),
        ("rounds = true", "The plan PLAN: rounds = True must be a whole number, 1 or more."),
        ("budget_s = nan", "The plan PLAN: budget_s = nan must be a number, 0.1 or more."),
        ("rtt_ms = -1", "The plan PLAN: rtt_ms = -1 must be a number, 0 or more."),
        ("requests = []", "The plan PLAN: requests = [] must be a list with at least one entry."),
        (
            'requests = "/a"',
            "The plan PLAN: requests = '/a' must be a list with at least one entry.",
        ),
        (
            'requests = ["a"]',
            (
                "The plan PLAN: request 1: 'a' must be a path such as \"/user?per_page=1\", "
                'or a table such as { method = "POST", path = "/search" }.'
            ),
        ),
        (
            'strategies = ["tuned", "tuned"]',
            "The plan PLAN: strategies = ['tuned', 'tuned'] must be a list without repetitions.",
        ),
        ('auth = "b"', 'The plan PLAN: auth = \'b\' must be one of "bearer", "basic", "none".'),
        ("auth = [1]", 'The plan PLAN: auth = [1] must be one of "bearer", "basic", "none".'),
        (
            'target = "https://h?x"',
            "The plan PLAN: target = 'https://h?x' must be a base URL, with no ? or # in it.",
        ),
    ],
)
def test_what_no_plan_has_is_refused_in_one_line(refusal, text, expected):
    assert expected == refusal(text)


@pytest.mark.parametrize(
    "target",
    ["", "h.example", "ftp://h", "https://", "https://h:99999", "http://[::1", "http://h:0"],
)
def test_a_target_that_is_no_url_is_refused_with_what_it_may_be(refusal, target):
    expected = (
        f'The plan PLAN: target = {target!r} must be "lookalike", "github", '
        'or a URL such as "https://ghe.example.com/api/v3".'
    )
    assert expected == refusal(f'target = "{target}"')


def test_a_url_with_a_password_is_refused_and_not_shown(refusal):
    said = redact(refusal('target = "https://me:s3cr3t@h.example"'))
    assert said == (
        "The plan PLAN: target = ... must be "
        "a URL without a user or password in it (see token and headers)."
    )


@pytest.mark.parametrize("scenarios", ['["keep-aliv"]', "[1]", '["idle-timeout=x"]'])
def test_a_scenario_that_there_is_not_is_refused_naming_the_key(refusal, scenarios):
    said = refusal(f"scenarios = {scenarios}")
    assert said.startswith("The plan PLAN: scenarios")
    assert "keep-alive" in said or "idle-timeout" in said
    assert "\n" not in said


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    path = tmp_path / "none.toml"
    with pytest.raises(UsageError) as caught:
        read_plan(path)
    assert f"There is no plan {path}. Next: name one, or leave it out." == str(caught.value)


def test_a_file_that_is_not_toml_is_one_line_that_says_where(refusal):
    said = refusal("repeats = 2\nrounds = what\n")
    assert re.fullmatch(r"The plan PLAN is not TOML: .+line 2.+\.", said)


def test_a_program_in_the_place_of_a_plan_gets_the_command_that_measures_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sync.py").write_text("import sys\n")
    with pytest.raises(
        UsageError, match=r"Next: .+ keptalive bench --program 'python sync\.py'\.$"
    ):
        read_plan(Path("sync.py"))


def test_a_folder_or_bytes_that_are_no_text_are_one_line(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_bytes(b"\xff\xfe")
    for unreadable, reason in [(tmp_path, "Is a directory"), (path, "it is not text")]:
        with pytest.raises(UsageError) as caught:
            read_plan(unreadable)
        assert f"The plan {unreadable} cannot be read: {reason}." == str(caught.value)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([[1], {}])


@given(st.sampled_from(sorted(CHECKS)), VALUES | st.lists(VALUES))
def test_whatever_a_value_is_it_is_taken_or_refused_as_wrong_usage(key, value):
    refused = ""
    try:
        with_values(Plan(), {key: value}, source="It")
    except UsageError as error:
        refused = str(error)
    assert refused == "" or refused.startswith(f"It: {key.removesuffix('s')}")


# -- The gate ------------------------------------------------------------------------------------


def test_one_gate_is_a_table_and_several_are_a_list(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('[gate]\nmax_opened = 1\nmin_reuse = "95 %"\n')
    assert (Limit(max_opened=1, min_reuse=0.95),) == read_plan(path).gate
    path.write_text(
        '[[gate]]\nscenario = "keep-alive"\nstrategy = "session"\nmin_speedup = 2\n'
        "[[gate]]\nmin_reuse = 0.5\n"
    )
    assert (
        Limit(scenario="keep-alive", strategy="session", min_speedup=2.0),
        Limit(min_reuse=0.5),
    ) == read_plan(path).gate


@pytest.mark.parametrize(
    ("written", "share"),
    [("0.95", 0.95), ('"95%"', 0.95), ('"0.5 %"', 0.005), ("1", 1.0), ("0", 0.0)],
)
def test_reuse_is_a_share_or_in_percent(tmp_path, written, share):
    path = tmp_path / "plan.toml"
    path.write_text(f"[gate]\nmin_reuse = {written}\n")
    assert read_plan(path).gate[0].min_reuse == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gate = 1", "gate = 1 must be a table [gate], or several [[gate]]."),
        (
            "[gate]\nmax_opend = 1",
            'gate has an unknown key "max_opend". Did you mean "max_opened"?',
        ),
        (
            "[gate]\nmax_opened = 1.5",
            "gate: max_opened = 1.5 must be a whole number, 0 or more.",
        ),
        (
            '[gate]\nmin_reuse = "most"',
            "gate: min_reuse = 'most' must be a share such as 0.95 or \"95 %\".",
        ),
        (
            "[gate]\nmin_reuse = 95",
            'gate: min_reuse = 95 must be a share such as 0.95 or "95 %".',
        ),
        (
            '[gate]\nstrategy = "tuned"',
            "gate limits nothing. Next: max_opened, min_reuse or min_speedup.",
        ),
        (
            'strategies = ["fresh", "tuned"]\n[gate]\nstrategy = "session"\nmax_opened = 1',
            "gate: the plan has no strategy session, only fresh and tuned.",
        ),
        (
            '[gate]\nscenario = "http-1.0"\nmax_opened = 1',
            "gate: the plan has no scenario http-1.0.",
        ),
        (
            '[[gate]]\nmax_opened = 1\n[[gate]]\nstrategy = "sesion"\nmax_opened = 1',
            "gate: the plan has no strategy sesion, only fresh, session and tuned.",
        ),
        (
            'strategies = ["session"]\n[gate]\nmax_opened = 1',
            'gate: only a limit with strategy = "session" is for session, the reference.',
        ),
        (
            'target = "https://h.example"\n[gate]\nscenario = "keep-alive"\nmax_opened = 1',
            "gate: https://h.example has no scenario keep-alive, only as-is.",
        ),
        (
            '[program]\ncommand = "a"\n[gate]\nscenario = "keep-alive"\nmax_opened = 1',
            "gate: a server of your programs' has no scenario keep-alive, only as-is.",
        ),
        (
            '[gate]\nstrategy = "fresh"\nmin_speedup = 1',
            "gate: min_speedup is against fresh, so not for it.",
        ),
    ],
)
def test_a_gate_that_would_guard_nothing_is_refused_in_one_line(refusal, text, expected):
    assert f"The plan PLAN: {expected}" == refusal(text)


def test_a_gate_survives_the_result_file():
    plan = with_values(Plan(), {"gate": {"max_opened": 1, "min_reuse": "95 %"}}, source="")
    kept = json.loads(json.dumps(plan.as_dict()))
    assert plan.gate == gate_of(kept, source="") == gate_of(plan.as_dict(), source="")
    assert gate_of({}, source="") == ()


def test_a_gate_in_a_result_file_that_is_none_is_refused():
    with pytest.raises(UsageError, match=r"The result a\.json: gate = 7 must be a table"):
        gate_of({"gate": 7}, source="The result a.json")


@pytest.mark.parametrize(
    "url",
    [
        *("https://api.github.com", "https://API.GitHub.com:443/", "https://api.acme.ghe.com"),
        "https://api.github.com.",  # the same name, for DNS
    ],
)
def test_githubs_own_servers_are_sent_one_request_after_another_whatever_names_them(url):
    with pytest.raises(UsageError, match="GitHub asks for one request after another"):
        with_values(Plan(), {"target": url, "threads": 2}, source=None)
    assert with_values(Plan(), {"target": url, "threads": 1}, source=None).threads == 1


def test_a_server_of_ones_own_may_be_sent_requests_by_threads():
    named = {"target": "https://github.example.com/api/v3", "threads": 8}
    assert with_values(Plan(), named, source=None).threads == 8


def test_the_option_of_threads_is_refused_with_a_plan_for_github():
    plan = with_values(Plan(), {"target": "github"}, source="The plan")
    with pytest.raises(UsageError) as caught:
        with_values(plan, {"threads": 8}, source=None)
    assert str(caught.value).startswith("The command: threads = 8: GitHub asks")
    assert len(str(caught.value).splitlines()) == 1
