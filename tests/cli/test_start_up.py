"""What is imported, and what not yet: commands, imports and watched programs begin soon."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import keptalive
from keptalive.cli.app import COMMANDS
from keptalive.version import VERSION

# Costly to import, or none of a program's business
HEAVY = {"pytest", "_pytest", "pytest_benchmark", "rich", "typer", "click", "trustme", "msgspec"}
OURS = ("keptalive", "_keptalive_")


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd)


def top_level(names: str) -> set[str]:
    return {name.partition(".")[0] for name in names.split()}


def loaded_after(code: str) -> set[str]:
    """The top-level modules that an interpreter has after this code."""
    return top_level(run("-c", f"{code}\nimport sys\nprint(*sys.modules)").stdout)


def test_importing_keptalive_imports_no_library():
    assert loaded_after("import keptalive") & {*HEAVY, "requests", "urllib3", "typing"} == set()


@pytest.mark.parametrize(
    "code", ["import keptalive.tuned", "import keptalive; keptalive.tuned_session()"]
)
def test_the_tuned_session_imports_requests_and_no_other_library(code):
    loaded = loaded_after(code)
    assert loaded & HEAVY == set()
    assert "requests" in loaded


def test_watching_imports_no_library_but_requests():
    code = "import keptalive\nwith keptalive.watch() as seen: seen.report()"
    assert loaded_after(code) & HEAVY == set()


def test_the_version_is_shown_without_any_library():
    code = "import sys, keptalive.__main__ as m; sys.argv[1:] = ['--version']\ntry: m.main()\n"
    ran = run("-c", f"{code}except SystemExit: print(*sys.modules)")
    shown, _, modules = ran.stdout.partition("\n")
    assert shown == f"keptalive {VERSION}"
    assert top_level(modules) & {*HEAVY, "requests", "urllib3", "subprocess", "inspect"} == set()


def test_the_version_is_that_of_the_installed_distribution():
    assert metadata.version("keptalive") == VERSION
    assert run("-m", "keptalive", "--version").stdout == f"keptalive {VERSION}\n"


BEFORE_THE_PROGRAM = """
import os, subprocess, sys
import keptalive.__main__
def popen(*_, **__):
    print(*sys.modules, flush=True)
    os._exit(0)
subprocess.Popen = popen
sys.argv[1:] = ["run", "--timeline", "prog.py"]
keptalive.__main__.main()
"""


def test_run_starts_its_program_before_it_imports_what_the_report_needs(tmp_path):
    (tmp_path / "prog.py").write_text("")
    modules = run("-c", BEFORE_THE_PROGRAM, cwd=tmp_path).stdout
    assert top_level(modules) & {*HEAVY, "requests", "urllib3"} == set()
    parts = ("causes", "render", "records", "results", "watching", "bench", "lookalike")
    assert [name for name in modules.split() if name.startswith(tuple(map(ours, parts)))] == []


def ours(part: str) -> str:
    return f"keptalive.{part}"


def test_run_with_a_json_file_imports_neither_pytest_nor_typer(tmp_path):
    (tmp_path / "prog.py").write_text("")
    code = "import sys, keptalive.__main__ as m; sys.argv[1:] = ['run', *sys.argv[1:]]\n"
    end = "try: m.main()\nexcept SystemExit: print(*sys.modules)"
    modules = run("-c", code + end, "--json", "report.json", "prog.py", cwd=tmp_path).stdout
    assert (tmp_path / "report.json").exists()
    assert top_level(modules) & {"pytest", "pytest_benchmark", "typer", "trustme"} == set()
    assert "requests" not in top_level(modules)


def imported_by(tmp_path: Path, program: str, *watched: str) -> set[str]:
    """All that an interpreter imports from its start to its end, by -X importtime."""
    (tmp_path / "prog.py").write_text(program)
    said = run(*watched, *((sys.executable,) if watched else ()), "-X", "importtime", "prog.py",
               cwd=tmp_path).stderr  # fmt: skip
    return set(re.findall(r"^import time:[\s\d|]*\| +(\S+)$", said, re.MULTILINE))


LIGHT = {"sitecustomize", "__future__", "_json", "atexit", "encodings.ascii"}
WATCHED = ("-m", "keptalive", "run")


def test_a_watched_program_that_imports_nothing_gets_light_modules_of_ours_only(tmp_path):
    more = imported_by(tmp_path, "", *WATCHED) - imported_by(tmp_path, "")
    assert {name for name in more if not name.startswith(OURS)} <= LIGHT
    assert {name for name in more if name.startswith("keptalive.")} <= {
        *("keptalive.errors", "keptalive.run", "keptalive.run.process_watcher"),
        *(name for name in more if name.startswith("keptalive.run.inject")),
    }


def test_a_watched_program_that_imports_requests_gets_little_else_with_it(tmp_path):
    program = "import requests"
    more = imported_by(tmp_path, program, *WATCHED) - imported_by(tmp_path, program)
    parts = {name.split(".")[1] for name in more if name.startswith("keptalive.")}
    few = {"errors", "text", "redaction", "records", "run", "watching", "causes", "link"}
    assert parts <= few
    assert {name for name in more if name.startswith("keptalive.causes.")} <= {
        "keptalive.causes.security"
    }
    others = {name.partition(".")[0] for name in more if not name.startswith(OURS)}
    assert others <= {
        *(*LIGHT, "encodings", "html", "contextvars", "_contextvars"),
        *("dataclasses", "inspect", "ast", "_ast", "dis", "opcode", "_opcode"),
        "importlib",  # with inspect; urllib3 2 has imported it already
    }


@pytest.mark.parametrize("words", [["--help"], []])
def test_the_list_of_commands_imports_none_of_them(words):
    code = f"import sys, keptalive.__main__ as m; sys.argv[1:] = {words}\ntry: m.main()\n"
    end = "except SystemExit: print('MODULES', *sys.modules)"
    ran = run("-c", code + end)
    shown, _, modules = ran.stdout.partition("MODULES")
    assert all(name in shown for name in COMMANDS)
    commands = {f"keptalive.cli.{name}" for name in COMMANDS} | {"keptalive.cli.running"}
    assert commands & {*modules.split()} == set()
    assert top_level(modules) & {"requests", "pytest", "pytest_benchmark", "msgspec"} == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_the_help_of_each_says_first(name):
    summary, load = COMMANDS[name]
    help_ = inspect.cleandoc(load().help)
    assert summary == help_.partition("\n\n")[0].replace("\n", " ")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_its_options(name):
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "keptalive", name, "--help"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert f"Usage: keptalive {name}" in ran.stdout
    assert "Options" in ran.stdout


def test_the_package_names_what_it_exports():
    assert all(hasattr(keptalive, name) for name in keptalive.__all__)
