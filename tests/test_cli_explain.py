"""`keptalive explain`: what a debug log of any format can tell, and what it cannot."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from keptalive.analysis.log_causes import SETS, likeliest, members_of, name_of
from keptalive.errors import UsageError
from keptalive.explaining import explained

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
    command = [sys.executable, "-m", "keptalive", "explain", *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, timeout=60)


def test_a_log_is_explained_as_far_as_it_tells(log):
    said = explain(log)
    shown = said.stdout.decode()
    assert (said.returncode, said.stderr) == (0, b"")
    assert "https://api.example.com:443   2 requests, 2 connections opened" in shown
    assert '1 ×  found closed: "Resetting dropped connection"  dropped' in shown
    assert "It had been unused for 79.9 s." in shown
    assert "May be idle-timeout, server-closed, server-reset or 9 others." in shown
    assert "Perfect reuse is a range" not in shown
    assert shown.count("! A log cannot tell which of several causes it was") == 1
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
    assert [cause["cause"] for cause in host["causes"]] == [
        name_of("dropped"),
        "first-use",
    ]


HOW = (
    'Next: logging.getLogger("urllib3").setLevel("DEBUG") where the program sets up its logging, '
    "or keptalive run PROGRAM."
)
NOISE = b"INFO shop: order is paid\n" * 3


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (b"", f"is empty.\n{HOW}"),
        (gzip.compress(b""), f"is empty.\n{HOW}"),
        (NOISE, f"has no line of urllib3's pool log among its 3.\n{HOW}"),
        (b"\0" * 5000 + NOISE, f"has no line of urllib3's pool log among its 3.\n{HOW}"),
        (
            NOISE.decode().encode("utf-16"),
            f"has no line of urllib3's pool log among its 3.\n{HOW}",
        ),
        (
            "Größe: 3 €, привет\n".encode() * 9,
            f"has no line of urllib3's pool log among its 9.\n{HOW}",
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
    said = f"{path} has no line of urllib3's pool log among its 3."
    assert answer.stderr.decode() == f"keptalive: {said}\n{HOW}\n"


def test_a_log_of_which_no_answer_can_be_read_says_so_first(tmp_path):
    path = tmp_path / "cut.log"
    path.write_text("".join(line[:95] + "\n" for line in LOG.splitlines()))
    answer = explain(path)
    assert (answer.returncode, answer.stdout) == (2, b"")
    assert answer.stderr.decode() == (
        f"keptalive: No answer could be read in {path}: 4 of 4 lines of urllib3's are broken.\n"
        "Next: log whole lines of plain text, or JSON as json.dumps makes it; "
        "or keptalive run PROGRAM.\n"
    )


def test_standard_input_without_anything_is_called_so():
    answer = explain("-")
    assert answer.returncode == 2
    assert answer.stderr.decode() == f"keptalive: standard input is empty.\n{HOW}\n"


@pytest.mark.parametrize("options", [[], ["--follow"], ["--json"]])
@pytest.mark.parametrize(
    ("place", "why"), [("", "Is a directory"), ("missing.log", "No such file or directory")]
)
def test_what_cannot_be_read_is_one_line(tmp_path, place, why, options):
    answer = explain(tmp_path / place, *options)
    assert (answer.returncode, answer.stdout) == (2, b"")
    said = f"keptalive: The log cannot be read: {tmp_path / place}: {why}.\n"
    assert answer.stderr.decode() == said


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_one_line(log):
    log.chmod(0)
    answer = explain(log)
    assert answer.returncode == 2
    assert answer.stderr.decode().endswith("Permission denied.\n")


def test_a_gzip_file_that_breaks_off_is_told_as_far_as_it_goes(tmp_path):
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


def test_of_many_hosts_the_screen_shows_the_first_and_json_all(tmp_path):
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
    assert shown.count("   2 requests, 2 connections opened") == 20
    assert "! 30 more hosts, 60 connections opened: --json tells of them." in shown
    assert len(json.loads(explain(path, "--json").stdout)["hosts"]) == 50


def test_connections_that_threads_may_have_needed_are_not_held_against_the_program(tmp_path):
    path = tmp_path / "threads.log"
    stamp = "2026-11-22 15:04:05,000 DEBUG Thread-{} urllib3.connectionpool:"
    path.write_text(
        "".join(
            f"{stamp.format(n)} Starting new HTTPS connection ({n}): h:443\n" for n in range(1, 9)
        )
        + "".join(f'{stamp.format(n)} https://h:443 "GET / HTTP/1.1" 200 1\n' for n in range(1, 9))
    )
    shown = explain(path).stdout.decode()
    assert "8 requests, 8 connections opened, perfect reuse: 1 to 8" in shown
    assert shown.count("! Perfect reuse is a range where a log leaves open") == 1


@pytest.mark.parametrize("kind", SETS)
def test_what_a_set_may_be_is_one_line(kind):
    line = likeliest(kind, longest=72)
    assert line.startswith(f"May be {members_of(kind)[0]}")
    assert len(line) <= 72
    every = likeliest(kind, longest=1000)
    assert every == f"May be {', '.join(members_of(kind)[:-1])} or {members_of(kind)[-1]}."


# -- Following -----------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")
def test_a_log_is_followed_through_its_rotation_until_ctrl_c_and_a_terminal_says_so(log):
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "keptalive", "explain", "--follow", "--json", str(log)]
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    with process, os.fdopen(ours, "rb", buffering=0) as terminal:
        seen = b""
        while b"Ctrl-C ends it." not in seen:
            seen += terminal.read(4096)
        assert f"Following {log}".encode() in seen
        wait_until_open(log, process)
        log.rename(log.with_suffix(".1"))
        with log.with_suffix(".1").open("a") as old:
            old.write(LOG.splitlines(keepends=True)[-1])
        log.write_text(LOG.splitlines(keepends=True)[-1])
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(said)["hosts"][0]["requests"] == 4


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")
def test_where_no_terminal_is_following_says_nothing(log):
    command = [sys.executable, "-m", "keptalive", "explain", "--follow", str(log)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:
        wait_until_open(log, process)  # by then it listens to Ctrl-C
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")
    assert b"2 requests, 2 connections opened" in said


def wait_until_open(file: Path, process: subprocess.Popen[bytes]) -> None:
    while not any(file.samefile(one) for one in opened_by(process.pid)):
        assert process.poll() is None


def opened_by(pid: int) -> list[Path]:
    """The files that a process has open just now."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found.append(link.readlink())
    return [file for file in found if file.exists()]
