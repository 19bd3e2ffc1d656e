"""`[tool.keptalive]` of pyproject.toml: found upwards, and checked key by key."""

from __future__ import annotations

from pathlib import Path

import pytest

from keptalive.cli.settings import Settings, settings
from keptalive.errors import UsageError

TABLE = '[tool.keptalive]\nmax_opened = 1\nignore = ["*.sentry.io"]\nforbid = ["new-session"]\n'
FOUND = Settings(
    source="pyproject.toml",
    max_opened={"*": 1},
    ignore=("*.sentry.io",),
    forbid=("new-session",),
)


def written(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_the_table_is_found_in_the_working_directory(tmp_path):
    assert settings(written(tmp_path, TABLE)) == FOUND


def test_the_nearest_file_that_has_the_table_counts_as_seen_from_the_working_directory(tmp_path):
    written(tmp_path, TABLE)
    within = written(tmp_path / "a" / "b", '[project]\nname = "keptalive-user"\n')
    assert FOUND._replace(source="../../pyproject.toml") == settings(within)
    written(tmp_path / "a", "[tool.keptalive]\nmax_opened = 3\n")
    assert settings(within).max_opened == {"*": 3}


def test_without_such_a_table_nothing_is_settled(tmp_path):
    written(tmp_path, '[project]\ndependencies = ["keptalive"]\n')
    assert Settings() == settings(tmp_path)


def test_hosts_have_numbers_of_their_own(tmp_path):
    table = '[tool.keptalive.max_opened]\n"*" = 1\n"api.example.com:8443" = 2\n'
    assert settings(written(tmp_path, table)).max_opened == {"*": 1, "api.example.com:8443": 2}


@pytest.mark.parametrize("text", ["this is no [TOML", "\x00"])
def test_a_file_that_does_not_speak_of_keptalive_is_not_read(tmp_path, text):
    assert Settings() == settings(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.keptalive\n", "pyproject.toml cannot be read: "),
        ("tool = 'keptalive'", "pyproject.toml cannot be read: it is nested otherwise. Next: mend"),
        ("[tool]\nkeptalive = 3\n", "pyproject.toml: tool.keptalive must be a table."),
        (
            "[tool.keptalive]\nmax-opened = 1\n",
            'an unknown key "max-opened". Next: is it max_opened?',
        ),
        ("[tool.keptalive]\nx = 1\n", 'an unknown key "x". Next: use max_opened, ignore, forbid'),
        (
            "[tool.keptalive]\nmax_opened = -1\n",
            "pyproject.toml: max_opened must be a number, 0 or",
        ),
        ("[tool.keptalive]\nmax_opened = true\n", "max_opened must be a number"),
        ("[tool.keptalive]\nmax_opened = {}\n", "max_opened must be a number"),
        ("[tool.keptalive]\nmax_opened = {a = 1.5}\n", "max_opened must be a number"),
        ("[tool.keptalive]\nignore = 'a'\n", "pyproject.toml: ignore must be a list of words"),
        ("[tool.keptalive]\nsave = 1\n", "pyproject.toml: save must be true or false."),
        ("[tool.keptalive]\nforbid = [1]\n", "pyproject.toml: forbid must be a list of words"),
        (TABLE + "#" * 5_000_000, "pyproject.toml cannot be read: it has more than 4 MiB. Next: "),
    ],
)
def test_what_is_not_known_is_named_in_one_line(tmp_path, text, said):
    with pytest.raises(UsageError) as refused:
        settings(written(tmp_path, text))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
