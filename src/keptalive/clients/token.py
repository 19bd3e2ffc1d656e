"""Where the token comes from: the environment, the gh command, or a prompt. Never an argument.

Arguments stand in the shell's history and in every process list; so do they in CI's log.
"""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from keptalive.errors import UsageError

VARIABLES = ("GITHUB_TOKEN", "GH_TOKEN")
MAKE_ONE = "make one at https://github.com/settings/tokens, or run: gh auth login"

_GH_SECONDS = 10
_POSSIBLE = re.compile(r"[\x21-\x7e]{1,255}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token and where it was found; its value shows in no ``repr``."""

    value: str = field(repr=False)
    source: str


def find_token(host: str, environment: Mapping[str, str], *, ask: bool) -> Token | None:
    """The token for this host, from the first place that has one; None if there is none.

    Args:
        host: the server's name, as gh knows it: "github.com" for api.github.com.
        environment: usually ``os.environ``.
        ask: prompt for it as a last resort, if a person sits at a terminal.

    Raises:
        UsageError: what was found cannot be a token.
    """
    for variable in VARIABLES:
        if environment.get(variable, "").strip():
            return _checked(environment[variable], variable, host)
    if value := _from_gh(host):
        return _checked(value, "gh auth token", host)
    if ask and sys.stdin.isatty():
        try:
            value = getpass.getpass(f"Token for {host} (nothing is shown; Enter for none): ")
        except EOFError:  # Ctrl-D: none
            return None
        return _checked(value, "the prompt", host) if value.strip() else None
    return None


def _from_gh(host: str) -> str | None:
    if (gh := shutil.which("gh")) is None:
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - gh as found on the user's own PATH
            [gh, "auth", "token", "--hostname", host],
            capture_output=True,
            text=True,
            timeout=_GH_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def _checked(value: str, source: str, host: str) -> Token:
    value = value.strip()
    if not _POSSIBLE.match(value):
        remedy = MAKE_ONE if host == "github.com" else "give the token alone"
        raise UsageError(
            f"What {source} holds is no token: it has blanks, line breaks or other characters "
            f"that no token has, or more than 255 of them. Next: {remedy}."
        )
    return Token(value=value, source=source)
