"""Where the programs of these tests find what they import."""

from __future__ import annotations

import pytest

from .running import PROGRAMS


@pytest.fixture(autouse=True)
def _programs(monkeypatch, tmp_path):
    """The watcher is importable here and not there, so that it has to be brought along."""
    monkeypatch.syspath_prepend(PROGRAMS)
    lib = tmp_path / "lib"
    lib.mkdir()
    (lib / "calls.py").write_text((PROGRAMS / "calls.py").read_text())
    monkeypatch.setenv("PYTHONPATH", str(lib))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(tmp_path)
