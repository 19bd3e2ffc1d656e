"""A watcher can wait for a module without importing it."""

from __future__ import annotations

import subprocess
import sys

import pytest

IMPORTING = """
import sys
from keptalive.run.inject.importing import when_imported
seen = []
when_imported("calls", lambda module: seen.append(module.connect))
when_imported("calls", lambda module: 1 / 0)
when_imported("missing", seen.append)
"""


@pytest.mark.parametrize(
    "text",
    [
        "import calls; assert seen == [calls.connect]",
        "import importlib.util as u; u.find_spec('calls'); assert seen == []",
        "import calls; assert calls.__loader__ is calls.__spec__.loader",
        "import calls; assert type(calls.__loader__).__name__ == 'SourceFileLoader'",
        "import calls, importlib; importlib.reload(calls); assert len(seen) == 1",
        "try: import missing\nexcept ModuleNotFoundError as e: assert e.name == 'missing'",
        "import json; when_imported('json', seen.append); assert seen == [json]",
    ],
)
def test_a_watcher_can_wait_for_a_module(text):
    subprocess.run([sys.executable, "-c", f"{IMPORTING}\n{text}"], check=True)


STRUCK = """
import sys
from keptalive.run.inject.importing import when_imported
class Own(Exception): __module__ = 'program'
seen, left = [], [Own, SystemExit, KeyboardInterrupt]
def struck(module):
    seen.append(module)
    if left: raise left.pop()
when_imported("calls", struck)
caught = []
while True:
    try: import calls
    except BaseException as error: caught.append(type(error))
    else: break
assert caught == [KeyboardInterrupt, SystemExit, Own], caught
assert len(seen) == 4 and all(module is calls for module in seen), seen
assert calls.__loader__ is calls.__spec__.loader
assert type(calls.__loader__).__name__ == "SourceFileLoader"
assert sys.modules["calls"] is calls
"""


def test_an_import_that_is_interrupted_is_waited_for_again_and_gives_the_same_module(tmp_path):
    with (tmp_path / "lib" / "calls.py").open("a") as file:
        file.write("\nimport builtins\nbuiltins.executed = getattr(builtins, 'executed', 0) + 1\n")
    subprocess.run([sys.executable, "-c", f"{STRUCK}assert executed == 1"], check=True)


def test_a_module_that_fails_by_itself_is_executed_again(tmp_path):
    (tmp_path / "lib" / "late.py").write_text(
        "import builtins\n"
        "builtins.times = getattr(builtins, 'times', 0) + 1\n"
        "if times < 3: raise LookupError"
    )
    text = """
from keptalive.run.inject.importing import when_imported
seen = []
when_imported("late", seen.append)
for _ in range(2):
    try: import late
    except LookupError: assert seen == []
import late
assert seen == [late]
"""
    subprocess.run([sys.executable, "-c", text], check=True)
