"""`serve` makes a new file for its CA bundle, follows no link, and removes only what it made."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from keptalive.lookalike.own_file import own_file

NAME = "lookalike-ca.pem"


@contextmanager
def serving(folder: Path):
    """The server, once its bundle is written; afterwards it has ended."""
    command = [sys.executable, "-m", "keptalive", "serve", "--bundle", NAME]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        while "CA bundle" not in process.stdout.readline():
            assert process.poll() is None
        yield process
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_bundle_is_there_while_it_serves_and_gone_afterwards(tmp_path, number):
    with serving(tmp_path) as process:
        bundle = (tmp_path / NAME).read_text()
        process.send_signal(number)
    assert "BEGIN CERTIFICATE" in bundle
    assert (process.returncode, [*tmp_path.iterdir()]) == (0, [])


def there(kind: str, path: Path, other: Path) -> None:
    other.write_text("somebody's")
    match kind:
        case "file":
            path.write_text("somebody's")
        case "link":
            path.symlink_to(other)
        case "dangling link":
            path.symlink_to(other.with_name("nowhere"))
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "pipe", "folder"])
def test_whatever_is_there_already_is_left_alone_and_told_in_a_line(keptalive, tmp_path, kind):
    path, other = tmp_path / NAME, tmp_path / "other"
    there(kind, path, other)
    before = os.lstat(path)
    ended = keptalive("serve", "--bundle", NAME)
    assert (ended.code, ended.stdout) == (2, b"")
    assert ended.said == (
        f"keptalive: {NAME} exists already, and serve overwrites no file. "
        "Next: remove it, or --bundle FILE.\n"
    )
    assert before == os.lstat(path)
    assert other.read_text() == "somebody's"
    assert {path, other} == {*tmp_path.iterdir()}


def test_it_is_for_nobody_else_to_write(tmp_path):
    with own_file(tmp_path / "x", b"content"):
        assert (tmp_path / "x").read_bytes() == b"content"
        assert (tmp_path / "x").stat().st_mode & 0o022 == 0
    assert [*tmp_path.iterdir()] == []


def replaced(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"somebody's")


def rewritten(path: Path) -> None:
    path.write_bytes(b"somebody's")


def linked(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


@pytest.mark.parametrize("change", [replaced, rewritten, linked])
def test_what_somebody_has_put_in_its_place_stays(tmp_path, change):
    path = tmp_path / "x"
    with own_file(path, b"our content"):
        change(path)
        now = os.lstat(path)
    assert now == os.lstat(path)


def test_one_that_somebody_has_removed_is_missed_by_nobody(tmp_path):
    with own_file(tmp_path / "x", b"content"):
        (tmp_path / "x").unlink()
    assert [*tmp_path.iterdir()] == []


def test_one_that_could_not_be_written_whole_is_removed(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"), own_file(tmp_path / "x", b"content"):
            pytest.fail("it was not written")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [*tmp_path.iterdir()] == []
