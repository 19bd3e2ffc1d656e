"""Signals end each command in order: results saved, nothing left behind, and its exit code."""

from __future__ import annotations

import json
import os
import pkgutil
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.commands import COMMAND
from tests.marks import complete

PROGRAMS = Path(__file__).parents[1] / "data" / "programs"
ENDLESS = 'requests = ["/user"]\nrepeats = 2\nrounds = 100000\nrtt_ms = 0\n'
INTERRUPTED = "interrupted: incomplete, and marked so"
SAID = {
    signal.SIGINT: "keptalive: interrupted.\n",
    signal.SIGTERM: "keptalive: ended by SIGTERM.\n",
    signal.SIGHUP: "keptalive: ended by SIGHUP.\n",
}

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")


class Place:
    """A folder to run a command in, with a folder for its temporary files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir(parents=True)
        (folder / "plan.toml").write_text(ENDLESS)
        (folder / "short.toml").write_text(ENDLESS.replace("100000", "1"))

    @contextmanager
    def started(self, *command: object, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        variables = {**os.environ, "TMPDIR": str(self.temporary), "COLUMNS": "100"}
        variables |= options.pop("env", {})
        with subprocess.Popen(
            [*map(str, command)],
            cwd=self.folder,
            env=variables,
            start_new_session=True,
            **{**pipes, **options},
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def results(self) -> list[dict[str, Any]]:
        """What was saved; what was begun and not removed is none, and fails here."""
        return [json.loads(file.read_text()) for file in self.folder.glob("results/*")]

    def left_behind(self) -> list[str]:
        """Temporary files, and processes that were started with this folder for them."""
        mark = f"TMPDIR={self.temporary}".encode()
        left = [path.name for path in self.temporary.iterdir()]
        for process in Path("/proc").iterdir():
            with suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    left.append(f"process {process.name}")
        return left


def step(name: str) -> str:
    """A step to stop at; that it exists is seen wherever the tests are collected."""
    pkgutil.resolve_name(name)
    return name


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def to_process(process: subprocess.Popen[bytes], number: int) -> None:
    process.send_signal(number)


def to_group(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def twice(process: subprocess.Popen[bytes], number: int) -> None:
    process.send_signal(number)
    time.sleep(0.02)
    process.send_signal(number)


@pytest.mark.complete
@pytest.mark.parametrize(
    ("number", "send"),
    [
        (signal.SIGTERM, to_process),
        (signal.SIGTERM, to_group),
        (signal.SIGTERM, twice),
        (signal.SIGHUP, to_group),
        (signal.SIGINT, twice),
    ],
    ids=["SIGTERM", "SIGTERM to the group", "SIGTERM twice", "SIGHUP to the group", "SIGINT twice"],
)
def test_a_signal_at_any_moment_leaves_nothing_of_a_bench_behind(
    tmp_path: Path, number: int, send: Callable[[subprocess.Popen[bytes], int], None]
) -> None:
    for moment in range(4):
        place = Place(tmp_path / str(moment))
        with place.started(*COMMAND, "bench", "plan.toml") as process:
            # the first once our handlers are there, then with the look-alike's start, then later
            while not (place.folder / "results").exists():
                assert process.poll() is None
            time.sleep(moment * 0.3)
            send(process, number)
            shown, errors = process.communicate(timeout=30)
        assert process.returncode == 128 + number, errors
        assert errors.decode() in ("", SAID[signal.Signals(number)])
        assert b"Traceback" not in shown
        assert place.left_behind() == []
        assert [one["keptalive"]["complete"] for one in place.results()] in ([], [False])


@pytest.mark.parametrize(
    "number", [signal.SIGINT, complete(signal.SIGTERM), complete(signal.SIGHUP)]
)
def test_the_finished_rounds_of_a_bench_are_kept_and_it_is_said(place: Place, number: int) -> None:
    terminal, theirs = pty.openpty()
    screen = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with place.started(*COMMAND, "bench", "plan.toml", **screen, env={"TERM": "xterm"}) as process:
        os.close(theirs)
        until(terminal, b"round 3")  # the progress bar
        process.send_signal(number)
        shown = until(terminal, b"Saved results/") + until(terminal, None)
        process.wait(30)
    os.close(terminal)
    assert process.returncode == 128 + number
    assert INTERRUPTED in shown.decode()
    (saved,) = place.results()
    assert saved["keptalive"]["complete"] is False
    assert {trial["round"] for trial in saved["keptalive"]["trials"]} >= {0, 1, 2}
    assert place.left_behind() == []


def until(terminal: int, wanted: bytes | None) -> bytes:
    """What is shown until something is there; without it, until the other side has closed."""
    shown = b""
    with suppress(OSError):  # so Linux says that it has closed
        while wanted is None or wanted not in shown:
            if not (piece := os.read(terminal, 65536)):
                break
            shown += piece
    assert wanted is None or wanted in shown
    return shown


@pytest.mark.parametrize(
    ("step", "plan", "complete"),
    [
        complete(step("subprocess:Popen.__init__"), "plan.toml", [], id="child is started"),
        complete(
            step("keptalive.bench.runner:environment"), "short.toml", [True], id="rounds are over"
        ),
        complete(step("keptalive.helper_process:_end"), "short.toml", [True], id="child ends"),
        pytest.param(
            *(step("keptalive.results.storing:_link_under_free_name"), "short.toml", [True]),
            id="result is saved",
        ),
        complete(step("shutil:rmtree"), "short.toml", [True], id="folder goes"),
    ],
)
def test_a_signal_at_a_bad_moment_loses_no_result_and_leaves_nothing(
    place: Place, step: str, plan: str, complete: list[bool]
) -> None:
    command = [sys.executable, PROGRAMS / "stops_at.py", step, "bench", plan]
    with place.started(*command) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"there\n"
        process.terminate()
        process.terminate()
        shown, errors = process.communicate(timeout=30)
    assert process.returncode == 143
    assert [one["keptalive"]["complete"] for one in place.results()] == complete
    assert (b"Saved results/" in shown) is bool(complete)
    assert b"Traceback" not in errors
    assert place.left_behind() == []


STOPS_IN_THE_CHILD = """
import sys
if "keptalive.lookalike" in sys.orig_argv:
    open("there", "w")
    sys.stdin.read()
