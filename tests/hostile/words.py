"""Text that somebody may put where keptalive shows it, and what must not be left of it."""

from __future__ import annotations

import re
import unicodedata

ESCAPES = "\x1b[31m\x1b]0;title\x07\x1b]8;;http://x\x1b\\\x9b31m\x7f\x08\r"
UNICODE = "\u202e\u2066\u200f\u200b\u00ad\ufeff\u2028\u2029\x85\U000e0041"
MARKUP = "[bold]b[/bold][link=http://x]l[/link]:skull:"
COMMANDS = "::error::e ##[error]e ##vso[task.x]e\n::warning::w\n  ::add-mask::m"
HOSTILE = f"h{ESCAPES}{UNICODE}{MARKUP}{COMMANDS}"
# that can be in an argument or a file's name, one that is not UTF-8 among them
ARGUMENT = HOSTILE.replace("/", "|") + "\udcff"
# one for each width at which a wrapped line could begin with a command
LONG = " ".join(f"{'x' * n}::error::{n}" for n in range(60, 90)) + "y" * 79 + "::stop-commands::t"

SGR = re.compile(r"\x1b\[[0-9;]*m")
# what begins a command: ActionCommand.cs of actions/runner (it trims), Azure's Command.cs
_OBEYED = re.compile(r"\s*::|.*##\w*\[")


def faults_in(written: bytes, *, colours: bool = False) -> list[str]:
    """What is wrong with these bytes: for each line at fault the line, escaped."""
    text = written.decode("utf-8", "surrogateescape")
    if colours:
        text = SGR.sub("", text)
    return [ascii(line) for line in text.split("\n") if _is_bad(line)]


def _is_bad(line: str) -> bool:
    return _OBEYED.match(line) is not None or any(
        unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in line
    )
