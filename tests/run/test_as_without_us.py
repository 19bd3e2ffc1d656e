"""A program sees what it would see without us: arguments, streams, terminal, modules."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .running import PROGRAMS, code, connects, on_terminal, until, watched, whole


@pytest.mark.parametrize("how", ["script", "module", "folder", "zip"])
def test_a_program_sees_what_it_would_see_without_us(how, tmp_path, monkeypatch):
    monkeypatch.chdir(PROGRAMS)
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(PROGRAMS / "looks.py", folder / "__main__.py")
    zipped = shutil.make_archive(str(tmp_path / "zipped"), "zip", folder)
    shutil.move(zipped, tmp_path / "zipped.pyz")
    what = {
        "script": ["looks.py"],
        "module": ["looks"],
        "folder": [str(folder)],
        "zip": [str(tmp_path / "zipped.pyz")],
    }[how]
    arguments = [*what, "--flag", "a b", ""]
    plain = subprocess.run(
        [sys.executable, *(["-m"] if how == "module" else []), *arguments],
        input=b"typed",
        capture_output=True,
        check=False,
    )
    result = tmp_path / "ran.json"
    driver = [sys.executable, str(PROGRAMS / "driver.py"), str(result)]
    if how == "module":
        driver += [sys.executable, "-m"]
    seen = subprocess.run([*driver, *arguments], input=b"typed", capture_output=True, check=False)
    assert json.loads(seen.stdout) == json.loads(plain.stdout)
    assert (seen.returncode, seen.stderr) == (plain.returncode, plain.stderr) == (7, b"to stderr\n")
    assert len(json.loads(result.read_text())["processes"]) == 1


def test_a_module_runs_by_its_name(capfd):
    (Path("package")).mkdir()
    Path("package/__main__.py").write_text("import calls, sys; calls.connect(2); print(sys.argv)")
    ran = watched("package", "x", module=True)
    assert connects(ran) == [2]
    assert whole(ran)
    assert capfd.readouterr().out == f"[{str(Path('package/__main__.py').resolve())!r}, 'x']\n"


def test_an_open_file_of_the_shell_reaches_the_program(tmp_path):
    with (tmp_path / "fd").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        code(f"import os; os.write({file.fileno()}, b'through')")
    assert (tmp_path / "fd").read_text() == "through"


def test_a_sitecustomize_of_theirs_runs_in_its_place(tmp_path, capfd):
    (tmp_path / "lib" / "sitecustomize.py").write_text("here = 1")
    show = "import sys, sitecustomize as s; print(s.here, s.__file__, sys.modules[s.__name__] is s)"
    ran = code(show)
    assert capfd.readouterr().out == f"1 {tmp_path / 'lib' / 'sitecustomize.py'} True\n"
    assert whole(ran)
    (tmp_path / "lib" / "sitecustomize.py").write_text("raise ValueError")
    plain = subprocess.run([sys.executable, "-c", ""], capture_output=True, text=True, check=True)
    assert whole(code(""))
    shown = capfd.readouterr().err
    assert shown == plain.stderr
    assert "Error in sitecustomize" in shown


def test_nothing_is_left_behind(tmp_path):
    code("")
    assert [path.name for path in tmp_path.iterdir()] == ["lib"]


def test_reports_are_private_while_it_runs(capfd):
    code("import os; print(oct(os.stat(os.environ['KEPTALIVE_REPORTS']).st_mode & 0o777))")
    assert capfd.readouterr().out == "0o700\n"


def test_a_terminal_stays_a_terminal():
    ask = "import sys; print(sys.stdin.isatty(), sys.stdout.isatty(), input('name? '))"
    with on_terminal(sys.executable, "-c", ask) as running:
        until(running.stdout, b"name? ")
        running.stdin.write(b"me\n")
        running.stdin.flush()
        shown = running.stdout.read()
    assert running.returncode == 0
    assert shown.replace(b"\r", b"") == b"me\nTrue True me\n"
