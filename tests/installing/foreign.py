"""A project of somebody else, who has a program, a test of it, and nothing of ours."""

from __future__ import annotations

import shutil
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "data" / "pages"
KEPT = "session.get(f"
BARE = "requests.get(f"


def copied_to(folder: Path) -> Path:
    """The project, with a Session; the path of its program."""
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True)
    return folder / "sync.py"


def bring_back_requests_get(program: Path) -> str:
    """Make the change that nobody notices; the line where it is, as the reports name it."""
    text = program.read_text()
    assert KEPT in text
    program.write_text(text.replace(KEPT, BARE))
    before, _, _ = text.partition(KEPT)
    return f"{program.name}:{before.count(chr(10)) + 1}"
