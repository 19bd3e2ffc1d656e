"""`keptalive run`: somebody's program, untouched, and then why its connections were opened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from keptalive.cli import running
from keptalive.cli.app import app
from keptalive.cli.main import run_guarded
from keptalive.lookalike.process import Lookalike

SCENARIO = "close-announced"
PROGRAM = """
import sys
import requests

print(sys.argv[1:], __name__)
with requests.Session() as session:
    for _ in range(3):
        session.get(sys.argv[1] + "/user", headers={"Authorization": "Bearer lookalike-token"})
sys.exit(3)
"""


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start([SCENARIO]) as started:
        yield started


def keptalive(*arguments: str, cwd: Path, lookalike: Lookalike) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "REQUESTS_CA_BUNDLE": str(lookalike.ca_bundle), "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-m", "keptalive", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_program_runs_untouched_and_its_connections_are_explained(tmp_path, lookalike):
    (tmp_path / "sync.py").write_text(PROGRAM)
    url = lookalike.url(SCENARIO)
    ran = keptalive(
        "run", "--json", "report.json", "sync.py", url, "--all", cwd=tmp_path, lookalike=lookalike
    )
    assert (ran.returncode, ran.stdout) == (3, f"[{url!r}, '--all'] __main__\n")
    assert ran.stderr.startswith("\nkeptalive: sync.py, ")
    assert "close-announced" in ran.stderr
    assert "3 requests, 3 connections, 1 would be enough" in ran.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    (host,) = report["hosts"]
    assert (report["source"], host["host"], host["opened"]) == ("run", url, 3)
    assert report["command"] == ["sync.py"]
    assert report["environment"]["requests"] == requests.__version__
    assert report["exchanges"] is None
    assert {c["cause"]: c["count"] for c in host["causes"]} == {
        "close-announced": 2,
        "first-use": 1,
    }
    assert "lookalike-token" not in ran.stderr + json.dumps(report)


def test_a_module_and_its_children_are_watched(tmp_path, lookalike):
    (tmp_path / "sync.py").write_text(PROGRAM.replace("sys.exit(3)", ""))
    (tmp_path / "parent.py").write_text(
        "import subprocess, sys\n"
        "for _ in range(2): subprocess.run([sys.executable, 'sync.py', *sys.argv[1:]])\n"
    )
    url = lookalike.url(SCENARIO)
    ran = keptalive(
        "run", "--json", "report.json", "-m", "parent", url, cwd=tmp_path, lookalike=lookalike
    )
    assert ran.returncode == 0
    report = json.loads((tmp_path / "report.json").read_text())
    (host,) = report["hosts"]
    assert (host["opened"], host["perfect"]["most"]) == (6, 2)  # processes cannot share
    assert report["command"] == ["-m", "parent"]
    assert len({connection["process"] for connection in report["connections"]}) == 2


def test_a_timeline_has_each_request_of_each_process(tmp_path, lookalike):
    (tmp_path / "sync.py").write_text(
        PROGRAM.replace("import requests\n", "import os, requests\nos.fork()\n")
    )
    ran = keptalive(
        *("run", "--timeline", "--json", "report.json", "sync.py", lookalike.url(SCENARIO)),
        cwd=tmp_path,
        lookalike=lookalike,
    )
    assert ran.returncode == 3
    exchanges = json.loads((tmp_path / "report.json").read_text())["exchanges"]
    assert exchanges["path"] == ["/user"] * 6
    assert exchanges["status"] == [200] * 6


def test_a_program_without_requests_has_nothing_to_report(tmp_path, lookalike):
    (tmp_path / "hello.py").write_text("print('hello')")
    ran = keptalive("run", "hello.py", cwd=tmp_path, lookalike=lookalike)
    assert (ran.returncode, ran.stdout) == (0, "hello\n")
    assert "No request through requests or urllib3 was seen" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch.py"], "There is no nosuch.py"),
        (["broken.py"], "broken.py"),
        (["."], "is a folder without __main__.py"),
        (["-m", "nosuch"], "There is no module nosuch"),
        (["-c", "print(1)"], "keptalive takes no code. Next: keptalive run python -c '...'"),
        (["-"], "keptalive takes no code. Next: keptalive run python -."),
        (["--json", "no/such/folder.json", "hello.py"], "cannot be written"),
        (["--json", ".", "hello.py"], ". cannot be written: Is a directory"),
        (["--json", "-", "hello.py"], "Standard output is the program's own. Next: --json FILE."),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_run_is_one_line_and_exit_code_2(
    tmp_path, monkeypatch, capfd, arguments, said
):
    (tmp_path / "hello.py").write_text("")
    (tmp_path / "broken.py").write_text("def (:\n")
    monkeypatch.chdir(tmp_path)
    assert run_guarded(["run", *arguments]) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("keptalive: ")
    assert said in shown.err
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("program", ["nosuch.py", "broken.py"])
def test_a_program_that_cannot_be_run_leaves_no_json_file(tmp_path, monkeypatch, capfd, program):
    (tmp_path / "broken.py").write_text("def (:\n")
    (tmp_path / "before.json").write_text("of the run before")
    monkeypatch.chdir(tmp_path)
    for name in ("before.json", "new.json"):
        assert run_guarded(["run", "--json", name, program]) == 2
    assert (tmp_path / "before.json").read_text() == "of the run before"
    assert not (tmp_path / "new.json").exists()


def test_a_json_file_that_cannot_be_written_is_refused_before_the_program_starts(
    tmp_path, monkeypatch, capfd
):
    (tmp_path / "hello.py").write_text("print('hello')")
    monkeypatch.chdir(tmp_path)
    for file in ("no/such/folder.json", ".", "x" * 300):
        assert run_guarded(["run", "--json", file, "hello.py"]) == 2
    assert capfd.readouterr().out == ""


def test_a_link_to_where_no_file_is_yet_can_be_the_json_file(tmp_path, monkeypatch, capfd):
    (tmp_path / "hello.py").write_text("")
    (tmp_path / "link.json").symlink_to("target.json")
    monkeypatch.chdir(tmp_path)
    assert run_guarded(["run", "--json", "link.json", "nosuch.py"]) == 2
    assert not (tmp_path / "target.json").exists()
    assert run_guarded(["run", "--json", "link.json", "hello.py"]) == 0
    assert json.loads((tmp_path / "target.json").read_text())["source"] == "run"
    assert (tmp_path / "link.json").is_symlink()


# A word of each kind that an option, its value or a program can be
WORDS = st.sampled_from(
    [
        *("-m", "--json", "--json=r.json", "--json=", "--timeline", "--", "-", "", "-x", "-mx"),
        *("--save", "--anonymize", "--save=1"),
        *("--help", "--version", "--jso", "-m=1", "--timeline=1", "prog.py", "a b", "run"),
    ]
)


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.lists(WORDS, max_size=6))
def test_options_mean_without_typer_what_they_mean_with_it(words):
    options = running.plain_options(words)
    assume(options is not None)
    with pytest.MonkeyPatch.context() as patch:
        read = []
        patch.setattr(running, "run", lambda options: read.append(options) or 0)
        app(["run", *words], standalone_mode=False)
    assert read == [options]


def test_options_that_are_plain_are_read_without_typer():
    words = [
        "--json",
        "r.json",
        "-m",
        "--timeline",
        "--save",
        "--anonymize",
        "prog",
        "--help",
        "-m",
    ]
    assert running.plain_options(words) == running.Options(
        program=("prog", "--help", "-m"),
        module=True,
        json_file=Path("r.json"),
        timeline=True,
        save=True,
        anonymize=True,
    )


def test_a_disk_that_is_full_at_the_end_costs_the_file_and_nothing_else(tmp_path, lookalike):
    (tmp_path / "hello.py").write_text("print('hello')")
    ran = keptalive("run", "--json", "/dev/full", "hello.py", cwd=tmp_path, lookalike=lookalike)
    assert (ran.returncode, ran.stdout) == (0, "hello\n")
    assert "No request through requests or urllib3 was seen" in ran.stderr
    assert (
        "/dev/full cannot be written: No space left on device. Next: --json with another"
        in ran.stderr
    )
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("code", [0, 3])
def test_the_programs_exit_code_outlasts_a_report_that_cannot_be_told(tmp_path, code):
    (tmp_path / "ends.py").write_text(f"raise SystemExit({code})")
    command = [sys.executable, "-m", "keptalive", "run", "--json", "/dev/full", "ends.py"]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(command, cwd=tmp_path, stderr=full, timeout=60)
    assert ran.returncode == code


def test_a_requests_that_is_none_is_not_watched_and_that_is_told_once(tmp_path, lookalike):
    (tmp_path / "lib/requests").mkdir(parents=True)  # not the one that can be watched
    (tmp_path / "lib/requests/__init__.py").write_text("")
    (tmp_path / "lib/requests/adapters.py").write_text("HTTPAdapter = object")
    (tmp_path / "hello.py").write_text(
        "import sys; sys.path.insert(0, 'lib'); import requests, urllib3; print('hello')"
    )
    ran = keptalive("run", "--json", "r.json", "hello.py", cwd=tmp_path, lookalike=lookalike)
    assert (ran.returncode, ran.stdout) == (0, "hello\n")
    (warning,) = json.loads((tmp_path / "r.json").read_text())["warnings"]
    assert warning.startswith("requests is not watched: ModuleNotFoundError")


PROGRAMS = Path(__file__).parents[1] / "data" / "programs"
WAITS = """
import os, sys, time
import requests

