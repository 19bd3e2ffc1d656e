"""A small runner for GitHub Actions: it executes the `run:` steps of a job, and of our own action.

What it does as GitHub's does: the shells and their options, the files behind GITHUB_ENV,
GITHUB_PATH, GITHUB_OUTPUT and GITHUB_STEP_SUMMARY, `env` at each level, `if`, `working-directory`,
inputs and outputs of a composite action. A step that uses an action of somebody else is not
executed; its name is kept. What `on`, `needs`, `permissions`, `timeout-minutes` and the `if` of a
job do is GitHub's alone.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.installing.expressions import filled, holds

# What GitHub starts for each `shell:` (its documentation: "jobs.<job_id>.steps[*].shell")
SHELLS = {
    "": ["bash", "-e"],
    "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
    "python": ["python"],
}


def read(file: Path) -> dict[str, Any]:
    """A workflow or an action. YAML 1.1 reads the key `on` as true."""
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in document.items()}


@dataclass(frozen=True)
class Step:
    """A step that was executed: its name, or the command itself; its output holds its errors."""

    name: str
    exit_code: int
    output: str


@dataclass
class Ended:
    """What came of a job, or of an action within it."""

    steps: list[Step] = field(default_factory=list)
    not_executed: list[str] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return any(step.exit_code for step in self.steps)

    @property
    def output(self) -> str:
        return "".join(step.output for step in self.steps)


class Runner:
    """A machine with a checkout of somebody's repository.

    Args:
        workspace: the checkout.
        folder: a new one for the runner's own files.
        actions: the folder of the action that each such `uses` names.
        environment: the variables that the machine has.
        without: the names of steps that are left out.
        contexts: `github`, `secrets`, `matrix`, as far as the expressions need them.
    """

    def __init__(
        self,
        workspace: Path,
        folder: Path,
        *,
        actions: Mapping[str, Path],
        environment: Mapping[str, str],
        without: Sequence[str] = (),
        **contexts: Any,
    ) -> None:
        self.workspace = workspace
        self.temp = folder / "temp"
        self.temp.mkdir(parents=True)
        self.summary = folder / "summary.md"
        self._set, self._path, self._output = (folder / name for name in ("env", "path", "output"))
        for file in (self.summary, self._set, self._path, self._output):
            file.touch()
        self._actions = actions
        self._without = without
        self._contexts = contexts
        self._environment = {
            **environment,
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ENV": str(self._set),
            "GITHUB_OUTPUT": str(self._output),
            "GITHUB_PATH": str(self._path),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_WORKSPACE": str(workspace),
            "RUNNER_TEMP": str(self.temp),
        }

    def run_job(self, workflow: Mapping[str, Any], name: str) -> Ended:
        """Execute the steps of a job."""
        job = workflow["jobs"][name]
        env = {**workflow.get("env", {}), **job.get("env", {})}
        ended, _ = self._steps(job["steps"], {**self._contexts, "env": env})
        return ended

    def run_action(self, folder: Path, given: Mapping[str, str], **contexts: Any) -> Ended:
        """Execute the steps of the composite action in this folder.

        Raises:
            KeyError: it has no such input.
        """
        action = read(folder / "action.yml")
        inputs = {name: about.get("default", "") for name, about in action["inputs"].items()}
        if unknown := given.keys() - inputs.keys():
            raise KeyError(f"the action has no input {', '.join(sorted(unknown))}")
        inside = {"env": {}, **self._contexts, **contexts, "inputs": {**inputs, **given}}
        steps = action["runs"]["steps"]
        assert all(step.get("shell") for step in steps if "run" in step), "required by GitHub"
        ended, inside = self._steps(steps, inside, {"GITHUB_ACTION_PATH": str(folder)})
        for name, about in action.get("outputs", {}).items():
            ended.outputs[name] = filled(about["value"], inside)
        return ended

    def _steps(
        self,
        steps: Sequence[Mapping[str, Any]],
        contexts: Mapping[str, Any],
        more: Mapping[str, str] | None = None,
    ) -> tuple[Ended, dict[str, Any]]:
        """Execute these steps in turn; with them come the contexts as they are at the end."""
        ended = Ended()
        known = {step["id"]: {"outputs": {}} for step in steps if "id" in step}
        inside = {**contexts, "steps": known}
        for step in steps:
            wanted = holds(str(step.get("if", "success()")), inside, failed=ended.failed)
            if not wanted or step.get("name") in self._without:
                continue
            outputs = self._step(step, inside, more or {}, ended)
            if "id" in step:
                known[step["id"]]["outputs"] = outputs
        return ended, inside

    def _step(
        self,
        step: Mapping[str, Any],
        contexts: Mapping[str, Any],
        more: Mapping[str, str],
        ended: Ended,
    ) -> Mapping[str, str]:
        """Execute one step, note it in `ended`; its outputs."""
        if "run" in step:
            ended.steps.append(self._run(step, contexts, more))
            return _assignments(self._output)
        given = {name: filled(str(text), contexts) for name, text in step.get("with", {}).items()}
        if step["uses"] not in self._actions:
            ended.not_executed.append(step["uses"])
            return {}
        inner = self.run_action(self._actions[step["uses"]], given, env=contexts["env"])
        ended.steps += inner.steps
        ended.not_executed += inner.not_executed
        return inner.outputs

    def _run(
        self, step: Mapping[str, Any], contexts: Mapping[str, Any], more: Mapping[str, str]
    ) -> Step:
        """Execute one `run:`."""
        script = self.temp / "script"
        script.write_text(filled(step["run"], contexts), encoding="utf-8")
        self._output.write_text("")
        own = {name: filled(str(text), contexts) for name, text in step.get("env", {}).items()}
        outer = {name: str(text) for name, text in contexts["env"].items()}
        environment = {**self._environment, **_assignments(self._set), **outer, **own, **more}
        folders = [*reversed(self._path.read_text().split("\n")), environment["PATH"]]
        environment["PATH"] = os.pathsep.join(filter(None, folders))
        done = subprocess.run(
            [*SHELLS[step.get("shell", "")], script],
            cwd=self.workspace / filled(step.get("working-directory", "."), contexts),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        name = step.get("name", step["run"].strip())
        return Step(name, done.returncode, done.stdout.decode(errors="replace"))


def _assignments(file: Path) -> dict[str, str]:
    """The lines NAME=VALUE of a file that steps write to."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line)
