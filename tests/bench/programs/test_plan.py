"""Which programs a plan or an option names, and what of a plan holds for them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from keptalive.bench.plan import Plan, read_plan, with_values
from keptalive.bench.programs.plan import of_options, variants_of
from keptalive.errors import UsageError


def names(*values: str) -> list[tuple[str, str]]:
    return [(one.name, one.label) for one in variants_of(of_options(values)).values()]


def test_a_program_alone_runs_as_it_is_and_with_tuned_sessions():
    assert names("python sync.py --all") == [
        ("sync.py", "as it is"),
        ("sync.py-tuned", "tuned Sessions"),
    ]


def test_several_programs_run_as_they_are():
    assert names("old=python a.py", "-m sync") == [("old", "old"), ("sync", "sync")]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("sync.py", "sync.py"),
        ("python -W error -X dev -u bin/sync.py --token s3cret", "sync.py"),
        ("python3.12 -m pkg.sync", "pkg.sync"),
        ("python -c 'import requests'", "python"),
        ("./sync --token=x", "sync"),
        ("3.py", "program-3.py"),
    ],
)
def test_a_program_has_the_name_of_its_script_module_or_command(command, name):
    assert name == of_options([command])[0].name


def test_a_plan_says_which_of_its_programs_are_tuned(tmp_path):
    (tmp_path / "plan.toml").write_text(
        '[[program]]\nname = "a"\ncommand = "a.py"\ntuned = true\n'
        '[[program]]\nname = "b"\ncommand = ["b.py", "two words"]\n'
        '[gate]\nstrategy = "b"\nmax_opened = 1\n'
    )
    plan = read_plan(tmp_path / "plan.toml")
    assert (plan.names, plan.program[1].command) == (("a-tuned", "b"), ("b.py", "two words"))
    assert (plan.target, plan.scenarios) == ("programs", ("as-is",))
    assert plan == with_values(plan, {}, source=None)


@pytest.mark.parametrize("values", [{"scenarios": ["http-1.0"]}, {"target": "lookalike"}])
def test_a_program_has_a_test_server_if_a_scenario_or_the_target_says_so(values):
    programs = of_options(["sync.py {url}"])
    plan = with_values(Plan(), {"program": programs, **values}, source=None)
    assert ("lookalike", tuple(values.get("scenarios", ["keep-alive"]))) == (
        plan.target,
        plan.scenarios,
    )
    assert replace(plan, rounds=3) == with_values(plan, {"rounds": 3}, source=None)


def test_arguments_which_may_be_secret_are_not_in_the_result():
    plan = with_values(Plan(), {"program": of_options(["sync.py --token s3cret"])}, source=None)
    assert plan.as_dict()["program"] == ("sync.py: sync.py",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("program = []", "must be a table [program], or several [[program]]"),
        ("program = 1", "must be a table [program], or several [[program]]"),
        ("[program]\nname = 'a'", "command must be a command"),
        ('[program]\ncommand = "a \'"', "no closing quotation"),
        ("[program]\ncommand = []", "command must be a command"),
        ("[program]\ncommand = ''", "command must be a command"),
        ("[program]\ncommand = 'a'\nname = 'a b'", "name must be letters"),
        ("[program]\ncommand = 'a'\ntuned = 1", "tuned must be true or false"),
        ("[program]\ncommand = 'a'\nurl = 1", 'unknown key "url"'),
        ("[[program]]\ncommand = 'a'\n[[program]]\ncommand = 'a b'", "two programs are called a"),
        ("requests = ['/x']\n[program]\ncommand = 'a'", "requests does nothing for programs"),
        ("target = 'github'\n[program]\ncommand = 'a'", "target does nothing for programs"),
        ("rtt_ms = 5\n[program]\ncommand = 'a'", "rtt_ms does nothing for programs"),
        ("[program]\ncommand = 'a {url}'", "there is no {url} without a scenario"),
        ("[program]\ncommand = 'a'\n[gate]\nstrategy = 'b'\nmax_opened = 1", "no program b"),
    ],
)
def test_what_no_plan_of_programs_has_is_refused_in_one_line(text, expected, tmp_path):
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(UsageError) as refused:
        read_plan(tmp_path / "plan.toml")
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)


PAGE = Path(__file__).parents[3] / "docs" / "programs.md"


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_a_plan_of_the_page_on_programs_is_one(text, tmp_path):
    (tmp_path / "plan.toml").write_text(text)
    assert read_plan(tmp_path / "plan.toml").program


def test_an_option_that_does_nothing_for_programs_is_named_as_it_was_typed():
    given = {"program": of_options(["sync.py"]), "target": "github"}
    with pytest.raises(UsageError, match=r"^--target does nothing for programs"):
        with_values(Plan(), given, source=None)
