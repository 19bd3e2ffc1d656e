"""Are your HTTP connections kept alive? Measure it, see why not, keep it from regressing."""

from typing import TYPE_CHECKING, Any

from keptalive.errors import KeptaliveError, TargetError, UsageError

if TYPE_CHECKING:
    from keptalive.clients.tuned import SafeRetry, TunedAdapter, TunedSession, tuned_session

__all__ = [
    "KeptaliveError",
    "SafeRetry",
    "TargetError",
    "TunedAdapter",
    "TunedSession",
    "UsageError",
    "tuned_session",
]


def __getattr__(name: str) -> Any:
    # On first use: the look-alike's process shares this package, and starts without requests
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from keptalive.clients import tuned

    return getattr(tuned, name)
