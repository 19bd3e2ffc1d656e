"""New environments, as a person or a CI has them: one folder each, nothing of ours within."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_KEPT = ("PATH", "LANG", "SSL_CERT_FILE")  # and what tells pip where packages come from


@dataclass(frozen=True)
class Machine:
    """Somebody's machine: a home and a folder for temporary files, both empty, and a Python.

    Attributes:
        folder: has all of it, and an environment where nothing is installed but pip.
        downloads: where pip and uv keep what they have downloaded; machines may share it.
    """

    folder: Path
    downloads: Path

    @classmethod
    def made_in(cls, folder: Path, downloads: Path) -> Machine:
        """A new one."""
        machine = cls(folder, downloads)
        for name in ("home", "temporary", "work"):
            (folder / name).mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        return machine

    @property
    def work(self) -> Path:
        """The working folder."""
        return self.folder / "work"

    @property
    def variables(self) -> dict[str, str]:
        """Its environment, with its Python first on the PATH."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in _KEPT or name.startswith(("PIP_", "UV_"))
        }
        return {
            **kept,
            "PATH": f"{self.folder / 'venv' / 'bin'}{os.pathsep}{kept['PATH']}",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "temporary"),
            "PIP_CACHE_DIR": str(self.downloads / "pip"),
            "UV_CACHE_DIR": str(self.downloads / "uv"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def run(
        self, *command: object, more: Mapping[str, str] | None = None, within: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with both of its streams in `stdout`."""
        started = self.start(*command, more=more, within=within)
        output, _ = started.communicate()
        return subprocess.CompletedProcess(started.args, started.returncode, output)

    def start(
        self, *command: object, more: Mapping[str, str] | None = None, within: Path | None = None
    ) -> subprocess.Popen[str]:
        """Start a command; what it says, to both of its streams, comes from `stdout`."""
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=within or self.work,
            env={**self.variables, **(more or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def files(self, *below: str) -> set[str]:
        """Every file in these of its folders."""
        return {
            path.relative_to(self.folder).as_posix()
            for folder in below
            for path in (self.folder / folder).rglob("*")
            if path.is_file()
        }


def copy_of_the_repository(folder: Path) -> Path:
    """What somebody who clones this repository has, without its history."""
    left_out = shutil.ignore_patterns(".git", ".venv*", "__pycache__", ".*_cache", ".nox", "dist")
    return Path(shutil.copytree(ROOT, folder, ignore=left_out, symlinks=True))


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    """The output of a command that must have worked."""
    assert done.returncode == 0, done.stdout
    return done.stdout


def lines_of(block: str) -> Sequence[str]:
    """The commands of a block of a page."""
    return [line for line in block.splitlines() if line and not line.startswith("#")]
