"""Are your HTTP connections kept alive? Measure it, see why not, keep it from regressing.

PYTEST_DONT_REWRITE: else pytest, whose plugin this is too, warns where it was imported before.
"""

from __future__ import annotations

from keptalive.errors import KeptaliveError, TargetError, UsageError

TYPE_CHECKING = False  # typing is half of what a command imports before it handles Ctrl-C
if TYPE_CHECKING:
    from typing import Any

    from keptalive.tuned import SafeRetry, TunedAdapter, TunedSession, tuned_session
    from keptalive.watching.api import Watch, watch

__all__ = [
    "KeptaliveError",
    "SafeRetry",
    "TargetError",
    "TunedAdapter",
    "TunedSession",
    "UsageError",
    "Watch",
    "tuned_session",
    "watch",
]


def __getattr__(name: str) -> Any:
    # On first use: the look-alike's process shares this package, and starts without requests
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name.lower() == "watch":
        from keptalive.watching import api as watching

        return getattr(watching, name)
    from keptalive import tuned

    return getattr(tuned, name)
