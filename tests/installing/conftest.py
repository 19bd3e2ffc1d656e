from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.installing.machine import ROOT, Machine, succeeded


@pytest.fixture(scope="session")
def new_machine(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Machine]:
    """Make a machine with a name; all share what they download."""
    downloads = tmp_path_factory.mktemp("downloads")
    return lambda name: Machine.made_in(tmp_path_factory.mktemp(name), downloads)


@pytest.fixture(scope="session")
def wheel(new_machine: Callable[[str], Machine]) -> Path:
    """The package as it is uploaded."""
    machine = new_machine("builder")
    options = ("--quiet", "--no-deps", "--wheel-dir", "dist")
    succeeded(machine.run("python", "-m", "pip", "wheel", *options, ROOT))
    (built,) = (machine.work / "dist").iterdir()
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, new_machine: Callable[[str], Machine]) -> Machine:
    """A machine on which the wheel was installed, and nothing else."""
    machine = new_machine("installed")
    succeeded(machine.run("python", "-m", "pip", "install", "--quiet", wheel))
    return machine
