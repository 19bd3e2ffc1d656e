"""Which folder may import which, and who may print: read from the source, not from a promise."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import keptalive

ROOT = Path(keptalive.__file__).parent
FLOOR = {"model", "evidence", "errors", "redaction", "text", "interruption"}
MAY_IMPORT = {name: set() for name in FLOOR} | {
    "redaction": {"text"},
    "analysis": FLOOR | {"analysis"},
    "watching": FLOOR | {"analysis", "watching"},
    "clients": FLOOR | {"analysis", "clients"},
    "lookalike": FLOOR | {"analysis", "lookalike"},
    "render": FLOOR | {"analysis", "render"},
}
PRINTING = {"print", "sys.stdout.write"}
# By these, what is printed would pass by the gates of cli/output.py
PASSING_BY = {
    *("print", "Console", "typer.echo", "typer.secho", "sys.stdout.write", "sys.stderr.write"),
    *("sys.stdout.buffer.write", "sys.stderr.buffer.write", "rich.print", "os.write"),
}

SOURCES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}
MAY_PRINT = {"pytest_plugin.py", "lookalike/child.py"} | {
    name for name in SOURCES if name.startswith("cli/")
}


def part(name: str) -> str:
    return name.split("/")[0].removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    """The parts of keptalive that this module imports, wherever in it."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {f"{name}.".split(".")[1] for name in names if name.split(".")[0] == "keptalive"}


@pytest.mark.parametrize("name", [name for name in SOURCES if part(name) in MAY_IMPORT])
def test_a_module_imports_only_what_its_layer_may(name):
    tree = ast.parse(SOURCES[name].read_text())
    assert set() == imported(tree) - MAY_IMPORT[part(name)]


@pytest.mark.parametrize("name", [name for name in SOURCES if name not in MAY_PRINT])
def test_only_the_door_and_the_child_process_print(name):
    calls = (n for n in ast.walk(ast.parse(SOURCES[name].read_text())) if isinstance(n, ast.Call))
    assert set() == {ast.unparse(call.func) for call in calls} & PRINTING


COMMANDS = [name for name in SOURCES if name.startswith("cli/") and name != "cli/output.py"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_prints_through_the_screen_that_cleans_what_it_is_given(name):
    calls = (n for n in ast.walk(ast.parse(SOURCES[name].read_text())) if isinstance(n, ast.Call))
    assert set() == {ast.unparse(call.func) for call in calls} & PASSING_BY
