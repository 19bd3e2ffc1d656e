from __future__ import annotations

from pathlib import Path

import pytest
from tests.installing.machine import ROOT, Machine, succeeded


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is uploaded."""
    machine = Machine.made_in(tmp_path_factory.mktemp("builder"))
    options = ("--quiet", "--no-deps", "--wheel-dir", "dist")
    succeeded(machine.run("python", "-m", "pip", "wheel", *options, ROOT))
    (built,) = (machine.work / "dist").iterdir()
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine on which the wheel was installed, and nothing else."""
    machine = Machine.made_in(tmp_path_factory.mktemp("installed"))
    succeeded(machine.run("python", "-m", "pip", "install", "--quiet", wheel))
    return machine
