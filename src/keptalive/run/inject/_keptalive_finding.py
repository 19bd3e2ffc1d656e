"""Finds the watcher, even if its package is not installed."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def factory_of(named: str, source: str) -> Callable[[], Any]:
    """The callable that makes a watcher.

    Args:
        named: its dotted name.
        source: the folder with its top-level package, for a process that cannot import the package.

    Raises:
        ImportError: there is no such module.
        AttributeError: the module has no such callable.
    """
    module, _, name = named.rpartition(".")
    top = module.partition(".")[0]
    last_resort = _Source(source, top)  # a package that the program can import comes first
    sys.meta_path.append(last_resort)
    try:
        __import__(top)
    finally:
        sys.meta_path.remove(last_resort)
    __import__(module)
    factory: Callable[[], Any] = getattr(sys.modules[module], name)
    return factory


class _Source:
    """A finder for one package, in a folder that is not on sys.path."""

    def __init__(self, folder: str, name: str) -> None:
        self._folder = folder
        self._name = name

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Any:
        if name != self._name:
            return None
        # importlib.machinery has it too, but importing that takes time
        (paths,) = (f for f in sys.meta_path if getattr(f, "__name__", "") == "PathFinder")
        return paths.find_spec(name, [self._folder])