sys.path.remove(__file__.rpartition("/")[0])
del sys.modules["httptools"]
import httptools
"""


def test_a_signal_while_the_look_alike_does_not_come_up_is_not_waited_with(place: Place) -> None:
    """Its process stops in an import, until its input ends."""
    (place.folder / "httptools.py").write_text(STOPS_IN_THE_CHILD)
    path = {"PYTHONPATH": str(place.folder)}
    with place.started(*COMMAND, "bench", "plan.toml", env=path) as process:
        while not (place.folder / "there").exists():
            assert process.poll() is None
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.decode()) == (143, SAID[signal.SIGTERM])
    assert place.left_behind() == []


@pytest.mark.complete
def test_a_signal_that_is_ignored_as_under_nohup_ends_nothing(place: Place) -> None:
    command = ["nohup", sys.executable, PROGRAMS / "stops_at.py"]
    command.append(step("keptalive.bench.runner:environment"))
    with place.started(*command, "bench", "short.toml") as process:
        assert process.stderr is not None
        while (line := process.stderr.readline()) != b"there\n":
            assert line  # what nohup says
        process.send_signal(signal.SIGHUP)
        shown, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"Saved results/" in shown


@pytest.mark.parametrize(
    "number", [signal.SIGINT, complete(signal.SIGTERM), complete(signal.SIGHUP)]
)
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("typer", ["--help"]),
        ("base64", ["--version"]),  # one of the first modules that every command imports
        ("tempfile", ["run", "program.py"]),
    ],
)
def test_a_signal_during_the_imports_is_one_line(
    place: Place, module: str, arguments: list[str], number: int
) -> None:
    (place.folder / f"{module}.py").write_text(
        "import sys; print('importing', flush=True); sys.stdin.read()"
    )
    path = {"PYTHONPATH": str(place.folder)}
    with place.started(*COMMAND, *arguments, env=path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"importing\n"
        process.send_signal(number)
        shown, errors = process.communicate(timeout=30)
    assert (process.returncode, shown) == (128 + number, b"")
    assert errors.decode() == SAID[signal.Signals(number)]


def test_the_console_script_handles_signals_before_it_imports_the_commands() -> None:
    code = "import sys, keptalive.__main__; print(sorted({'typer', 'rich'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    script = Path(sys.executable).with_name("keptalive").read_text()
    assert "from keptalive.__main__ import main" in script


@pytest.mark.parametrize("number", [signal.SIGTERM, complete(signal.SIGHUP)])
def test_a_signal_ends_serve_as_ctrl_c_does(place: Place, number: int) -> None:
    with place.started(*COMMAND, "serve") as process:
        assert process.stdout is not None
        assert any(b"Ctrl-C" in line for line in process.stdout)
        process.send_signal(number)
        shown, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, b"")
    assert b"Served 0 requests on 0 connections." in shown
    assert place.left_behind() == []


@pytest.mark.parametrize(
    ("step", "arguments"),
    [
        complete(step("keptalive.results:read_both"), ["compare", "a.json", "b.json"]),
        (step("keptalive.logs.explain:explained"), ["explain", "x.log"]),
        complete(step("keptalive.lookalike.tls:Authority.bundle"), ["serve"]),
    ],
)
def test_a_signal_ends_other_commands_with_one_line(
    place: Place, step: str, arguments: list[str]
) -> None:
    (place.folder / "a.json").write_bytes(A_RESULT)
    (place.folder / "b.json").write_bytes(A_RESULT)
    (place.folder / "x.log").write_text(
        'urllib3.connectionpool: https://h:443 "GET / HTTP/1.1" 200 1\n'
    )
    command = [sys.executable, PROGRAMS / "stops_at.py", step, *arguments]
    with place.started(*command) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"there\n"
        process.terminate()
        shown, errors = process.communicate(timeout=30)
    assert (process.returncode, shown) == (143, b"")
    assert errors.decode() == SAID[signal.SIGTERM]
    assert place.left_behind() == []


A_RESULT = b"{}"  # it is read only up to its first step

ENDS_LATE = """
import os, signal, subprocess, sys, time
def end(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would strike at Python's end
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.6)"])
    time.sleep(0.1)
    print("ends", flush=True)
    sys.exit(5)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.complete
