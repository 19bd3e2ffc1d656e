"""What can go wrong that a person should hear of, in one or two lines.

Raised where the outside world is met (a file, a socket, an environment), with what happened,
where, and the next step; the door prints the sentence and leaves with the exit code.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing is half of what a command imports before it handles Ctrl-C
if TYPE_CHECKING:
    from typing import ClassVar


class KeptaliveError(Exception):
    """The base of every error that keptalive raises on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(KeptaliveError):
    """Wrong usage, or input that cannot be read: exit code 2."""

    exit_code = 2


class TargetError(KeptaliveError):
    """The target failed: unreachable, 401, rate limit: exit code 3."""

    exit_code = 3
