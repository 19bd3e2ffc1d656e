"""Calls a function when the program imports a module, without importing it earlier.

Python's import system does the import. A finder of ours comes first in `sys.meta_path`, calls the
other finders, and wraps the loader that they return. The wrapper calls the function after the
module has run. As soon as the module runs, it has its original loader again.
"""

from __future__ import annotations

import sys

from keptalive.run.inject._keptalive_faults import is_ours

TYPE_CHECKING = False  # typing would be the most expensive import here
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    Callback = Callable[[ModuleType], object]


def when_imported(name: str, callback: Callback) -> None:
    """Call `callback` with this module after it was imported, or at once if it is imported.

    If the import fails, there is no call until it succeeds. A fault of the callback itself is
    swallowed. If an exception of the program comes meanwhile, for example from a signal handler,
    the import fails, as it would without us; the next import gets the same module.
    """
    module = sys.modules.get(name)
    if module is not None:
        _call(callback, module)
        return
    _FINDER.awaited.setdefault(name, []).append(callback)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def when_imported_within(ending: str, callback: Callback) -> None:
    """Call `callback` with each module that is imported from now on and whose name ends so."""
    _FINDER.endings[ending] = callback
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def _call(callback: Callback, module: ModuleType) -> None:
    try:
        callback(module)
    except Exception as error:  # ours: the import succeeds, as it would without us
        if not is_ours(error, {callback.__module__.partition(".")[0]}):
            raise


class _Finder:
    """First in sys.meta_path; it finds nothing by itself.

    It stays there at the end too: removing it while a finder imports something would make the
    import system skip another finder.
    """

    def __init__(self) -> None:
        self.awaited: dict[str, list[Callback]] = {}
        self.endings: dict[str, Callback] = {}
        self.executed: dict[str, ModuleType] = {}  # complete modules whose import has not ended

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self.awaited and not name.endswith(tuple(self.endings)):
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
                return spec
        return None

    def came(self, module: ModuleType) -> None:
        """Call the callbacks of this module; if that is interrupted, they are called next time."""
        name = module.__name__
        waiting = self.awaited.pop(name, [])
        always = [call for end, call in self.endings.items() if name.endswith(end)]
        try:
            for callback in (*waiting, *always):
                _call(callback, module)
            waiting = []
        finally:
            if waiting:
                self.awaited.setdefault(name, waiting)


class _Loader:
    """Replaces a loader until its module has run; all other attributes are the loader's."""

    def __init__(self, theirs: Any) -> None:
        self._theirs = theirs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._theirs, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = _FINDER.executed.get(spec.name)
        return self._theirs.create_module(spec) if module is None else module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._theirs
        module.__loader__ = self._theirs
        name = module.__name__
        if name not in _FINDER.executed:
            self._theirs.exec_module(module)
            _FINDER.executed[name] = module
        _FINDER.came(module)  # may be interrupted
        del _FINDER.executed[name]


_FINDER: Any = _Finder()
