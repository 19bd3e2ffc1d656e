"""Where a suite runs: its sdist, a virtual environment for it, and no network but loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from outcomes import last_line
from suites import Suite

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent


class CannotCompareError(Exception):
    """This machine lacks something that the comparison needs."""


def isolation() -> list[str]:
    """The command before a command, that leaves it nothing but loopback."""
    unshare = ["unshare", "--net"]
    if os.geteuid() != 0:
        unshare.insert(1, "--map-root-user")
    command = [*unshare, sys.executable, str(HERE / "loopback_only.py")]
    try:
        tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CannotCompareError("there is no unshare here (Linux, util-linux)") from None
    if tried.returncode:
        raise CannotCompareError(
            f"no network namespace can be made here, be root: {last_line(tried.stderr)}"
        )
    return command


def pip(python: Path, *arguments: str, within: Path | None = None) -> None:
    done = subprocess.run(
        [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=within,
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        why = errors[-1].strip() if errors else last_line(done.stderr)
        raise CannotCompareError(f"pip {' '.join(arguments)}: {why}")


def make_environment(folder: Path) -> Path:
    """A virtual environment's Python."""
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        command = [sys.executable, "-m", "venv", str(folder / "venv")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(folder / "venv", ignore_errors=True)
            raise CannotCompareError("no venv (on Debian: apt-get install python3-venv)")
        pip(python, "install", "--upgrade", "pip>=25.1")  # the first to read dependency groups
    return python


def fetch(python: Path, suite: Suite, version: str, folder: Path) -> Path:
    """The unpacked sdist, without the package in it: the installed one is what is tested."""
    unpacked = folder / f"{suite.package}-{version}"
    if not unpacked.exists():
        pip(python, "download", "--no-deps", f"--no-binary={suite.package}", f"--dest={folder}",
            f"{suite.package}=={version}")  # fmt: skip
        (sdist,) = folder.glob(f"{suite.package}-{version}*.tar.gz")
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        for package in (unpacked / suite.package, unpacked / "src"):
            shutil.rmtree(package, ignore_errors=True)
    if not (unpacked / suite.tests).is_dir():
        raise CannotCompareError(f"the sdist of {suite.package} {version} has no tests")
    return unpacked


def install(
    python: Path, suite: Suite, version: str, unpacked: Path, requirements: list[str]
) -> None:
    """The package at this version, what its suite needs, and keptalive beside them."""
    needed = unpacked.parent / "needed.txt"
    dev = unpacked / suite.requirements
    if dev.suffix == ".txt":
        lines = dev.read_text().splitlines()
        needed.write_text("\n".join(line for line in lines if not line.startswith("-e")))
        listed = f"--requirement={needed}"
    else:
        listed = f"--group={dev}:dev"
    # all at once: keptalive's own requirements must not contradict the suite's
    pip(python, "install", f"{suite.package}[{suite.extras}]=={version}", *requirements,
        *suite.also_needed, listed, str(PROJECT))  # fmt: skip
    # as it is now, in an environment that was kept too
    pip(python, "install", "--no-deps", "--force-reinstall", str(PROJECT))


def describe(python: Path, suite: Suite) -> str:
    script = (
        "import importlib.metadata, platform, ssl, sys\n"
        "print('Python', platform.python_version() + ',', ssl.OPENSSL_VERSION, end='')\n"
        "for name in sys.argv[1:]: print(',', name, importlib.metadata.version(name), end='')\n"
    )
    command = [str(python), "-c", script, *suite.described]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
