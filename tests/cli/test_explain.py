"""`keptalive explain`: what a debug log of any format shows, and what it cannot show."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import termios
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from tests import schema
from tests.commands import keptalive

from keptalive.causes.log_sets import SETS
from keptalive.errors import UsageError
from keptalive.logs.explain import explained

NAME_ONE = "Next: name a file that can be read."
LOG = """\
2026-11-22 15:04:05,000 DEBUG MainThread urllib3.connectionpool: Starting new HTTPS connection (1): api.example.com:443
2026-11-22 15:04:05,100 DEBUG MainThread urllib3.connectionpool: https://api.example.com:443 "GET /user HTTP/1.1" 200 None
2026-11-22 15:04:05,200 INFO MainThread program: working
2026-11-22 15:05:25,000 DEBUG MainThread urllib3.connectionpool: Resetting dropped connection: api.example.com
2026-11-22 15:05:25,100 DEBUG MainThread urllib3.connectionpool: https://api.example.com:443 "GET /user?token=SECRET HTTP/1.1" 200 None
"""  # noqa: E501 - as logs are


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "debug.log"
    path.write_text(LOG)
    return path


def explain(*arguments: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return keptalive("explain", *arguments, given=given)


def test_a_log_is_explained_as_far_as_it_goes(log):
    said = explain(log)
    shown = said.stdout.decode()
    assert (said.returncode, said.stderr) == (0, b"")
    assert "https://api.example.com" in shown
    assert "2 requests, 2 connections" in shown
    assert "1 ×  dropped: the kept connection was closed" in shown
    assert "Idle for 79.9 s." in shown
    assert "May be idle-timeout, server-closed, server-reset or 9 others." in shown
    assert "ran in parallel" not in shown
    assert shown.count("! A log does not show which of several causes it was") == 1
    assert "SECRET" not in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_json_is_the_same_from_a_file_from_gzip_and_from_standard_input(log, tmp_path):
    packed = tmp_path / "debug.log.gz"
    packed.write_bytes(gzip.compress(LOG.encode()))
    answers = [explain(log, "--json"), explain(packed, "--json")]
    answers.append(explain("-", "--json", given=LOG.encode()))
    reports = [json.loads(answer.stdout) for answer in answers]
    assert reports[0] == reports[1] == reports[2]
    (host,) = reports[0]["hosts"]
    numbers = (host["requests"], host["opened"], host["reopened"], host["reused"])
    assert numbers == (2, 2, 1, 0)
    assert reports[0]["source"] == "log"
    assert [(cause["cause"], cause["members"]) for cause in host["causes"]] == [
        ("dropped", [*SETS["dropped"].members]),
        ("first-use", None),
    ]
    assert host["perfect"] == {"least": 1, "most": 1}
    schema.validate(reports[0])


HOW = (
    'Next: logging.getLogger("urllib3").setLevel("DEBUG"), of httpx "httpcore", where the program '
    "sets up its logging, or keptalive run PROGRAM."
)
NOISE = b"INFO shop: order is paid\n" * 3


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (b"", f"is empty.\n{HOW}"),
        (gzip.compress(b""), f"is empty.\n{HOW}"),
        (NOISE, f"has no line of urllib3's or httpcore's among its 3.\n{HOW}"),
        (b"\0" * 5000 + NOISE, f"has no line of urllib3's or httpcore's among its 3.\n{HOW}"),
        (
            NOISE.decode().encode("utf-16"),
            f"has no line of urllib3's or httpcore's among its 3.\n{HOW}",
        ),
        (
            "Größe: 3 €, привет\n".encode() * 9,
            f"has no line of urllib3's or httpcore's among its 9.\n{HOW}",
        ),
        (
            bytes(range(256)) * 100,
            "is no log but a binary file.\nNext: name a debug log, text or gzip.",
        ),
        (
            Path(sys.executable).read_bytes()[:1_000_000],
            "is no log but a binary file.\nNext: name a debug log, text or gzip.",
        ),
        (
            gzip.compress(LOG.encode())[:15],
            "is a damaged gzip file.\nNext: name one that gzip -t finds whole.",
        ),
    ],
    ids=["empty", "empty gzip", "noise", "hole", "utf-16", "utf-8", "bytes", "program", "damaged"],
)
def test_what_has_nothing_to_explain_is_called_what_it_is(tmp_path, contents, said):
    path = tmp_path / "other.log"
    path.write_bytes(contents)
    with pytest.raises(UsageError) as failed:
        explained(str(path))
    assert (failed.value.exit_code, str(failed.value)) == (2, f"{path} {said}")


def test_what_has_nothing_to_explain_is_two_lines_and_a_code(tmp_path):
    path = tmp_path / "other.log"
    path.write_bytes(NOISE)
    answer = explain(path)
    assert (answer.returncode, answer.stdout) == (2, b"")
    said = f"{path} has no line of urllib3's or httpcore's among its 3."
    assert answer.stderr.decode() == f"keptalive: {said}\n{HOW}\n"


def test_a_log_of_which_no_response_can_be_read_says_so_first(tmp_path):
    path = tmp_path / "cut.log"
    path.write_text("".join(line[:95] + "\n" for line in LOG.splitlines()))
    answer = explain(path)
    assert (answer.returncode, answer.stdout) == (2, b"")
    assert answer.stderr.decode() == (
        f"keptalive: No response could be read in {path}: 4 of 4 lines of urllib3's are broken.\n"
        "Next: log whole lines of plain text, or JSON as json.dumps makes it; "
        "or keptalive run PROGRAM.\n"
    )


def test_standard_input_without_anything_is_called_so():
    answer = explain("-")
    assert answer.returncode == 2
    assert answer.stderr.decode() == f"keptalive: standard input is empty.\n{HOW}\n"


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize(
    ("place", "why"), [("", "Is a directory"), ("missing.log", "No such file or directory")]
)
def test_what_cannot_be_read_is_one_line(tmp_path, place, why, options):
    answer = explain(tmp_path / place, *options)
    assert (answer.returncode, answer.stdout) == (2, b"")
    said = f"keptalive: The log cannot be read: {tmp_path / place}: {why}. {NAME_ONE}\n"
    assert answer.stderr.decode() == said


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_one_line(log):
    log.chmod(0)
    answer = explain(log)
    assert answer.returncode == 2
    assert answer.stderr.decode().endswith(f"Permission denied. {NAME_ONE}\n")


def test_a_gzip_file_that_breaks_off_is_explained_as_far_as_it_goes(tmp_path):
    path = tmp_path / "debug.log.gz"
    packed = gzip.compress(LOG.encode() + os.urandom(50_000).hex().encode())
    path.write_bytes(packed[:-3000])
    answer = explain(path, "--json")
    report = json.loads(answer.stdout)
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert report["hosts"][0]["opened"] == 2
    assert report["warnings"][0] == (
        "The compressed log is damaged, or has no end: the rest is missing."
    )


def test_of_many_hosts_the_screen_shows_the_first_sums_all_and_json_has_all(tmp_path):
    path = tmp_path / "many.log"
    path.write_text(
        "".join(
            f"urllib3.connectionpool: Starting new HTTP connection (1): h{n}:80\n"
            f'urllib3.connectionpool: http://h{n}:80 "GET / HTTP/1.1" 200 1\n'
            f"urllib3.connectionpool: Resetting dropped connection: h{n}\n"
            f'urllib3.connectionpool: http://h{n}:80 "GET / HTTP/1.1" 200 1\n'
            for n in range(50)
        )
    )
    shown = explain(path).stdout.decode()
    assert shown.partition("\n")[2].startswith(
        "50 of 100 connections to 50 hosts were not necessary.\n\n"
    )
    assert shown.count("   2 requests, 2 connections") == 20
    assert "30 more hosts with 60 connections: --json has them." in shown
    assert len(json.loads(explain(path, "--json").stdout)["hosts"]) == 50


def test_the_first_line_is_of_all_hosts_and_says_what_the_log_leaves_open(tmp_path):
    path = tmp_path / "threads.log"
    threads = [
        f"2026-11-22 15:04:05,000 DEBUG Thread-{n} urllib3.connectionpool:" for n in (1, 2, 3)
    ]
    lines = []
    for host in ("a", "b"):
        for n, thread in enumerate(threads, start=1):
            lines += [
                f"{thread} Starting new HTTP connection ({n}): {host}:80\n",
                f'{thread} http://{host}:80 "GET / HTTP/1.1" 200 1\n',
            ]
    path.write_text("".join(lines))
    shown = explain(path).stdout.decode()
    assert shown.partition("\n")[2].startswith(
        "Up to 4 of 6 connections to 2 hosts were not necessary.\n"
    )


def test_connections_that_threads_may_have_needed_are_not_held_against_the_program(tmp_path):
    path = tmp_path / "threads.log"
    stamp = "2026-11-22 15:04:05,000 DEBUG Thread-{} urllib3.connectionpool:"
    path.write_text(
        "".join(
            f"{stamp.format(n)} Starting new HTTPS connection ({n}): h:443\n"
            f'{stamp.format(n)} https://h:443 "GET / HTTP/1.1" 200 1\n'
            for n in range(1, 9)
        )
    )
    shown = explain(path).stdout.decode()
    assert "8 requests, 8 connections, 1 to 8 would be enough" in shown
    assert shown.count("The log does not show whether these connections ran in parallel.") == 1


def test_a_log_of_warnings_is_explained_as_far_as_it_goes(tmp_path):
    path = tmp_path / "warnings.log"
    path.write_text(
        "".join(
            f"2026-03-04 09:21:58 WARNING [Thread-{n}] [urllib3.connectionpool] Connection pool is "
            "full, discarding connection: t.example. Connection pool size: 10\n"
            for n in range(12)
        )
    )
    answer = explain(path)
    shown = answer.stdout.decode()
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert shown.partition("\n")[2].startswith("A pool is too small: 12 connections discarded.\n")
    assert "t.example   12 connections discarded by a full pool of 10\n" in shown
    assert "threads that share the Session: at least 12." in shown
    assert "This log has warnings of urllib3's only" in shown
    schema.validate(json.loads(explain(path, "--json").stdout))


# -- Through a pipe --------------------------------------------------------------------------------


@contextmanager
def explaining(*options: str, errors: int = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    """Explains what is written to its standard input."""
    command = [sys.executable, "-m", "keptalive", "explain", "-", *options]
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=environment,
        bufsize=0,
    ) as process:
        yield process


def test_a_terminal_shows_how_much_has_come_and_ctrl_c_prints_the_report():
    ours, theirs = os.openpty()
    with explaining("--json", errors=theirs) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            first, _, rest = LOG.partition("\n")
            process.stdin.write(f"{first}\n".encode())
            until(terminal, "1 line, 0 requests, 0 connections opened. Ctrl-C prints the report.")
            process.stdin.write(rest.encode())
            until(terminal, "5 lines, 2 requests, 2 connections opened. Ctrl-C prints the report.")
            process.send_signal(signal.SIGINT)
            report = json.loads(process.stdout.read())
            process.wait(60)
            until(terminal, "\x1b[1A\x1b[2K")  # the line is taken away
    assert process.returncode == 0
    assert report["hosts"][0]["requests"] == 2


@pytest.mark.complete
def test_a_file_that_is_followed_is_counted_on_a_terminal_until_ctrl_c(tmp_path):
    ours, theirs = os.openpty()
    path = tmp_path / "app.log"
    first, _, rest = LOG.partition("\n")
    path.write_text(f"{first}\n")
    command = [sys.executable, "-m", "keptalive", "explain", "--follow", "--json", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            until(terminal, "1 line, 0 requests, 0 connections opened. Ctrl-C prints the report.")
            with path.open("a") as log:
                log.write(rest)
            until(terminal, "5 lines, 2 requests, 2 connections opened. Ctrl-C prints the report.")
            process.send_signal(signal.SIGINT)
            report = json.loads(process.stdout.read())
            process.wait(60)
    assert (process.returncode, report["hosts"][0]["requests"]) == (0, 2)


def test_where_no_terminal_is_the_report_of_a_pipe_comes_alone():
    with explaining() as process:
        process.stdin.write(LOG.encode())
        process.stdin.flush()
        wait_until_read(process)
        process.send_signal(signal.SIGINT)
        shown, errors = process.stdout.read(), process.stderr.read()
    assert (process.returncode, errors) == (0, b"")
    assert b"2 requests, 2 connections" in shown


def test_sigterm_while_a_pipe_is_open_is_one_line_and_143():
    with explaining() as process:
        process.stdin.write(LOG.encode())
        wait_until_read(process)
        process.terminate()
        shown, errors = process.stdout.read(), process.stderr.read()
    assert (process.returncode, shown) == (143, b"")
    assert errors == b"keptalive: ended by SIGTERM.\n"


@pytest.mark.skipif(not shutil.which("tail"), reason="no tail here")
def test_a_log_is_followed_through_its_rotation_with_tail_until_ctrl_c_on_the_terminal(log):
    """One foreground process group, as in a shell: Ctrl-C goes to both."""
    follow = f"tail -n +1 -F {log} | {sys.executable} -m keptalive explain -"
    command = [sys.executable, Path(__file__).parents[1] / "data/programs/terminal.py", "sh", "-c"]
    with subprocess.Popen(
        [*command, follow],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "100", "TERM": "xterm"},
        bufsize=0,
    ) as running:
        until(running.stdout, "5 lines, 2 requests, 2 connections opened")
        log.rename(log.with_suffix(".1"))
        log.write_text(LOG)
        until(running.stdout, "10 lines, 4 requests, 4 connections opened")
        running.stdin.write(b"\x03")
        shown = running.stdout.read().decode()
    assert "3 of 4 connections were not necessary." in shown
    assert "Traceback" not in shown
    assert "interrupted" not in shown


def until(stream: IO[bytes], wanted: str) -> None:
    """Read until this was shown, whatever spaces it is written with."""
    shown = b""
    while wanted not in shown.decode(errors="replace").replace("\u202f", ","):
        piece = stream.read(4096)
        assert piece, shown
        shown += piece


def wait_until_read(process: subprocess.Popen[bytes]) -> None:
    """Until nothing is left in the pipe to its standard input."""
    left = array("i", [1])
    while left[0]:
        fcntl.ioctl(process.stdin, termios.FIONREAD, left)
        assert process.poll() is None
