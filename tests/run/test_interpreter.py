"""Which Python runs a script: keptalive's own, unless there is a sign of another one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keptalive.errors import UsageError
from keptalive.run.command import command_words, module_words
from keptalive.run.interpreter import Interpreter, interpreter_for

OURS = Interpreter(sys.executable)


def environment(folder: Path) -> Path:
    """A virtual environment with a Python of its own."""
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("")
    (folder / "bin" / "python").symlink_to(sys.executable)
    return folder


def script(first: str, *, mode: int = 0o755) -> Path:
    path = Path("sync.py")
    path.write_text(f"{first}\nprint('ran')\n")
    path.chmod(mode)
    return path


def test_it_is_keptalives_own_where_nothing_says_otherwise():
    assert interpreter_for(script("import sys"), {}) == OURS
    assert interpreter_for(script("#!/usr/bin/env python3"), {}) == OURS
    assert interpreter_for(script("#!/usr/bin/env -S python3 -u"), {}) == OURS
    assert interpreter_for(script("#!/usr/bin/python3"), {}) == OURS
    assert interpreter_for(Path("no.py"), {}) == OURS
    assert interpreter_for(None, {"VIRTUAL_ENV": sys.prefix}) == OURS


def test_it_is_that_of_the_activated_virtual_environment():
    active = environment(Path("work/.venv").absolute())
    expected = Interpreter(str(active / "bin" / "python"), "Python of work/.venv (VIRTUAL_ENV)")
    for program in (None, script("#!/usr/bin/env python3"), script("import sys")):
        assert interpreter_for(program, {"VIRTUAL_ENV": str(active)}) == expected


def test_an_activated_environment_that_is_gone_is_said():
    chosen = interpreter_for(None, {"VIRTUAL_ENV": "/nowhere"})
    assert chosen == (sys.executable, "keptalive's own Python: VIRTUAL_ENV has none")


def test_an_executable_script_that_names_the_python_of_an_environment_gets_it():
    named = environment(Path("tools").absolute()) / "bin" / "python"
    active = {"VIRTUAL_ENV": str(environment(Path(".venv").absolute()))}
    assert interpreter_for(script(f"#!{named}"), active) == (
        str(named),
        "Python of tools (first line)",
    )
    not_executable = interpreter_for(script(f"#!{named}", mode=0o644), active)
    assert not_executable.said == "Python of .venv (VIRTUAL_ENV)"


def test_a_first_line_that_names_no_python_starts_the_script_as_a_shell_does():
    path = script("#!/usr/bin/env -S uv run --script")
    assert interpreter_for(path, {}).path is None
    assert command_words(["sync.py", "x"]).words == [str(path.absolute()), "x"]


@pytest.mark.parametrize("receipt", ["pipx_metadata.json", "uv-receipt.toml"])
def test_a_keptalive_that_is_installed_as_a_tool_leaves_it_to_the_path(receipt, monkeypatch):
    tool = environment(Path("tool").absolute())
    (tool / receipt).write_text("")
    there = environment(Path("there").absolute()) / "bin" / "python3"
    there.symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(there.parent), prepend=os.pathsep)
    chosen = interpreter_for(script("import sys"), {}, prefix=str(tool))
    assert chosen == (str(there), f"{there} (PATH)")
    assert interpreter_for(script(f"#!{sys.executable}"), {}, prefix=str(tool)).path in (
        sys.executable,
        str(there),
    )


def test_another_python_finds_a_module_itself(monkeypatch):
    monkeypatch.setenv("VIRTUAL_ENV", str(environment(Path("env").absolute())))
    words, said = module_words(["only_there", "x"])
    assert words[1:] == ["-m", "only_there", "x"]
    assert said == "Python of env (VIRTUAL_ENV)"


def test_a_script_for_another_python_is_not_judged_by_this_one(monkeypatch):
    Path("newer.py").write_text("a syntax of the future\n")
    with pytest.raises(UsageError, match="invalid syntax"):
        command_words(["newer.py"])
    monkeypatch.setenv("VIRTUAL_ENV", str(environment(Path("env").absolute())))
    assert command_words(["newer.py"]).words[1:] == ["newer.py"]


@pytest.mark.complete
def test_a_program_of_another_environment_runs_there_and_the_title_says_so(monkeypatch, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "env"], check=True)
    Path("only_there.py").write_text("import sys; print(sys.prefix)")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "env"))
    command = [sys.executable, "-m", "keptalive", "run", "only_there.py"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout == f"{tmp_path / 'env'}\n"
    assert ran.stderr.splitlines()[1].endswith(", Python of env (VIRTUAL_ENV)")
