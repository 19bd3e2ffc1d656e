"""The workflow of a release: what it checks and builds is executed; publishing is GitHub's."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.installing.machine import ROOT, Machine, copy_of_the_repository
from tests.installing.runner import Ended, Runner, read

from keptalive.version import VERSION

RELEASE = read(ROOT / ".github" / "workflows" / "release.yml")
CHECK = "The tag is the version, and the changelog has its date"
OTHERS = [step["name"] for step in RELEASE["jobs"]["build"]["steps"] if "name" in step]
OTHERS.remove(CHECK)


def with_heading(folder: Path, heading: str) -> None:
    changes = folder / "CHANGELOG.md"
    changes.write_text(re.sub(rf"^## {VERSION}, .*$", heading, changes.read_text(), flags=re.M))


def checked(folder: Path, tag: str) -> Ended:
    """Execute the first check alone."""
    runner = Runner(
        folder,
        folder / "runner",
        actions={},
        environment=os.environ,
        without=OTHERS,
        github={"ref_name": tag},
    )
    return runner.run_job(RELEASE, "build")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that the check reads."""
    for name in ("CHANGELOG.md", "src/keptalive/version.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path


def test_a_tag_that_is_not_the_version_is_no_release(checkout: Path) -> None:
    ended = checked(checkout, "v999.0")
    assert ended.failed
    assert ended.output == f"::error::version.py says {VERSION}, and the tag is v999.0\n"


def test_a_version_whose_changes_have_no_date_is_no_release(checkout: Path) -> None:
    with_heading(checkout, f"## {VERSION}, unreleased")
    ended = checked(checkout, f"v{VERSION}")
    assert ended.failed
    assert ended.output.startswith("::error::CHANGELOG.md has no line")


def test_a_version_with_its_tag_and_its_date_is_a_release(checkout: Path) -> None:
    with_heading(checkout, f"## {VERSION}, 2030-01-31")
    assert not checked(checkout, f"v{VERSION}").failed


@pytest.mark.complete
def test_the_files_of_a_release_are_built_and_the_wheel_is_tried(
    tmp_path: Path, new_machine: Callable[[str], Machine]
) -> None:
    folder = copy_of_the_repository(tmp_path / "checkout")
    with_heading(folder, f"## {VERSION}, 2030-01-31")
    runner = Runner(
        folder,
        tmp_path / "runner",
        actions={},
        environment=new_machine("releaser").variables,
        without=["Check and test"],
        github={"ref_name": f"v{VERSION}"},
    )
    ended = runner.run_job(RELEASE, "build")
    assert not ended.failed, ended.output
    assert "All counts agree" in ended.output
    names = {path.name for path in (folder / "dist").iterdir()}
    assert names == {f"keptalive-{VERSION}-py3-none-any.whl", f"keptalive-{VERSION}.tar.gz"}
