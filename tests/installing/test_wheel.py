"""The package as users get it: in an environment that has nothing else, outside the repository."""

from __future__ import annotations

import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from tests.installing.machine import Machine, succeeded

from keptalive.version import VERSION

pytestmark = pytest.mark.complete


def test_bench_works_and_leaves_no_file_but_its_result(installed: Machine) -> None:
    before = installed.files("home", "temporary", "work")
    shown = succeeded(installed.run("keptalive", "bench", "--rounds", "1"))
    assert "All counts agree" in shown
    (left,) = installed.files("home", "temporary", "work") - before
    assert Path(left).parent.as_posix() == "work/results"
    assert Path(left).suffix == ".json"


def test_the_command_and_the_module_are_the_same(installed: Machine) -> None:
    for command in (["keptalive"], ["python", "-m", "keptalive"]):
        assert succeeded(installed.run(*command, "--version")) == f"keptalive {VERSION}\n"


def test_the_wheel_has_the_package_and_its_licence_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = message_from_bytes(archive.read(f"keptalive-{VERSION}.dist-info/METADATA"))
    assert {name.split("/")[0] for name in names} == {"keptalive", f"keptalive-{VERSION}.dist-info"}
    assert {"keptalive/py.typed", f"keptalive-{VERSION}.dist-info/licenses/LICENSE"} <= set(names)
    assert metadata.get_all("Provides-Extra") == ["elasticsearch", "otel", "scale", "trace"]
    assert "keptalive/render/html/templates/page.html" in names
