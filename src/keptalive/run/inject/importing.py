"""Act when a module gets imported, and not import it before: for watchers in other programs.

Python's import system stays in charge: a finder of ours stands first, asks the others, and lends
the loader that they found an `exec_module` that calls back afterwards. As soon as the module runs,
its loader is its own again.
"""

from __future__ import annotations

import sys

from keptalive.run.inject._keptalive_faults import is_ours

TYPE_CHECKING = False  # typing itself would be the most expensive import here
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    Callback = Callable[[ModuleType], object]


def when_imported(name: str, callback: Callback) -> None:
    """Call `callback` with this module once it has been imported, at once if it is there.

    Where the module's own import fails there is no call, and the next attempt counts. A fault of
    the callback's own goes no further. An exception of the program's that strikes meanwhile, as a
    signal handler may raise it, makes the import fail, as it would have; the next import gets the
    same module.
    """
    module = sys.modules.get(name)
    if module is not None:
        _call(callback, module)
        return
    _FINDER.awaited.setdefault(name, []).append(callback)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def _call(callback: Callback, module: ModuleType) -> None:
    try:
        callback(module)
    except Exception as error:  # ours: the program imports as it would without us
        if not is_ours(error, {callback.__module__.partition(".")[0]}):
            raise


class _Finder:
    """First in sys.meta_path; finds nothing by itself.

    It stays there when all came: taking it away while a finder imports something would make the
    import system skip another.
    """

    def __init__(self) -> None:
        self.awaited: dict[str, list[Callback]] = {}
        self.executed: dict[str, ModuleType] = {}  # that are whole, though their import is not

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self.awaited:
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
        """Call those that wait for this module; if that is interrupted, they wait for it again."""
        name = module.__name__
        waiting = self.awaited.pop(name, [])
        try:
            for callback in waiting:
                _call(callback, module)
            waiting = []
        finally:
            if waiting:
                self.awaited.setdefault(name, waiting)


class _Loader:
    """Stands in for a loader until its module is executed, and answers as that one would."""

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
