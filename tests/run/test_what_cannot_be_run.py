"""What cannot be run gets one line and a next step."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from threading import Thread

import pytest

from keptalive.errors import UsageError

from .running import watched


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([], "There is nothing to run"),
        (["missing.py"], "There is no missing.py"),
        (["./missing"], "There is no ./missing"),
        (["folder"], "folder is a folder without __main__.py"),
        (["wrong.py"], "wrong.py, line 2: invalid syntax"),
        (["binary.py"], "binary.py is a binary file"),
        (["latin.py"], "latin.py"),
        (["no-such-command"], "There is no command no-such-command on the PATH"),
        (["timeit"], "There is no command timeit. Next: keptalive run -m timeit"),
        (["plain.txt"], "plain.txt is neither a command nor a Python script"),
        (["./plain.txt"], "./plain.txt is neither a command nor a Python script"),
        (["./no-interpreter"], "./no-interpreter cannot be started: what its first line asks for"),
        (["a\nb.py"], r"There is no 'a\nb.py'"),
        (["a" * 5000], f"{'a' * 80} cannot be looked for: File name too long"),
        (["./no-format"], "./no-format cannot be started: Exec format error"),
    ],
)
def test_what_cannot_be_run_gets_one_line_and_a_next_step(command, said, capfd):
    Path("folder").mkdir()
    Path("wrong.py").write_text("import calls\nfor for\n")
    Path("binary.py").write_bytes(b"\x7fELF\0\0")
    Path("latin.py").write_bytes(b"x = '\xe9'\n")
    Path("plain.txt").write_text("hello")
    for name, text in (("no-interpreter", "#!/no/such/python\n"), ("no-format", "hello")):
        Path(name).write_text(text)
        Path(name).chmod(0o755)
    with pytest.raises(UsageError) as raised:
        watched(*command)
    message = str(raised.value)
    assert message.startswith(said)
    assert "Next: " in message
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module", "There is no module no_such_module"),
        ("json.no_such", "There is no module json.no_such"),
        ("timeit.no_such", "There is no module timeit.no_such"),
        ("xml", "xml is a package without __main__"),
        ("", "There is no module to run"),
        ("wrong", r"wrong\.py, line 1: invalid syntax"),
    ],
)
def test_a_module_that_cannot_be_run(name, said):
    Path("wrong.py").write_text("for for\n")
    with pytest.raises(UsageError, match=said):
        watched(name, module=True)


def test_a_missing_module_is_found_out_without_running_its_package():
    Path("loud").mkdir()
    Path("loud/__init__.py").write_text("raise SystemExit('ran')")
    with pytest.raises(UsageError, match=r"There is no module loud\.x"):
        watched("loud.x", module=True)


def test_a_working_directory_that_is_gone_is_said():
    Path("gone").mkdir()
    os.chdir("gone")
    Path("../gone").rmdir()
    with pytest.raises(UsageError, match=r"x\.py cannot be looked for: No such file or directory"):
        watched("x.py")


def test_a_script_may_have_the_name_of_an_option(capfd):
    Path("-x.py").write_text("import sys; print(sys.argv)")
    assert watched("-x.py", "-y").exit_code == 0
    assert capfd.readouterr().out == "['-x.py', '-y']\n"


def test_what_can_be_read_once_only_is_left_to_the_program(capfd):
    os.mkfifo("script.py")
    Thread(target=lambda: Path("script.py").write_text("print('fine')"), daemon=True).start()
    assert watched("script.py").exit_code == 0
    assert capfd.readouterr().out == "fine\n"


def test_a_console_script_beside_our_python_needs_no_activated_environment(monkeypatch):
    scripts = Path(sys.executable).parent
    if not (scripts / "pytest").exists():
        pytest.skip(f"no pytest in {sysconfig.get_path('scripts')}")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert watched("pytest", "--version").exit_code == 0
