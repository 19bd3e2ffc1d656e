"""A watcher can wait for a module without importing it."""

from __future__ import annotations

import subprocess
import sys

import pytest

IMPORTING = """
import sys
from keptalive.watching.inject.importing import when_imported
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
