"""Words at which readers stopped are not used: in the code, the tests, the pages and the help."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STRUCK = (
    "owed",
    "dearest",
    "lent",
    "yardstick",
    "in vain",
    "of late",
    "whose is what",
    "in the stead",
    "spared",
    "heeds",
)
FOLDERS = ("src", "tests", "bench", "docs", ".github")
ENDINGS = {".py", ".md", ".toml", ".json", ".ini", ".cfg", ".txt", ".yml", ""}
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "Makefile", "action.yml")
COMMANDS = ("bench", "compare", "run", "explain", "probe", "serve")

# A name with an underscore, and a phrase that goes on in the next line of a comment, count as well
_GAP = r"[\s#_-]+"
_WORDS = "|".join(_GAP.join(word.split()) for word in STRUCK)
_PATTERN = re.compile(rf"(?<![A-Za-z])({_WORDS})(?![A-Za-z])", re.IGNORECASE)


def struck_words(text: str) -> list[str]:
    """Each struck word of this text, with the number of its line."""
    return [
        f"line {text.count(chr(10), 0, found.start()) + 1}: {found[0]}"
        for found in _PATTERN.finditer(text)
    ]


def texts() -> list[Path]:
    """Every text file of the project, but for this one, which has the list."""
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    files += [ROOT / page for page in PAGES]
    return [
        path
        for path in files
        if path.suffix in ENDINGS
        and path.is_file()
        and "__pycache__" not in path.parts
        and path != Path(__file__)
    ]


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_has_no_struck_word(path: Path) -> None:
    assert struck_words(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_help_has_no_struck_word(command: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "keptalive", *command.split(), "--help"],
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Usage: keptalive" in shown
    assert struck_words(shown) == []


@pytest.mark.parametrize("word", STRUCK)
def test_each_struck_word_is_found_in_prose_names_and_broken_lines(word: str) -> None:
    for text in (f"It is {word}.", word.upper().replace(" ", "_"), word.replace(" ", "\n    # ")):
        assert struck_words(f"first line\n{text}") == [f"line 2: {_PATTERN.search(text)[0]}"]


@pytest.mark.parametrize("text", ["talent", "followed", "silent", "dispared", "of lateness"])
def test_a_part_of_another_word_is_no_struck_word(text: str) -> None:
    assert struck_words(text) == []
