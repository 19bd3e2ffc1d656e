"""Where the plugin is not used, it is not noticed."""

from __future__ import annotations

import shutil


def test_unused_it_imports_nothing_of_what_it_watches(project):
    shutil.rmtree(project.path / "shopclient")
    (project.path / "conftest.py").unlink()
    project.write(
        """
        import sys

        def test_it(record_property):
            names = {name.split(".")[0] for name in sys.modules}
            assert "keptalive" in names
            assert names & {"requests", "urllib3", "rich"} == set()
            assert [n for n in sys.modules if n.startswith("keptalive.")] == [
                "keptalive.errors", "keptalive.pytest_plugin"
            ]
        """
    )
    project.elsewhere("-W", "error", "--strict-markers").assert_outcomes(passed=1)


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
