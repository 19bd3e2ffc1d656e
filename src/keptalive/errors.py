"""The errors that keptalive raises for its users: each is one or two lines of text.

They are raised at the boundary (a file, a socket, the environment) and say what happened, where,
and what to do next. `cli.main` prints the text and exits with the exit code.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing is half of the import time before Ctrl-C is handled
if TYPE_CHECKING:
    from typing import ClassVar


class KeptaliveError(Exception):
    """The base class of all of them."""

    exit_code: ClassVar[int] = 1


class UsageError(KeptaliveError):
    """Wrong usage, or input that cannot be read: exit code 2."""

    exit_code = 2


class TargetError(KeptaliveError):
    """The target failed: unreachable, 401, rate limit: exit code 3."""

    exit_code = 3
