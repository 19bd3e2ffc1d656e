"""The strategies of a plan by their names, with those of one's own: ``package.module:Class``.

That may be a subclass of `Strategy`, a subclass of `requests.Session`, or a function that makes a
Session: a team's own client is measured beside the three.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import requests

from keptalive.bench.plan_tuning import Settings
from keptalive.bench.pool_sizes import is_pool_size, of_pool_size
from keptalive.bench.strategies import STRATEGIES, OneSession, Tuned
from keptalive.bench.strategy import Strategy
from keptalive.errors import UsageError
from keptalive.redaction import shown

NAMED = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)  # package.module:Class


def strategies_named(
    names: Iterable[str], *, retry: Settings = (), pool: Settings = (), threads: int = 1
) -> dict[str, type[Strategy]]:
    """The strategies of these names, by them; modules are looked for in the current folder first.

    Args:
        names: of the three, of a pool's size (`pool_sizes`), or ``package.module:Class``.
        retry: of the strategy "tuned", settings of `SafeRetry`.
        pool: of the same, settings of `tuned_session`.
        threads: how many share it, unless ``pool`` says so.

    Raises:
        UsageError: one cannot be imported, or is no strategy.
    """
    known = {**STRATEGIES, "tuned": _tuned(retry, pool, threads)}
    return {name: known.get(name) or _other(name) for name in names}


def _other(name: str) -> type[Strategy]:
    return of_pool_size(name) if is_pool_size(name) else _imported(name)


def _tuned(retry: Settings, pool: Settings, threads: int) -> type[Strategy]:
    fitted = {"threads": threads} if threads > 1 else {}
    if not (retry or pool or fitted):
        return Tuned
    return type(Tuned.__name__, (Tuned,), {"retry": dict(retry), "pool": {**fitted, **dict(pool)}})


def _imported(name: str) -> type[Strategy]:
    module_name, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as pytest and `python -m` do
    try:
        found = getattr(importlib.import_module(module_name), attribute, None)
    except (Exception, SystemExit) as error:  # whatever somebody's module raises
        why = f"{type(error).__name__}: {shown(str(error))[:200]}"
        raise UsageError(f"The strategy {name} cannot be imported: {why}. {_NEXT}") from error
    if found is None:
        raise UsageError(
            f"The strategy {name} cannot be imported: {module_name} has no {attribute}. {_NEXT}"
        )
    if _makes_sessions(found):
        return _of_sessions(found, attribute)
    if (fault := _fault_of(found)) is not None:
        raise UsageError(
            f"{name} is not a strategy: {fault}.\n"
            "Next: make it a subclass of keptalive.bench.strategy.Strategy with a label and send()."
        )
    strategy: type[Strategy] = found
    return strategy


_NEXT = "Next: check its name, and run keptalive where it can be imported."


def _makes_sessions(found: object) -> bool:
    if inspect.isclass(found):
        return issubclass(found, requests.Session)
    return inspect.isfunction(found)


def _of_sessions(make: Callable[[], Any], name: str) -> type[Strategy]:
    """A strategy that makes a Session of one's own, and sends every request with it."""

    class OwnSession(OneSession):
        label = name

        @classmethod
        def make_session(cls) -> requests.Session:
            made = make()
            if not isinstance(made, requests.Session):
                raise TypeError(f"{name}() returned no requests.Session: {type(made).__name__}")
            return made

        @classmethod
        def settings(cls) -> str:
            return f"{make.__module__}:{name}"

    return OwnSession


def _fault_of(found: object) -> str | None:
    if not (inspect.isclass(found) and issubclass(found, Strategy)):
        return "it is no subclass of keptalive.bench.strategy.Strategy, and makes no Session"
    if inspect.isabstract(found):
        return "it has no send()"
    return None if isinstance(getattr(found, "label", None), str) else "it has no label"
