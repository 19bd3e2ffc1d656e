"""`keptalive explain`: what a debug log of any format can tell, and what it cannot."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert "1 ×  the connection had been unused, and was closed" in shown
    assert "It had been unused for 79.9 s to 79.9 s" in shown
    assert "A log cannot tell which: keptalive run PROGRAM does." in shown
    assert "SECRET" not in shown


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
        "first-use",
        "dropped: idle-timeout, server-reset or close-announced",
    ]


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (b"", "has no line of urllib3's pool log"),
        (b"something else\n" * 3, "has no line of urllib3's pool log among its 3"),
        (bytes(range(256)) * 100, "has no line of urllib3's pool log"),
    ],
)
def test_a_log_without_urllib3s_lines_says_how_to_have_them(tmp_path, contents, said):
    path = tmp_path / "other.log"
    path.write_bytes(contents)
    answer = explain(path)
    told = answer.stderr.decode()
    assert (answer.returncode, answer.stdout) == (2, b"")
    assert said in told
    assert 'Next: logging.getLogger("urllib3").setLevel(logging.DEBUG)' in told


@pytest.mark.parametrize("place", ["", "missing.log"])
def test_what_cannot_be_read_is_one_line(tmp_path, place):
    answer = explain(tmp_path / place)
    assert answer.returncode == 2
    assert answer.stderr.decode().startswith("keptalive: The log cannot be read: ")
    assert answer.stderr.count(b"\n") == 1
