"""Which folder may import which, who may print, how long code may be: read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import keptalive

ROOT = Path(keptalive.__file__).parent
SOURCES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}

# Each part of the house, and the parts that it may import beside itself. A part stands below those
# that import it; one that is not named here makes a test fail.
LOWEST = {"errors", "text", "quantities"}
FLOOR = LOWEST | {"redaction", "records", "bounded", "interruption"}
VERDICTS = FLOOR | {"causes", "stats"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "text": set(),
    "quantities": set(),
    "version": set(),
    "interruption": set(),
    "records": set(),
    "bounded": {"errors"},
    "redaction": {"text"},
    "stats": {"records"},
    "counting": {"records"},
    "causes": {"records", "errors", "quantities"},
    "anonymizing": {"records", "causes", "watching"},
    "tuned": set(),
    "helper_process": set(),
    "lookalike": {"errors", "interruption", "helper_process"},
    "link": {"errors", "interruption", "helper_process"},
    "run/inject": set(),
    "watching": FLOOR | {"causes", "link", "run/inject"},
    "run": FLOOR | {"causes", "run/inject", "version", "watching", "tuned"},
    "probe": FLOOR | {"tuned", "version"},
    "logs": FLOOR | {"causes", "counting"},
    "bench": VERDICTS | {"counting", "tuned", "lookalike", "link", "watching", "run", "run/inject"},
    "compare": VERDICTS | {"bench", "results"},
    "results": VERDICTS | {"bench"},
    "render": VERDICTS | {"bench", "compare", "results", "version"},
    "interactive": {"quantities", "watching", "render"},
    "otel": {"errors", "records", "version", "watching"},
    "cli": {"*"},
    "pytest_plugin": {"*"},
    "locust": {"*"},
    "__main__": {"cli", "interruption"},
    "__init__": {"errors", "tuned", "interactive", "version"},
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


# -- Size and cycles -----------------------------------------------------------------------------

LONGEST_MODULE, LONGEST_FUNCTION = 300, 50  # lines


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_has_at_most_300_lines(name):
    assert len(SOURCES[name].read_text().splitlines()) <= LONGEST_MODULE


def long_functions(tree: ast.AST, limit: int) -> list[str]:
    """The functions of this module with more lines than this, decorators aside."""
    return [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > limit
    ]


@pytest.mark.parametrize("name", SOURCES)
def test_a_function_has_at_most_50_lines(name):
    assert long_functions(ast.parse(SOURCES[name].read_text()), LONGEST_FUNCTION) == []


def test_a_function_that_is_too_long_is_found_with_its_length():
    source = "class A:\n    async def slow(self):\n        one = 1\n        return one\n"
    assert long_functions(ast.parse(source), 2) == ["slow: 3 lines"]
    assert long_functions(ast.parse(source), 3) == []


def module_of(name: str) -> str:
    """The dotted name of a file below src/keptalive."""
    parts = name.removesuffix(".py").split("/")
    return ".".join(["keptalive", *(parts[:-1] if parts[-1] == "__init__" else parts)])


def executed_imports(body: list[ast.stmt]) -> list[ast.Import | ast.ImportFrom]:
    """The imports that run while the module itself is imported."""
    found: list[ast.Import | ast.ImportFrom] = []
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            found += executed_imports(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in ("body", "orelse", "finalbody"):
                found += executed_imports(getattr(node, part, []))
            for handler in getattr(node, "handlers", []):
                found += executed_imports(handler.body)
    return found


def modules_imported(source: str, modules: set[str]) -> set[str]:
    """Those of these modules that this source imports while it is imported itself."""
    found = set()
    for node in executed_imports(ast.parse(source).body):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            known = [name for name in submodules if name in modules]
            # `from package import module` needs the package only for what is no module of it
            names = known + ([node.module or ""] if len(known) < len(submodules) else [])
        found |= {name for name in names if name in modules}
    return found


def cycles(imports: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that import each other, in a circle."""
    reached: dict[str, set[str]] = {}
    for module in imports:
        waiting, seen = list(imports[module]), set()
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += imports[name]
        reached[module] = seen
    groups = {
        tuple(sorted(other for other in seen if module in reached[other]))
        for module, seen in reached.items()
        if module in seen
    }
    return [list(group) for group in sorted(groups)]


def test_no_modules_import_each_other_in_a_circle():
    sources = {module_of(name): path.read_text() for name, path in SOURCES.items()}
    assert (
        cycles({name: modules_imported(text, set(sources)) for name, text in sources.items()}) == []
    )


def test_a_circle_of_imports_is_found_whatever_block_they_stand_in():
    sources = {
        "a": "try:\n    import b\nexcept ImportError:\n    pass",
        "b": "class B:\n    from c import thing",
        "c": "if True:\n    import a",
        "d": "if TYPE_CHECKING:\n    import e\ndef later():\n    import e",
        "e": "import d",
    }
    imports = {name: modules_imported(text, set(sources)) for name, text in sources.items()}
    assert cycles(imports) == [["a", "b", "c"]]
    assert {"d"} == imports["e"]