def test_run_ends_with_its_report_however_often_it_is_told_to_end(place: Place) -> None:
    (place.folder / "ends_late.py").write_text(ENDS_LATE)
    with place.started(*COMMAND, "run", "ends_late.py") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.stdout.readline() == b"ends\n"  # a child of it still runs
        for _ in range(4):
            time.sleep(0.1)
            process.terminate()
        assert process.stderr is not None
        errors = process.stderr.read()
        process.wait(30)
    assert process.returncode == 5
    assert errors.count(b"No request through requests or urllib3 was seen") == 1
    assert b"Traceback" not in errors
    assert place.left_behind() == []


@pytest.mark.parametrize(
    "step", [step("tempfile:mkdtemp"), complete(step("keptalive.run.launch:environment"))]
)
def test_a_signal_before_run_has_started_the_program_starts_nothing(
    place: Place, step: str
) -> None:
    (place.folder / "hello.py").write_text("print('hello')")
    command = [sys.executable, PROGRAMS / "stops_at.py", step, "run", "hello.py"]
    with place.started(*command) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"there\n"
        process.terminate()
        shown, errors = process.communicate(timeout=30)
    assert (process.returncode, shown) == (143, b"")
    assert errors.decode() == SAID[signal.SIGTERM]
    assert place.left_behind() == []
