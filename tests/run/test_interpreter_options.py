"""Options and variables of Python's own are the program's: they do what they do without us."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from keptalive.run.command import ignores_path, python_of

from .running import quickly, watched

PROGRAM = '''
"""Its docstring."""
import os, sys, warnings
import requests

session = requests.Session()
for _ in range(2):
    session.get(sys.argv[1], headers={"Connection": "close"})
session.close()
print(sys.flags, sys.warnoptions, sys._xoptions, warnings.filters, sys.path)
print(__debug__, __doc__, sys.dont_write_bytecode, sys.stdout.line_buffering)
sys.stdout.flush()
if not os.fork():
    requests.get(sys.argv[1], headers={"Connection": "close"})
    sys.exit(0)
os.wait()
warnings.warn("the program's own")
'''
OPTIONS = (
    "-X dev -W error -bb -X warn_default_encoding",
    "-OO",
    "-B",
    "-P",
    "-i",
    "-X frozen_modules=off",
    "-X dev -W error -u -O",
)
VARIABLES = (
    "PYTHONINSPECT=1",
    "PYTHONWARNINGS=error",
    "PYTHONDEVMODE=1",
    "PYTHONSAFEPATH=1",
)


@pytest.fixture
def alike(serve, monkeypatch, capfd):
    """Run the program with these options, alone and watched: what each of its processes opened."""
    monkeypatch.delenv("PYTHONPATH")  # nothing of the tests' own is for here
    Path("program.py").write_text(PROGRAM)

    def answers(peer):
        peer.request()
        peer.respond(200, "Connection: close")

    def run(*options: str) -> list[int]:
        command = [sys.executable, *options, "program.py", serve(answers).url]
        alone = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
        expected = capfd.readouterr()
        ran = watched(*command, watcher="keptalive.run.process_watcher.begin")
        assert capfd.readouterr() == expected
        assert (ran.exit_code, ran.warnings) == (alone.returncode, ())
        return [sum(host.opened for host in record.hosts) for record in ran.records]

    return run


@pytest.mark.parametrize("options", quickly(OPTIONS, OPTIONS[0], "-i"))
def test_an_option_does_what_it_does_without_us(options, alike):
    if options == "-P" and sys.version_info < (3, 11):
        pytest.skip("Python 3.10 does not have it")
    assert alike(*options.split()) == [2, 1]


@pytest.mark.parametrize("variable", quickly(VARIABLES, "PYTHONWARNINGS=error"))
def test_a_variable_does_what_it_does_without_us(variable, alike, monkeypatch):
    monkeypatch.setenv(*variable.split("="))
    assert alike() == [2, 1]


@pytest.mark.parametrize("variable", [{}, {"PYTHONSTARTUP": "startup.py"}])
def test_an_interactive_python_is_what_it_is_without_us(variable, monkeypatch, capfd):
    Path("startup.py").write_text("print('startup ran')")
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    expected = subprocess.run([sys.executable, "-i"], stdin=subprocess.DEVNULL, check=False)
    plain = capfd.readouterr()
    ran = watched(sys.executable, "-i")
    assert capfd.readouterr() == plain
    assert ("startup ran" in plain.out) is bool(variable)
    assert (ran.exit_code, len(ran.processes), ran.warnings) == (expected.returncode, 1, ())


@pytest.mark.parametrize(
    "options",
    quickly(
        ["-E", "-I", "-S", "-uE", "-W ignore -I", "-Wignore -X dev -S", "-V", "--help"],
        *("-I", "-W ignore -I", "-V"),
    ),
)
def test_a_python_that_ignores_our_path_is_said_not_to_be_watched(options, capfd):
    ran = watched(sys.executable, *options.split(), "-c", "")
    assert (ran.exit_code, ran.processes, ran.processes_without_report) == (0, (), 0)
    assert ran.warnings == ("no Python process was watched (-E, -I and -S ignore PYTHONPATH)",)


def test_a_program_that_is_no_python_is_said_not_to_be_watched():
    assert watched("true").warnings == (
        "no Python process was watched (-E, -I and -S ignore PYTHONPATH)",
    )


def test_a_child_of_a_python_that_ignores_our_path_is_watched_and_the_parent_is_said_not_to_be():
    text = "import subprocess, sys; subprocess.run([sys.executable, '-c', ''])"
    ran = watched(sys.executable, "-I", "-c", text)
    (warning,) = ran.warnings
    assert len(ran.processes) == 1
    assert warning.startswith("process ")
    assert warning.endswith(" was not watched (-E, -I and -S ignore PYTHONPATH)")


@pytest.mark.parametrize(
    ("words", "ignores"),
    [
        (["python", "x.py", "-I"], False),
        (["python", "-c", "-I"], False),
        (["python", "-m", "x", "-E"], False),
        (["python", "-cE"], False),
        (["python", "-W", "-I"], False),
        (["python", "-X", "dev", "x.py", "-S"], False),
        (["python", "-", "-S"], False),
        (["python3.12", "-bbI", "x.py"], True),
        (["/usr/bin/pypy3", "-E"], True),
        (["tool", "-I"], False),
        (["python"], False),
    ],
)
def test_options_of_the_program_are_not_those_of_python(words, ignores):
    assert ignores_path(words) is ignores


@pytest.mark.parametrize(
    ("words", "name", "python"),
    [
        (["/usr/bin/python3"], "python3", "python3"),
        (["/usr/bin/python3"], None, "python3"),
        (["/usr/bin/python3"], "bash", None),
        (["bash", "-c", "exec python"], "python3.11", "python3.11"),
        (["bash"], "bash", None),
        (["bash"], None, None),
        (["./a-tool-with-a-long-name"], "a-tool-with-a-l", "a-tool-with-a-long-name"),
        (["./shell"], "shell", None),
    ],
)
def test_a_python_is_known_by_its_name_or_its_first_line(words, name, python):
    Path("a-tool-with-a-long-name").write_text("#!/usr/bin/python3\n")
    Path("shell").write_text("#!/bin/sh\n")
    assert python_of(words, name) == python
