"""Output that cannot be written: a reader that has left, a closed stream, a full disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import COMMAND
from tests.marks import complete
from tests.runs import run, usual

from keptalive import results

LINE = 'urllib3.connectionpool: https://h{0}:443 "GET / HTTP/1.1" 200 1\n'
PLAN = 'requests = ["/user"]\nrepeats = 2\nrounds = 1\nrtt_ms = 0\nscenarios = ["keep-alive"]\n'
CLOSED = "keptalive: the output cannot be written: it is closed. Next: send it elsewhere.\n"
FULL = CLOSED.replace("it is closed", "No space left on device")
GATES = [("max_opened = 0", 1), complete("max_opened = 9", 0), complete("min_speedup = 50", 2)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with something for each command."""
    (tmp_path / "x.log").write_text("".join(LINE.format(n) for n in range(500)))
    for name, made in (("a.json", run()), ("worse.json", run(usual(opened=2, reopened=1)))):
        (tmp_path / name).write_text(json.dumps(results.document(made)))
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path


def ended(
    folder: Path, *arguments: str, redirected: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """The command, with its streams as a shell redirects them."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *COMMAND, *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "80", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def unread(folder: Path, *arguments: str, both: bool = False, **variables: str) -> tuple[int, str]:
    """The exit code, and what is said, where nobody reads standard output, or neither stream."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as pipe:  # noqa: PTH123
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=folder,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe if both else subprocess.PIPE,
            timeout=60,
        )
    return done.returncode, "" if both else done.stderr.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        complete(["--version"]),
        complete(["bench", "--help"]),
        ["explain", "x.log"],
        complete(["explain", "x.log", "--json"]),
        complete(["compare", "a.json", "a.json"]),
        ["compare", "a.json", "a.json", "--json"],
    ],
    ids=" ".join,
)
def test_a_reader_that_has_left_is_no_failure(folder: Path, arguments: list[str]) -> None:
    assert unread(folder, *arguments) == (0, "")


def test_nothing_is_said_of_it_at_the_interpreters_end_either(folder: Path) -> None:
    said = unread(folder, "explain", "x.log", "--json", PYTHONDEVMODE="1", PYTHONWARNINGS="ignore")
    assert said == (0, "")


def test_a_reader_that_has_left_is_no_failure_where_click_wraps_the_stream(folder: Path) -> None:
    assert unread(folder, "--version", PYTHONIOENCODING="ascii") == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["compare", "a.json", "worse.json"], 1),
        complete(["compare", "a.json", "worse.json", "--json"], 1),
        complete(["compare", "a.json", "missing.json"], 2),
        (["explain", "missing.log"], 2),
        complete(["--wrong"], 2),
        complete(["run", sys.executable, "-c", "raise SystemExit(0)"], 0),
        (["run", sys.executable, "-c", "raise SystemExit(3)"], 3),
    ],
)
def test_a_reader_that_has_left_changes_no_exit_code(
    folder: Path, arguments: list[str], code: int
) -> None:
    assert unread(folder, *arguments, both=True) == (code, "")


@pytest.mark.parametrize(("gate", "code"), GATES)
def test_bench_judges_and_saves_for_a_reader_that_has_left(
    folder: Path, gate: str, code: int
) -> None:
    (folder / "plan.toml").write_text(f'{PLAN}[gate]\nstrategy = "session"\n{gate}\n')
    assert unread(folder, "bench", "plan.toml") == (code, "")
    assert len(list((folder / "results").iterdir())) == 1


def test_a_reader_that_leaves_in_the_middle_is_no_failure(folder: Path) -> None:
    """More than a pipe holds: the command is still writing when its reader leaves."""
    (folder / "x.log").write_text("".join(LINE.format(n) for n in range(5000)))
    with subprocess.Popen(
        [*COMMAND, "explain", "x.log", "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(10) == b'{\n "schema'
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "redirected", "code"),
    [
        complete(["--help"], ">&-", 2),
        complete(["explain", "x.log"], ">/dev/full", 2),
        (["explain", "x.log", "--json"], ">&-", 2),
        complete(["compare", "a.json", "a.json", "--json"], ">/dev/full", 2),
        (["compare", "a.json", "worse.json"], ">/dev/full", 1),
    ],
)
def test_an_output_that_cannot_be_written_is_one_line(
    folder: Path, arguments: list[str], redirected: str, code: int
) -> None:
    done = ended(folder, *arguments, redirected=redirected)
    assert (done.returncode, done.stderr) == (code, CLOSED if redirected == ">&-" else FULL)


@pytest.mark.parametrize("redirected", [">&- 2>&-", complete(">/dev/full 2>&1")])
def test_where_no_stream_can_be_written_the_exit_code_says_it(
    folder: Path, redirected: str
) -> None:
    for candidate, code in (("a.json", 2), ("worse.json", 1)):
        done = ended(folder, "compare", "a.json", candidate, redirected=redirected)
        assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@pytest.mark.parametrize(
    ("redirected", "options"), [complete(">&-", []), (">/dev/full", ["--json"])]
)
def test_a_result_is_saved_though_the_output_cannot_be_written(
    folder: Path, redirected: str, options: list[str]
) -> None:
    done = ended(folder, "bench", "plan.toml", *options, redirected=redirected)
    assert done.returncode == 2
    assert done.stderr.endswith(CLOSED if redirected == ">&-" else FULL)
    assert "Traceback" not in done.stderr
    (saved,) = (folder / "results").iterdir()
    assert json.loads(saved.read_text())["keptalive"]["complete"] is True


def test_without_standard_error_a_command_does_what_it_does(folder: Path) -> None:
    done = ended(folder, "explain", "x.log", redirected="2>&-")
    assert (done.returncode, done.stdout != "") == (0, True)
    assert ended(folder, "explain", "missing.log", redirected="2>&-").returncode == 2


def test_standard_input_that_is_closed_is_empty(folder: Path) -> None:
    done = ended(folder, "explain", "-", redirected="<&-")
    assert done.returncode == 2
    assert done.stderr.startswith("keptalive: standard input is empty.\n")


def test_a_closed_stream_is_closed_for_the_program_of_run_too(folder: Path) -> None:
    program = "import os, sys; os.fstat(0)\ntry: os.fstat(1)\nexcept OSError: sys.exit(7)"
    done = ended(folder, "run", sys.executable, "-c", program, redirected=">&-")
    assert done.returncode == 7


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["explain", "x.log"], ["explain", "x.log", "--json"]])
def test_a_disk_that_is_full_is_one_line_where_standard_error_is_not_on_it(
    arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "x.log").write_text(
        'urllib3.connectionpool: https://h:443 "GET / HTTP/1.1" 200 1\n'
    )
    with Path("/dev/full").open("w") as full:
        for errors, said in ((subprocess.PIPE, FULL), (full, None)):
            ended = subprocess.run(
                [*COMMAND, *arguments],
                cwd=tmp_path,
                stdout=full,
                stderr=errors,
                text=True,
                check=False,
            )
            assert (ended.returncode, ended.stderr) == (2, said)
