"""The small runner does what GitHub's does, as far as our workflows need it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.installing.expressions import UnknownError, filled, holds
from tests.installing.runner import Ended, Runner


def job(
    tmp_path: Path,
    *steps: dict[str, Any],
    env: dict[str, str] | None = None,
    machine: str = "first",
) -> Ended:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    actions = {"OWNER/tool@REF": tmp_path}
    runner = Runner(
        tmp_path, tmp_path / machine, actions=actions, environment={"PATH": path}, github={}
    )
    return runner.run_job({"env": env or {}, "jobs": {"one": {"steps": list(steps)}}}, "one")


def test_steps_run_in_turn_until_one_fails(tmp_path):
    ended = job(
        tmp_path,
        {"run": "echo first"},
        {"run": "exit 3", "name": "fails"},
        {"run": "echo never"},
        {"run": "echo always", "if": "always()"},
        {"run": "echo failed", "if": "failure()"},
    )
    assert [step.exit_code for step in ended.steps] == [0, 3, 0, 0]
    assert ended.output == "first\nalways\nfailed\n"
    assert ended.failed


def test_a_step_gets_the_variables_of_each_level_and_what_steps_before_it_set(tmp_path):
    ended = job(
        tmp_path,
        {"run": 'echo "A=from a step" >> "$GITHUB_ENV"; echo "$PWD/bin" >> "$GITHUB_PATH"'},
        {"run": 'mkdir bin; printf "#!/bin/sh\\necho mine" > bin/mine; chmod +x bin/mine'},
        {"run": 'mine; echo "$A, $B, $C ${{ env.B }}"', "env": {"C": "${{ env.B }}!"}},
        env={"B": "from the workflow"},
    )
    assert (
        ended.output
        == "mine\nfrom a step, from the workflow, from the workflow! from the workflow\n"
    )


def test_a_pipe_fails_with_its_first_command_only_where_the_shell_is_named(tmp_path):
    pipe = {"run": "false | true"}
    assert not job(tmp_path, pipe).failed
    assert job(tmp_path, {**pipe, "shell": "bash"}, machine="second").failed


SAY = """
import os
with open(os.environ["GITHUB_OUTPUT"], "a") as outputs:
    print(f"said={os.environ['WORD']}", file=outputs)
"""


def test_an_action_has_inputs_and_outputs_and_others_are_named_only(tmp_path):
    action = {
        "inputs": {"word": {"default": "none"}},
        "outputs": {"said": {"value": "${{ steps.say.outputs.said }}"}},
        "runs": {
            "steps": [
                {
                    "id": "say",
                    "shell": "python",
                    "env": {"WORD": "${{ inputs.word }}"},
                    "run": SAY,
                },
                {"shell": "bash", "run": 'ls "$GITHUB_ACTION_PATH/action.yml"'},
            ]
        },
    }
    (tmp_path / "action.yml").write_text(yaml.safe_dump(action))
    ended = job(
        tmp_path,
        {"uses": "actions/checkout@v5"},
        {"uses": "OWNER/tool@REF", "id": "tool", "with": {"word": "x"}},
        {"run": "echo '${{ steps.tool.outputs.said }}${{ steps.tool.outputs.other }}'"},
    )
    assert ended.output == f"{tmp_path}/action.yml\nx\n"
    assert ended.not_executed == ["actions/checkout@v5"]
    with pytest.raises(KeyError, match="no input other"):
        job(tmp_path, {"uses": "OWNER/tool@REF", "with": {"other": "x"}}, machine="second")


@pytest.mark.parametrize(
    ("condition", "failed", "expected"),
    [
        ("inputs.program != ''", False, True),
        ("inputs.program != ''", True, False),
        ("${{ inputs.program == 'x' && always() }}", True, True),
        ("failure()", False, False),
        ("inputs.none == ''", False, True),
    ],
)
def test_a_condition_holds(condition, failed, expected):
    contexts = {"inputs": {"program": "x", "none": ""}}
    assert holds(condition, contexts, failed=failed) is expected


@pytest.mark.parametrize("expression", ["inputs.nothing", "nothing.at_all", "format('x')", "a b"])
def test_an_expression_that_the_reader_does_not_know_is_refused(expression):
    with pytest.raises(UnknownError):
        filled(f"${{{{ {expression} }}}}", {"inputs": {}})
