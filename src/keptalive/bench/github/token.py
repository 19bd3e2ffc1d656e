"""Where the token comes from: the environment, the gh command, or a prompt. Never an argument.

Whatever is found is known to `redaction.IN_USE` from then on, and so hidden wherever it comes out.

Arguments stand in the shell's history and in every process list; so do they in CI's log.
"""

from __future__ import annotations

import getpass
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, cast

from keptalive.errors import UsageError
from keptalive.redaction import IN_USE
from keptalive.text import one_line

OWN = "KEPTALIVE_TOKEN"  # for any server
VARIABLES = ("GITHUB_TOKEN", "GH_TOKEN")  # for GitHub's servers alone
MAKE_ONE = "make one at https://github.com/settings/tokens, or run: gh auth login"

_GH_SECONDS = 10
_GH_BYTES = 4096
_POSSIBLE = re.compile(r"[\x21-\x7e]{1,255}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token and where it was found; its value shows in no ``repr``."""

    value: str = field(repr=False)
    source: str


def is_githubs(host: str) -> bool:
    """Whether this host is GitHub's own, and not a server somewhere else that runs its software."""
    return host.lower() == "github.com" or host.lower().endswith((".github.com", ".ghe.com"))


def find_token(
    host: str, environment: Mapping[str, str], *, ask: bool, variable: str | None = None
) -> Token | None:
    """The token for this host, from the first place that has one; None if there is none.

    A token of GitHub's is found for a host of GitHub's only: another server must not get it.

    Args:
        host: the server's name, as gh knows it: "github.com" for api.github.com.
        environment: usually ``os.environ``.
        ask: prompt for it as a last resort, if a person sits at a terminal.
        variable: the one that the plan names; no other place is looked at.

    Raises:
        UsageError: what was found cannot be a token, or the plan's variable is not set.
    """
    if variable is not None and not environment.get(variable, "").strip():
        raise UsageError(
            f"The plan takes the token from {variable}, which is not set. "
            f"Next: export {variable}=..."
        )
    known = (OWN, *VARIABLES) if is_githubs(host) else (OWN,)
    for name in known if variable is None else (variable,):
        if environment.get(name, "").strip():
            return _checked(environment[name], name, host)
    return _from_gh_or_prompt(host, ask=ask) if is_githubs(host) else None


def _from_gh_or_prompt(host: str, *, ask: bool) -> Token | None:
    if value := _from_gh(host):
        return _checked(value, "gh auth token", host)
    if ask and sys.stdin.isatty():
        try:
            prompt = f"Token for {one_line(host)} (nothing is shown; Enter for none): "
            value = getpass.getpass(prompt)
        except EOFError:  # Ctrl-D: none
            return None
        return _checked(value, "the prompt", host) if value.strip() else None
    return None


def _from_gh(host: str) -> str | None:
    if (gh := shutil.which("gh")) is None:
        return None
    try:
        with subprocess.Popen(  # noqa: S603 - gh as found on the user's own PATH
            [gh, "auth", "token", "--hostname", host],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as running:
            try:
                said = _said_by(running, time.monotonic() + _GH_SECONDS)
            finally:
                running.kill()  # where it has ended, this does nothing
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said if running.returncode == 0 else None


def _said_by(running: subprocess.Popen[bytes], ends: float) -> str | None:
    """What it prints, until that time; None if it is nothing, or more than any token has."""
    said, pipe = b"", cast("IO[bytes]", running.stdout)
    while len(said) <= _GH_BYTES:
        if not select.select([pipe], [], [], max(0.0, ends - time.monotonic()))[0]:
            return None
        if not (piece := os.read(pipe.fileno(), _GH_BYTES)):
            running.wait(max(0.0, ends - time.monotonic()))
            return said.decode("utf-8", "replace").strip() or None
        said += piece
    return None


def _checked(value: str, source: str, host: str) -> Token:
    value = value.strip()
    IN_USE.add(value)
    if not _POSSIBLE.match(value):
        remedy = MAKE_ONE if host == "github.com" else "give the token alone"
        raise UsageError(
            f"What {source} holds is no token: it has blanks, line breaks or other characters "
            f"that no token has, or more than 255 of them. Next: {remedy}."
        )
    return Token(value=value, source=source)
