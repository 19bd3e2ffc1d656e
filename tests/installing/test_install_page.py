"""Each command of docs/install.md works, with a copy of this repository in place of GitHub's."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.installing.foreign import copied_to
from tests.installing.machine import ROOT, Machine, copy_of_the_repository, lines_of, succeeded
from tests.servers.scripted import Server

from keptalive.version import VERSION

pytestmark = pytest.mark.complete
PAGE = (ROOT / "docs" / "install.md").read_text()
HERE, _, REST = PAGE.partition("## Completion with Tab\n")  # that has a test of its own
UNINSTALL = "## Uninstall" + REST.partition("## Uninstall")[2]
BLOCKS = re.findall(r"```(?:toml)?\n(.*?)```", HERE + UNINSTALL, re.DOTALL)
# How each block begins
WAYS = (
    'python -m pip install "keptalive',
    "git clone",
    "uv add",
    "[dependency-groups]",
    "keptalive @ git+",
    "pipx install",
    "uv tool install",
    "keptalive run",
    "python -m pip wheel",
    "python -m pip uninstall",
)


def block(way: str) -> str:
    (found,) = [block for block in BLOCKS if block.startswith(way)]
    return found


def test_every_block_of_the_page_is_tried_here() -> None:
    assert [next((way for way in WAYS if one.startswith(way)), one) for one in BLOCKS] == list(WAYS)


@pytest.fixture(scope="module")
def settings_of_git(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings by which git takes a copy of this repository for OWNER's at GitHub, at REF too."""
    folder = copy_of_the_repository(tmp_path_factory.mktemp("github") / "keptalive")
    for words in (
        ("init", "--quiet", "--initial-branch=REF"),
        ("add", "--all"),
        ("-c", "user.name=S", "-c", "user.email=s@e", "commit", "--quiet", "--message=All"),
    ):
        subprocess.run(["git", "-C", folder, *words], check=True)
    settings = folder.parent / "gitconfig"
    instead = "insteadOf = https://github.com/OWNER/keptalive"
    settings.write_text(f'[url "file://{folder}"]\n{instead}\n')
    return settings


@pytest.fixture
def machine(settings_of_git: Path, new_machine: Callable[[str], Machine]) -> Machine:
    machine = new_machine("machine")
    shutil.copy(settings_of_git, machine.folder / "home" / ".gitconfig")
    return machine


NOT_THE_API = {"UV_NO_GITHUB_FAST_PATH": "1"}  # uv asks the API of github.com first


def typed(way: str, machine: Machine, *, only: str = "") -> str:
    """Type a block of the page, or those of its lines with this text, in the working folder."""
    commands = "\n".join(line for line in lines_of(block(way)) if only in line)
    return succeeded(machine.run("bash", "-ec", commands, more=NOT_THE_API))


def version(machine: Machine, command: str = "keptalive") -> str:
    return succeeded(machine.run(command, "--version"))


IT = f"keptalive {VERSION}\n"


def test_the_commands_of_pip(machine: Machine) -> None:
    typed(WAYS[0], machine)
    assert version(machine) == IT
    typed("python -m pip uninstall", machine, only="pip uninstall")
    assert machine.run("python", "-c", "import keptalive").returncode == 1
    assert not (machine.folder / "venv" / "bin" / "keptalive").exists()

    (machine.work / "requirements-dev.txt").write_text(block("keptalive @ git+"))
    succeeded(machine.run("python", "-m", "pip", "install", "-r", "requirements-dev.txt"))
    assert version(machine) == IT
    typed("python -m pip uninstall", machine, only="pip uninstall")

    typed("git clone", machine)
    assert version(machine) == IT
    typed("python -m pip uninstall", machine, only="pip uninstall")

    typed("python -m pip wheel", machine)  # and installing from these files
    assert version(machine) == IT
    typed("python -m pip uninstall", machine, only="pip uninstall")

    succeeded(machine.run("python", "-m", "pip", "install", "--quiet", "pip>=25.1"))
    (machine.work / "pyproject.toml").write_text(PROJECT + block("[dependency-groups]"))
    succeeded(machine.run("pip", "install", "--group", "dev"))
    assert version(machine) == IT


PROJECT = """
[project]
name = "theirs"
version = "1"
requires-python = ">=3.10"
"""


def test_the_commands_of_uv(machine: Machine, serve: Callable[..., Server]) -> None:
    succeeded(machine.run("python", "-m", "pip", "install", "--quiet", "uv"))
    (machine.work / "pyproject.toml").write_text(PROJECT)
    assert IT in typed("uv add", machine)
    typed("python -m pip uninstall", machine, only="uv remove")
    assert not (machine.work / ".venv" / "bin" / "keptalive").exists()

    (machine.work / "pyproject.toml").write_text(PROJECT + block("[dependency-groups]"))
    succeeded(machine.run("uv", "sync", more=NOT_THE_API))
    assert version(machine, ".venv/bin/keptalive") == IT

    shutil.rmtree(machine.work / ".venv")
    typed("uv tool install", machine)
    assert "3 requests, 1 connection" in watched_from_outside(machine, serve().url)
    typed("python -m pip uninstall", machine, only="uv tool uninstall")
    assert not (machine.folder / "home" / ".local" / "bin" / "keptalive").exists()


def test_the_commands_of_pipx(machine: Machine, serve: Callable[..., Server]) -> None:
    succeeded(machine.run("python", "-m", "pip", "install", "--quiet", "pipx"))
    typed("pipx install", machine)
    assert "3 requests, 1 connection" in watched_from_outside(machine, serve().url)
    typed("python -m pip uninstall", machine, only="pipx uninstall")
    assert not (machine.folder / "home" / ".local" / "bin" / "keptalive").exists()


def watched_from_outside(machine: Machine, url: str) -> str:
    """Watch a program whose environment has no keptalive: what the command of the page shows."""
    copied_to(machine.work)
    succeeded(machine.run("python", "-m", "venv", ".venv"))
    succeeded(machine.run(".venv/bin/python", "-m", "pip", "install", "-r", "requirements.txt"))
    (command,) = lines_of(block("keptalive run"))
    line = f'PATH="$HOME/.local/bin:$PATH"; {command}'
    return succeeded(machine.run("bash", "-ec", line, more={"API_URL": url.rstrip("/")}))
