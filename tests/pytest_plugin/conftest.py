"""Somebody's project, tests/data/shopclient, and what pytest shows of tests added to it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from textwrap import dedent

import pytest

import keptalive.causes.judge
import keptalive.render.in_tests
import keptalive.watching.api  # noqa: F401 - here once, rather than anew in each project

SHOPCLIENT = Path(__file__).parent.parent / "data" / "shopclient"
# hypothesis imports, and pytest rewrites, more than all the rest
LEAN = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
BEGINNING = "import pytest, requests\nfrom shopclient import *\n\nBASKET = ['tea', 'milk']\n"


class Project:
    """A folder with the shop's client, its conftest.py and settings."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.path = pytester.path

    def run(self, test: str, *options: str) -> pytest.RunResult:
        """Run a test file that has the client and a BASKET at hand, in this process."""
        self.write(BEGINNING + dedent(test))
        return self.again(*options)

    def write(self, test: str, name: str = "test_it.py") -> None:
        (self.path / name).write_text(dedent(test))

    def again(self, *options: str) -> pytest.RunResult:
        return self._pytester.runpytest_inprocess(*LEAN, *options)

    def elsewhere(self, *options: str) -> pytest.RunResult:
        """In a process of its own."""
        return self._pytester.runpytest_subprocess(*LEAN, *options)

    def shown(self, result: pytest.RunResult) -> str:
        """What pytest printed, with SHOP in place of the server's address."""
        return re.sub(r"127\.0\.0\.1:\d+", "SHOP", result.stdout.str())


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Without tests; 80 columns, and no colours or CI to change what is shown."""
    for name in (
        "CI",
        "BUILD_NUMBER",
        "FORCE_COLOR",
        "PY_COLORS",
        "PYTEST_ADDOPTS",
        "PYTEST_XDIST_WORKER",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    shutil.copytree(SHOPCLIENT, pytester.path, dirs_exist_ok=True)
    shutil.rmtree(pytester.path / "tests")
    return Project(pytester)


@pytest.fixture
def refused() -> str:
    """How two requests without a Session are refused where one connection is allowed."""
    return """\
opened 2 connections to http://SHOP, at most 1 allowed
1 × new-session:
  a new Session, or requests.get, began with an empty pool
  Sessions made at shopclient/client.py:5.
  → Make one Session, keep it, and use it for every request to this
    host.
1 × first-use (necessary)
"""