with requests.Session() as session:
    session.get(sys.argv[1] + "/user", headers={"Authorization": "Bearer lookalike-token"})
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        if "handle" in sys.argv:
            sys.exit(4)
        raise
"""


@pytest.mark.parametrize(("handles", "exit_code"), [([], 130), (["handle"], 4)])
def test_ctrl_c_on_a_terminal_ends_the_program_and_the_report_comes(
    tmp_path, lookalike, handles, exit_code
):
    (tmp_path / "waits.py").write_text(WAITS)
    command = [sys.executable, "-m", "keptalive", "run", "waits.py", lookalike.url(SCENARIO)]
    with subprocess.Popen(
        [sys.executable, PROGRAMS / "terminal.py", *command, *handles],
        cwd=tmp_path,
        env={**os.environ, "REQUESTS_CA_BUNDLE": str(lookalike.ca_bundle), "NO_COLOR": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\r\n"
        running.stdin.write(b"\x03")
        running.stdin.flush()
        shown = running.stdout.read().decode()
    assert running.returncode == exit_code
    assert shown.count("Traceback") == (0 if handles else 1)  # the program's own
    assert "keptalive: interrupted" not in shown
    assert "1 request, 1 connection" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--jsn", "r.json", "sync.py"], "No such option: --jsn. Next: --json, or "),
        (["run", "-j", "sync.py"], "No such option: -j. Next: --json, or keptalive run --help."),
        (["run", "--json"], "Option '--json' requires an argument. Next: keptalive run --help."),
        (["run", "--xyzzy", "sync.py"], "No such option: --xyzzy. Next: keptalive run --help."),
        (
            ["sync.py"],
            "No such command: sync.py. Next: keptalive run sync.py, or keptalive --help.",
        ),
        (["benhc"], "No such command: benhc. Next: keptalive bench, or keptalive --help."),
        (["explain"], "Missing argument 'LOG...'. Next: keptalive explain --help."),
    ],
)
def test_wrong_usage_is_one_line_with_the_nearest_name(capfd, words, said):
    assert run_guarded(words) == 2
    shown = capfd.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert shown.err.startswith(f"keptalive: {said}")
