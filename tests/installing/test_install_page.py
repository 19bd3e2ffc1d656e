"""Each command of docs/install.md works, with a copy of this repository in place of GitHub's."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.installing.foreign import copied_to
from tests.installing.machine import ROOT, Machine, lines_of, succeeded
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
    folder = tmp_path_factory.mktemp("github") / "keptalive"
    left_out = shutil.ignore_patterns(".git", ".venv*", "__pycache__", ".*_cache", ".nox")
    shutil.copytree(ROOT, folder, ignore=left_out, symlinks=True)
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


def typed(way: str, machine: Machine, *, only: str = "") -> str:
    """Type a block of the page, or those of its lines with this text, in the working folder."""
    commands = "\n".join(line for line in lines_of(block(way)) if only in line)
    # uv asks the API of github.com first
    return succeeded(machine.run("bash", "-ec", commands, more={"UV_NO_GITHUB_FAST_PATH": "1"}))


def version(machine: Machine, command: str = "keptalive") -> str:
    return succeeded(machine.run(command, "--version"))


IT = f"keptalive {VERSION}\n"


def test_pip_installs_it_from_git_and_uninstalls_it(machine: Machine):
    typed(WAYS[0], machine)
    assert version(machine) == IT
    typed("python -m pip uninstall", machine, only="pip uninstall")
    assert machine.run("python", "-c", "import keptalive").returncode == 1
    assert not (machine.folder / "venv" / "bin" / "keptalive").exists()


def test_pip_installs_it_from_a_checkout_and_from_wheels_without_a_network(
    machine: Machine,
) -> None:
    typed("git clone", machine)
    assert version(machine) == IT
    typed("python -m pip uninstall", machine, only="pip uninstall")
    typed("python -m pip wheel", machine)
    assert version(machine) == IT


def test_a_development_dependency_is_read_by_pip_and_by_uv(machine: Machine) -> None:
    succeeded(machine.run("python", "-m", "pip", "install", "--quiet", "--upgrade", "pip", "uv"))
    project = '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.10"\n'
    (machine.work / "pyproject.toml").write_text(project + block("[dependency-groups]"))
    succeeded(machine.run("pip", "install", "--quiet", "--group", "dev"))
    assert version(machine) == IT
    succeeded(machine.run("uv", "sync", "--quiet", more={"UV_NO_GITHUB_FAST_PATH": "1"}))
    assert version(machine, ".venv/bin/keptalive") == IT


def test_a_line_of_a_requirements_file_is_enough(machine: Machine) -> None:
    (machine.work / "requirements-dev.txt").write_text(block("keptalive @ git+"))
    succeeded(machine.run("python", "-m", "pip", "install", "-r", "requirements-dev.txt"))
    assert version(machine) == IT


def test_uv_adds_it_to_a_project_and_removes_it(machine: Machine) -> None:
    succeeded(machine.run("python", "-m", "pip", "install", "--quiet", "uv"))
    project = '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.10"\n'
    (machine.work / "pyproject.toml").write_text(project)
    assert IT in typed("uv add", machine)
    typed("python -m pip uninstall", machine, only="uv remove")
    assert not (machine.work / ".venv" / "bin" / "keptalive").exists()


@pytest.mark.parametrize("tool", ["pipx", "uv"])
def test_a_keptalive_of_its_own_watches_a_program_of_another_environment(
    tool: str,
    machine: Machine,
    serve: Callable[..., Server],
) -> None:
    succeeded(machine.run("python", "-m", "pip", "install", "--quiet", tool))
    words = "pipx install" if tool == "pipx" else "uv tool install"
    typed(words, machine)
    copied_to(machine.work)
    succeeded(machine.run("python", "-m", "venv", ".venv"))
    succeeded(machine.run(".venv/bin/python", "-m", "pip", "install", "-qr", "requirements.txt"))
    (command,) = lines_of(block("keptalive run"))
    shown = succeeded(
        machine.run(
            *["bash", "-ec", f'PATH="$HOME/.local/bin:$PATH"; {command}'],
            more={"API_URL": serve().url.rstrip("/")},
        )
    )
    assert "3 requests, 1 connection" in shown
    typed("python -m pip uninstall", machine, only=words.replace("install", "uninstall"))
    assert not (machine.folder / "home" / ".local" / "bin" / "keptalive").exists()
