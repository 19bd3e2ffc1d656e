"""`keptalive bench` in the tests' own process, with a plan that takes little time."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests import commands
from tests.commands import in_text

SMALL = """
requests = ["/user"]
repeats = 3
rounds = 1
rtt_ms = 0
"""


def keptalive(
    *arguments: object, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    inherited = {
        k: v
        for k, v in os.environ.items()
        if k not in ("GITHUB_TOKEN", "GH_TOKEN", "KEPTALIVE_TOKEN")
    }
    variables = {**inherited, "COLUMNS": "80", **environment}
    return in_text(commands.keptalive(*arguments, folder=folder, environment=variables))
