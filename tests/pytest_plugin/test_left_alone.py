"""Where the plugin is not used, it is not noticed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import keptalive


def test_unused_it_imports_nothing_of_what_it_watches(project):
    shutil.rmtree(project.path / "shopclient")
    (project.path / "conftest.py").unlink()
    project.write(
        """
        import sys

        def test_it():
            names = {name.split(".")[0] for name in sys.modules}
            assert "keptalive" in names
            assert names & {"requests", "urllib3", "rich"} == set()
            assert {n for n in sys.modules if n.startswith("keptalive.")} == {
                "keptalive.errors",
                "keptalive.pytest_plugin",
                "keptalive.pytest_plugin.connections",
                "keptalive.pytest_plugin.deferred",
                "keptalive.pytest_plugin.rules",
            }
        """
    )
    project.elsewhere("-W", "error", "--strict-markers").assert_outcomes(passed=1)


def test_what_its_imports_warn_of_is_no_matter_of_the_project(project):
    (project.path / "conftest.py").unlink()
    project.write('__version__ = "99.0"', "chardet.py")  # which requests warns of
    project.write(
        """
        import sys
        import pytest

        @pytest.fixture(autouse=True)
        def _loaded_before_any_test_can_forge_modules_files_or_time():
            assert "keptalive.watching.api" in sys.modules

        @pytest.mark.connections(at_most=0)
        def test_it():
            assert "chardet" in sys.modules
        """
    )
    result = project.elsewhere("-W", "error", "-p", "no:benchmark")
    result.assert_outcomes(passed=1)
    result = project.elsewhere("-o", "filterwarnings=default", "-p", "no:benchmark")
    result.assert_outcomes(passed=1, warnings=0)


def test_it_can_be_left_out(project):
    result = project.run(
        """
        def test_it(request):
            with pytest.raises(pytest.FixtureLookupError):
                request.getfixturevalue("connections")
        """,
        "-p",
        "no:keptalive",
    )
    result.assert_outcomes(passed=1)
    result = project.again("-p", "no:keptalive", "--connections")
    result.stderr.fnmatch_lines(["*unrecognized arguments: --connections*"])


def test_no_warning_says_that_it_was_imported_before_pytest(tmp_path):
    # an editable installation, as ours, hides from pytest which modules belong to the plugin
    package = tmp_path / "keptalive"
    shutil.copytree(Path(keptalive.__file__).parent, package)
    files = {
        "METADATA": "Metadata-Version: 2.1\nName: keptalive\nVersion: 0.1.0\n",
        "entry_points.txt": "[pytest11]\nkeptalive = keptalive.pytest_plugin\n",
        "RECORD": "keptalive/__init__.py,,\nkeptalive/pytest_plugin/__init__.py,,\n",
    }
    (tmp_path / "keptalive-0.1.0.dist-info").mkdir()
    for name, text in files.items():
        (tmp_path / "keptalive-0.1.0.dist-info" / name).write_text(text)
    (tmp_path / "test_it.py").write_text(
        f"import keptalive\ndef test_it(): assert keptalive.__file__.startswith({str(package)!r})"
    )
    command = "import keptalive, pytest; raise SystemExit(pytest.main(['-q', '-W', 'error']))"
    ran = subprocess.run(
        [sys.executable, "-c", command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stderr, ran.returncode) == ("", 0)
