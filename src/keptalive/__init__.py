"""Are your HTTP connections kept alive? Measure it, see why not, keep it from regressing.

    import keptalive

    with keptalive.watch() as seen:  # or seen = keptalive.watch().start(), later seen.stop()
        sync()
    print(seen)  # why each connection was opened, what that cost, what to change
    print(seen.of(response))  # the same of one response

    session = keptalive.tuned_session()  # a requests.Session that keeps connections

On the command line: keptalive --help.

PYTEST_DONT_REWRITE: else pytest, whose plugin this is too, warns where it was imported before.
"""

from __future__ import annotations

from keptalive.errors import KeptaliveError, TargetError, UsageError

TYPE_CHECKING = False  # typing is half of what a command imports before it handles Ctrl-C
if TYPE_CHECKING:
    from typing import Any

    from keptalive.interactive import Watch, watch
    from keptalive.tuned import SafeRetry, TunedAdapter, TunedSession, tuned_session

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
    if name == "__version__":
        from keptalive.version import VERSION

        return VERSION
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name.lower() == "watch":
        from keptalive import interactive

        return getattr(interactive, name)
    from keptalive import tuned

    return getattr(tuned, name)


def __dir__() -> list[str]:
    """The public names, with those that are imported on first use: for dir, help, completion."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__")), "__version__"})
