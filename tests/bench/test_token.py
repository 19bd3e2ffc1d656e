"""A token comes from the first place that has one, and shows nowhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from keptalive.bench.github.token import Token, find_token
from keptalive.errors import UsageError


@pytest.fixture(autouse=True)
def no_token_of_mine(monkeypatch, tmp_path):
    for variable in ("KEPTALIVE_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def gh(tmp_path):
    """Put a gh on the PATH that does what this shell script says."""

    def write(script: str) -> Path:
        path = tmp_path / "gh"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return write


def found(*, ask: bool = False) -> Token | None:
    return find_token("github.com", os.environ, ask=ask)


def test_github_token_comes_first_then_gh_token_then_gh_then_none(gh, monkeypatch, tmp_path):
    gh("echo of-gh")
    monkeypatch.setenv("GH_TOKEN", "of-gh-token")
    monkeypatch.setenv("GITHUB_TOKEN", "of-github-token")
    assert Token(value="of-github-token", source="GITHUB_TOKEN") == found()
    monkeypatch.delenv("GITHUB_TOKEN")
    assert Token(value="of-gh-token", source="GH_TOKEN") == found()
    monkeypatch.delenv("GH_TOKEN")
    assert Token(value="of-gh", source="gh auth token") == found()
    (tmp_path / "gh").unlink()
    assert None is found()


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_a_variable_that_is_empty_is_passed_over(monkeypatch, value):
    monkeypatch.setenv("GITHUB_TOKEN", value)
    monkeypatch.setenv("GH_TOKEN", "t")
    assert Token(value="t", source="GH_TOKEN") == found()


def test_a_line_break_around_a_token_is_not_part_of_it(monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", " t\r\n")
    assert Token(value="t", source="GITHUB_TOKEN") == found()


def test_gh_is_asked_for_the_host_and_gets_no_input(gh):
    gh('read -r line && exit 1; echo "$1-$2-$3-$4"')
    assert found().value == "auth-token---hostname-github.com"


@pytest.mark.parametrize("script", ["echo t; exit 1", "exit 0", "echo '  '", "kill -9 $$"])
def test_a_gh_that_has_no_token_is_passed_over(gh, script):
    gh(script)
    assert None is found()


def test_a_gh_that_cannot_be_run_is_passed_over(gh):
    gh("").write_bytes(b"\0\0not a program")
    assert None is found()


@pytest.mark.parametrize("value", ["of two", "of\ntwo", "caf\u00e9", "x" * 256, "\x7fabc"])
def test_what_cannot_be_a_token_is_refused_without_being_shown(monkeypatch, value):
    monkeypatch.setenv("GITHUB_TOKEN", value)
    with pytest.raises(UsageError, match="What GITHUB_TOKEN holds is no token") as caught:
        found()
    assert value not in str(caught.value)
    assert "gh auth login" in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_gh_says_must_be_a_token_too(gh):
    gh("echo not a token")
    with pytest.raises(UsageError, match="What gh auth token holds is no token"):
        found()


class Terminal:
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "value"), [(" t ", "t"), ("", None), (" ", None)])
def test_a_person_at_a_terminal_is_asked_last(monkeypatch, typed, value):
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: typed)
    expected = Token(value=value, source="the prompt") if value else None
    assert expected == found(ask=True)


def test_nobody_is_asked_unless_it_may_be(monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", pytest.fail)
    assert None is found(ask=False)


def test_nobody_is_asked_without_a_terminal(monkeypatch, tmp_path):
    monkeypatch.setattr("getpass.getpass", pytest.fail)
    with (tmp_path / "in").open("w+") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert None is found(ask=True)


def test_its_repr_and_str_hide_the_value():
    token = Token(value="hidden-one", source="GH_TOKEN")
    assert "Token(source='GH_TOKEN')" == repr(token) == str(token)
