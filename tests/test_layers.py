"""Which folder may import which, and who may print: read from the source, not from a promise."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import keptalive

ROOT = Path(keptalive.__file__).parent
SOURCES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}

# Each part of the house, and the parts that it may import beside itself. A part stands below those
# that import it; one that is not named here makes a test fail.
LOWEST = {"errors", "text"}
FLOOR = LOWEST | {"redaction", "records", "bounded", "interruption"}
VERDICTS = FLOOR | {"causes", "stats"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "text": set(),
    "version": set(),
    "interruption": set(),
    "records": set(),
    "bounded": {"errors"},
    "redaction": {"text"},
    "stats": {"records"},
    "counting": {"records"},
    "causes": {"records", "errors"},
    "tuned": set(),
    "lookalike": {"errors", "interruption"},
    "run/inject": set(),
    "watching": FLOOR | {"causes", "run/inject"},
    "run": FLOOR | {"version", "causes", "run/inject", "watching"},
    "logs": FLOOR | {"causes", "counting"},
    "bench": VERDICTS | {"counting", "tuned", "lookalike", "watching", "run/inject"},
    "compare": VERDICTS | {"bench", "results"},
    "results": VERDICTS | {"bench"},
    "render": VERDICTS | {"bench", "compare", "results"},
    "cli": {"*"},
    "pytest_plugin": {"*"},
    "__main__": {"cli", "interruption"},
    "__init__": {"errors", "tuned", "watching"},
}
PRINTING = {"print", "sys.stdout.write"}
# By these, what is printed would bypass the checks of cli/output.py
BYPASSING = {
    *("print", "Console", "typer.echo", "typer.secho", "sys.stdout.write", "sys.stderr.write"),
    *("sys.stdout.buffer.write", "sys.stderr.buffer.write", "rich.print", "os.write"),
}
MAY_PRINT = {"pytest_plugin.py", "lookalike/child.py"} | {
    name for name in SOURCES if name.startswith("cli/")
}
COMMANDS = [name for name in SOURCES if name.startswith("cli/") and name != "cli/output.py"]


def part(name: str) -> str:
    """The part of the house that a file, or a dotted name below keptalive, belongs to."""
    if name.startswith("run/inject"):
        return "run/inject"
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
    below = [name.split(".", 1)[1] for name in names if name.startswith("keptalive.")]
    return {part(name.replace(".", "/")) for name in below}


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_imports_only_what_its_part_of_the_house_may(name):
    may = MAY_IMPORT[part(name)] | {part(name)}
    assert "*" in may or set() == imported(ast.parse(SOURCES[name].read_text())) - may


def test_imports_run_downwards_only():
    below = {name: may - {"*"} for name, may in MAY_IMPORT.items()}
    placed: set[str] = set()
    while level := {name for name in below.keys() - placed if below[name] <= placed}:
        placed |= level
    assert set() == below.keys() - placed


@pytest.mark.parametrize("name", [name for name in SOURCES if name not in MAY_PRINT])
def test_only_commands_and_the_child_process_print(name):
    calls = (n for n in ast.walk(ast.parse(SOURCES[name].read_text())) if isinstance(n, ast.Call))
    assert set() == {ast.unparse(call.func) for call in calls} & PRINTING


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_prints_through_the_screen_that_cleans_what_it_is_given(name):
    calls = (n for n in ast.walk(ast.parse(SOURCES[name].read_text())) if isinstance(n, ast.Call))
    assert set() == {ast.unparse(call.func) for call in calls} & BYPASSING
