"""Somebody's program under watch: as without us, and a report from each process that took part."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from pathlib import Path
from typing import IO

import pytest

import keptalive
from keptalive.errors import UsageError
from keptalive.watching.program import Ran, run

PROGRAMS = Path(__file__).parent.parent / "data" / "programs"
PYTHONS = [
    found
    for version in ("3.10", "3.12", "3.13")
    for found in sorted(Path("/root/.pyenv/versions").glob(f"{version}.*/bin/python"))
    or [shutil.which(f"python{version}")]
    if found
]


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


def watched(*command: object, watcher: str = "counting.start", module: bool = False) -> Ran:
    return run([str(word) for word in command], module=module, watcher=watcher)


def code(text: str, **options: str) -> Ran:
    return watched(sys.executable, "-c", text, **options)


def connects(ran: Ran) -> list[int]:
    return [report["report"]["connects"] for report in ran.reports]


def ended(ran: Ran) -> list[str]:
    return [report["ended"] for report in ran.reports]


def whole(ran: Ran) -> bool:
    """Nobody is missing, and nothing is to be said."""
    return (ran.processes_without_report, ran.warnings) == (0, ())


# -- As without us -------------------------------------------------------------------------------


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
    assert len(json.loads(result.read_text())["reports"]) == 1


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


def on_terminal(*command: object) -> subprocess.Popen[bytes]:
    driver = [sys.executable, PROGRAMS / "driver.py", "ran.json", *command]
    return subprocess.Popen(
        [sys.executable, PROGRAMS / "terminal.py", *driver],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def until(stream: IO[bytes], wanted: bytes) -> None:
    shown = b""
    while wanted not in shown:
        byte = stream.read(1)
        assert byte, shown
        shown += byte


def test_a_terminal_stays_a_terminal():
    ask = "import sys; print(sys.stdin.isatty(), sys.stdout.isatty(), input('name? '))"
    with on_terminal(sys.executable, "-c", ask) as running:
        until(running.stdout, b"name? ")
        running.stdin.write(b"me\n")
        running.stdin.flush()
        shown = running.stdout.read()
    assert running.returncode == 0
    assert shown.replace(b"\r", b"") == b"me\nTrue True me\n"


# -- Ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "exit_code", "how"),
    [
        ("", 0, "exit"),
        ("import sys; sys.exit(3)", 3, "exit"),
        ("raise ValueError", 1, "exit"),
        ("import os; os._exit(4)", 4, "os._exit"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", 130, "exit"),
        ("import threading as t; t.Thread(target=t.Event().wait, daemon=True).start()", 0, "exit"),
        ("import atexit; atexit._clear()", 0, None),
    ],
)
def test_each_end_reports_once_and_keeps_its_exit_code(text, exit_code, how, capfd):
    ran = code(f"import calls; calls.connect(2); {text}")
    assert ran.exit_code == exit_code
    assert ended(ran) == [how]
    assert connects(ran) == [2] or (how is None and connects(ran) == [1])
    assert whole(ran)


def test_calls_in_exit_handlers_and_late_threads_count():
    ran = code(
        "import atexit, calls, threading, time\n"
        "atexit.register(calls.connect)\n"
        "threading.Thread(target=lambda: (threading.main_thread().join(), calls.connect())).start()"
    )
    assert connects(ran) == [2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_process_leaves_what_was_noted_or_is_counted_as_without_report(number):
    ran = code(f"import calls, os; calls.connect(); os.kill(os.getpid(), {int(number)})")
    assert (ran.exit_code, ended(ran), connects(ran)) == (128 + number, [None], [1])
    assert whole(ran)
    ran = code(f"import os; os.kill(os.getpid(), {int(number)})")
    assert (ran.exit_code, ran.reports, ran.processes_without_report) == (128 + number, (), 1)


def test_the_handlers_of_signals_are_those_of_python(capfd):
    code("import signal; print(signal.getsignal(15) == signal.SIG_DFL)")
    assert capfd.readouterr().out == "True\n"


def test_exec_reports_for_both_programs():
    ran = code(
        "import calls, os, sys; calls.connect(2)\n"
        "os.execlp(sys.executable, 'python', '-c', 'import calls; calls.connect()')"
    )
    assert (ended(ran), connects(ran)) == (["exec", "exit"], [2, 1])
    assert len({report["pid"] for report in ran.reports}) == 1


def test_an_exec_that_fails_changes_nothing():
    ran = code(
        "import calls, os\n"
        "try: os.execv('/dev/null', ['x'])\n"
        "except PermissionError: calls.connect()\n"
        "try: os.execvp('no-such-command', ['x'])\n"
        "except FileNotFoundError: calls.connect()"
    )
    assert (ended(ran), connects(ran)) == (["exit"], [2])


# -- Several processes ---------------------------------------------------------------------------


def test_a_fork_reports_its_own_share_only():
    fork = (
        "import calls, os; calls.connect(4); pid = os.fork()\n"
        "calls.connect(1 if pid else 2)\n"
        "if pid: os.wait()"
    )
    assert connects(code(fork)) == [5, 2]
    assert connects(code(fork, watcher="counting.start_told")) == [5, 102]


def test_a_fork_warns_of_no_thread_of_ours(capfd):
    for python in [sys.executable, *PYTHONS]:
        text = "import os; os.fork() and os.wait(); os.fork() and os.wait()"
        assert len(watched(python, "-W", "error", "-c", text).reports) == 4
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", ["pool", "process"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_report(method, kind, capfd):
    ran = watched(PROGRAMS / "workers.py", method, kind)
    assert (ran.exit_code, sum(connects(ran))) == (0, 4)
    assert whole(ran)
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_is_terminated_leaves_what_it_noted():
    ran = code(
        "import calls, multiprocessing as m, time\n"
        "told = m.Event()\n"
        "def work(): calls.connect(); told.set(); time.sleep(60)\n"
        "worker = m.get_context('fork').Process(target=work)\n"
        "worker.start(); told.wait(); worker.terminate(); worker.join()"
    )
    assert (ended(ran), connects(ran)) == (["exit", None], [0, 1])


def test_children_report_whoever_starts_them(tmp_path):
    Path("x.py").write_text("import calls; calls.connect()")
    python = sys.executable
    ran = watched("sh", "-c", f"{python} x.py; {python} x.py")
    assert connects(ran) == [1, 1]
    ran = code("import subprocess, sys; subprocess.run([sys.executable, 'x.py'])")
    assert connects(ran) == [0, 1]
    script = Path("tool")
    script.write_text(f"#!{python}\nimport calls; calls.connect(3)")
    script.chmod(0o755)
    assert connects(watched("./tool")) == [3]


def test_a_fork_that_becomes_another_program_at_once_is_no_process_without_report():
    ran = code("import subprocess; subprocess.run(['true'], preexec_fn=lambda: None)")
    assert len(ran.reports) == 1
    assert whole(ran)


def test_pytest_runs_as_ever_and_reports(capfd):
    Path("test_it.py").write_text("import calls\n\ndef test_it():\n    calls.connect()\n")
    ran = watched("pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
    assert "1 passed" in capfd.readouterr().out
    assert (ran.exit_code, connects(ran)) == (0, [1])


def test_workers_of_gunicorn_report():
    pytest.importorskip("gunicorn", reason="gunicorn is not installed: pip install gunicorn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shutil.copy(PROGRAMS / "wsgi.py", "wsgi.py")
    command = [sys.executable, str(PROGRAMS / "driver.py"), "ran.json", "gunicorn"]
    options = ["-b", f"127.0.0.1:{port}", "-w", "2", "wsgi"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as serving:
        assert any("Booting worker" in line for line in serving.stderr)
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5).close()
                break
            except OSError:
                time.sleep(0.05)
        serving.stderr.read()
    ran = json.loads(Path("ran.json").read_text())
    assert sum(report["report"]["connects"] for report in ran["reports"]) == 1
    assert (serving.returncode, len(ran["reports"]), ran["processes_without_report"]) == (0, 3, 0)


def test_a_process_that_outlives_the_program_is_said():
    ran = code(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'print(1, flush=True); "
        "import time; time.sleep(5)'], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()"
    )
    assert (len(ran.reports), ran.processes_without_report) == (1, 1)
    assert ran.warnings == ("1 of its processes still run: what they do from here on is not seen",)


# -- Signals -------------------------------------------------------------------------------------


def driven(*command: object, **options: object) -> subprocess.Popen[bytes]:
    driver = [sys.executable, PROGRAMS / "driver.py", "ran.json"]
    return subprocess.Popen([*driver, *command], stdout=subprocess.PIPE, **options)


@pytest.mark.parametrize(
    ("arguments", "number", "exit_code", "how"),
    [
        ([], signal.SIGTERM, 143, None),
        (["handle"], signal.SIGTERM, 5, "exit"),
        ([], signal.SIGINT, 4, "exit"),
    ],
)
def test_a_signal_to_us_goes_to_the_program(arguments, number, exit_code, how):
    with driven(PROGRAMS / "waits.py", *arguments, start_new_session=True) as running:
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(number)
        running.stdout.read()
    ran = json.loads(Path("ran.json").read_text())
    assert (running.returncode, ran["exit_code"]) == (exit_code, exit_code)
    assert [report["ended"] for report in ran["reports"]] == [how]


def test_ctrl_c_interrupts_the_program_once():
    with on_terminal(PROGRAMS / "waits.py") as running:
        until(running.stdout, b"ready")
        running.stdin.write(b"\x03")
        running.stdin.flush()
        shown = running.stdout.read()
    assert running.returncode == 4
    assert shown.count(b"interrupted once") == 1
    assert b"Traceback" not in shown
    assert json.loads(Path("ran.json").read_text())["reports"][0]["report"] == {"connects": 1}


def test_an_ignored_signal_stays_ignored(capfd):
    show = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        code(show)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert capfd.readouterr().out == "True\n"


# -- Faults of ours ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("watcher", "said"),
    [
        ("counting.broken", "not watched: RuntimeError: broken watcher"),
        ("counting.Faulty", "no report: ValueError: no report today"),
        ("counting.not_json", "no report: TypeError"),
        ("counting.a_list", "no report: TypeError: a report is a dict, not a list"),
        ("counting.missing", "not watched: AttributeError"),
        ("counting.missing.start", "not watched: ModuleNotFoundError"),
    ],
)
def test_a_fault_of_the_watcher_is_a_warning_and_no_more(watcher, said, capfd):
    ran = code("print('fine')", watcher=watcher)
    assert capfd.readouterr() == ("fine\n", "")
    assert (ran.exit_code, ran.reports, ran.processes_without_report) == (0, (), 1)
    (warning,) = ran.warnings
    assert said in warning


def test_a_report_that_never_comes_delays_the_end_by_a_second_at_most():
    began = time.monotonic()
    ran = code("import os; os._exit(3)", watcher="counting.Locked")
    assert (ran.exit_code, ran.processes_without_report) == (3, 1)
    assert time.monotonic() - began < 5


def test_processes_that_ignore_pythonpath_are_not_watched_and_that_is_said():
    ran = watched(sys.executable, "-I", "-c", "")
    assert (ran.reports, ran.processes_without_report) == ((), 0)
    assert "no Python process took part" in ran.warnings[0]


def test_a_fork_after_the_run_has_ended_disturbs_nobody(tmp_path, capfd):
    code(
        "import os, shutil; shutil.rmtree(os.environ['KEPTALIVE_REPORTS']); os.fork() and os.wait()"
    )
    assert capfd.readouterr() == ("", "")


# -- Other Pythons -------------------------------------------------------------------------------


@pytest.mark.parametrize("python", PYTHONS, ids=str)
def test_every_python_that_we_support_reports(python):
    ran = watched(
        python,
        "-c",
        "import calls, multiprocessing as m, os\n"
        "calls.connect()\n"
        "p = m.get_context('fork').Process(target=calls.connect, args=[2])\n"
        "p.start(); p.join()\n"
        "pid = os.fork()\n"
        "if not pid: calls.connect(3); os._exit(0)\n"
        "os.wait()",
    )
    assert connects(ran) == [1, 2, 3]
    assert whole(ran)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("python", PYTHONS, ids=str)
def test_we_run_on_every_python_that_we_support(python, method, tmp_path, capfd, monkeypatch):
    package = Path(keptalive.__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", f"{package}{os.pathsep}{tmp_path / 'lib'}")
    driver = [python, "-W", "error", PROGRAMS / "driver.py", "ran.json"]
    subprocess.run([*driver, python, "-W", "error", PROGRAMS / "workers.py", method, "pool"])
    ran = json.loads(Path("ran.json").read_text())
    assert sum(report["report"]["connects"] for report in ran["reports"]) == 4
    assert (ran["exit_code"], ran["processes_without_report"], ran["warnings"]) == (0, 0, [])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.9"])
def test_an_older_python_runs_unwatched_and_that_is_said(version, capfd):
    found = sorted(Path("/root/.pyenv/versions").glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"there is no Python {version} here")
    ran = watched(found[0], "-B", "-c", "print('fine')")
    assert capfd.readouterr() == ("fine\n", "")
    assert (ran.reports, ran.processes_without_report) == ((), 1)
    assert f"Python {version} is older than 3.10" in ran.warnings[0]


def test_another_environment_sees_the_watcher_and_nothing_else_of_ours(tmp_path, capfd):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "venv"], check=True)
    # the watcher lies beside driver.py, and requests in our own environment
    text = "import sys, importlib.util as u; print([*map(u.find_spec, ['driver', 'requests'])])"
    ran = watched("venv/bin/python", "-c", text)
    assert capfd.readouterr().out == "[None, None]\n"
    assert connects(ran) == [0]
    assert whole(ran)


# -- What cannot be run --------------------------------------------------------------------------


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
    ],
)
def test_a_module_that_cannot_be_run(name, said):
    with pytest.raises(UsageError, match=said):
        watched(name, module=True)


def test_a_missing_module_is_found_out_without_running_its_package():
    Path("loud").mkdir()
    Path("loud/__init__.py").write_text("raise SystemExit('ran')")
    with pytest.raises(UsageError, match=r"There is no module loud\.x"):
        watched("loud.x", module=True)


def test_a_console_script_beside_our_python_needs_no_activated_environment(monkeypatch):
    scripts = Path(sys.executable).parent
    if not (scripts / "pytest").exists():
        pytest.skip(f"no pytest in {sysconfig.get_path('scripts')}")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert watched("pytest", "--version").exit_code == 0


# -- importing -----------------------------------------------------------------------------------

IMPORTING = """
import sys
from keptalive.watching.inject.importing import when_imported
seen = []
when_imported("calls", lambda module: seen.append(module.connect))
when_imported("calls", lambda module: 1 / 0)
when_imported("missing", seen.append)
"""


@pytest.mark.parametrize(
    "text",
    [
        "import calls; assert seen == [calls.connect]",
        "import importlib.util as u; u.find_spec('calls'); assert seen == []",
        "import calls; assert calls.__loader__ is calls.__spec__.loader",
        "import calls; assert type(calls.__loader__).__name__ == 'SourceFileLoader'",
        "import calls, importlib; importlib.reload(calls); assert len(seen) == 1",
        "try: import missing\nexcept ModuleNotFoundError as e: assert e.name == 'missing'",
        "import json; when_imported('json', seen.append); assert seen == [json]",
    ],
)
def test_a_watcher_can_wait_for_a_module(text):
    subprocess.run([sys.executable, "-c", f"{IMPORTING}\n{text}"], check=True)
