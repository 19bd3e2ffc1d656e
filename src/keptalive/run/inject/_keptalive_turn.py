"""Starts the watcher, then runs the `sitecustomize` that comes after ours on the path.

Other agents use a `sitecustomize` on PYTHONPATH too. Python runs the first one. Most agents then
run the next one, by an import (ddtrace) or by its loader (New Relic); OpenTelemetry's does not. So:

- Ours runs the next one, and is replaced by it, in the same way in which it was itself run.
- If there is no next one, all is as if ours did not exist: `site` gets an ImportError, which it
  ignores. An agent before ours, which has found ours, would fail on that error. So the agent's
  import gets the agent's own module instead.
- Ours may run twice: the watcher starts once.
- If an agent before ours does not run ours, a `usercustomize` starts the watcher; Python looks for
  one outside of virtual environments. And a watched process that executes another program puts our
  folder first (`_keptalive_process`), so `keptalive run opentelemetry-instrument ...` works.
  In all other cases `keptalive run` reports that the process was not watched.

Other methods do more harm. A .pth file works only in site-packages, which we must not change.
PYTHONUSERBASE hides the user's packages. PYTHONWARNINGS can name a class to import, but is visible
in sys.warnoptions. PYTHONSTARTUP is for interactive use.

Every Python from 3.4 on runs this module. Our folder does not stay on sys.path, and our
`sitecustomize` does not stay in sys.modules.
"""

# ruff: noqa: PTH100, PTH118, PTH120, PTH123, UP031, UP036

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

_OURS = os.path.dirname(os.path.abspath(__file__))


def take_turn(name: str, namespace: "dict[str, Any]") -> None:
    """Do the work of our `sitecustomize` or `usercustomize`.

    Args:
        name: which of the two.
        namespace: the globals of the module; an agent that loads it may pass its own globals.

    Raises:
        ImportError: there is no other module of this name, and Python itself imports it.
    """
    _begin()
    behind = _leave_path()
    loads = list(_loads_of(name))
    is_loaded = bool(loads) and os.path.dirname(loads[0].f_locals["spec"].origin or "") == _OURS
    in_front = loads[is_loaded] if len(loads) > is_loaded else None
    if is_loaded and _is_import(loads[0]):
        _import_next(name, in_front)
    else:
        _run_next(name, behind, namespace, in_front)


def _begin() -> None:
    if sys.version_info < (3, 10):
        _say_unwatched("Python %d.%d is older than 3.10" % sys.version_info[:2])
        return
    try:
        process = __import__("_keptalive_process")
    except Exception as error:  # noqa: BLE001 - none of the program's code runs yet
        _say_unwatched(str(error))
    else:
        process.start()


def _say_unwatched(why: str) -> None:
    try:
        note = os.path.join(os.environ["KEPTALIVE_REPORTS"], "%d.unwatched" % os.getpid())
        with open(note, "w", encoding="utf-8") as file:
            file.write(why)
    except (OSError, KeyError):  # it cannot be noted
        pass


def _leave_path() -> "list[str]":
    """Remove our folder from sys.path; child processes find it through PYTHONPATH.

    Returns:
        the entries after it. The `sitecustomize` of an entry before it has already run.
    """
    entries = sys.path[:]
    sys.path[:] = [entry for entry in entries if entry != _OURS]
    sys.path_importer_cache.pop(_OURS, None)
    last = max((i for i, entry in enumerate(entries) if entry == _OURS), default=-1)
    return entries[last + 1 :]


def _loads_of(name: str) -> "Iterator[FrameType]":
    """The frames that load a module of this name at this moment, innermost first.

    Only the frames say which import runs: sys.modules has one module for a name, and an agent may
    have removed it.
    """
    frame = sys._getframe()  # type: FrameType | None  # noqa: SLF001
    while frame is not None:
        code = frame.f_code
        is_load = code.co_name == "_load_unlocked" and code.co_filename.startswith("<frozen")
        if is_load and frame.f_locals["spec"].name == name:
            yield frame
        frame = frame.f_back


def _is_import(load: "FrameType") -> bool:
    """Whether an `import` runs, and not a loader that an agent called."""
    return load.f_back is not None and load.f_back.f_code.co_name == "_find_and_load_unlocked"


def _import_next(name: str, in_front: "FrameType | None") -> None:
    sys.modules.pop(name, None)
    try:
        __import__(name)
    except ImportError as error:
        if in_front is None or error.name != name:
            raise
        sys.modules[name] = in_front.f_locals["module"]


def _run_next(
    name: str,
    behind: "list[str]",
    namespace: "dict[str, Any]",
    in_front: "FrameType | None",
) -> None:
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec(name, behind)  # type: Any
    get_code = getattr(getattr(spec, "loader", None), "get_code", None)
    code = None if get_code is None else get_code(name)
    if code is not None:
        _become(namespace, spec)
        exec(code, namespace)  # noqa: S102 - as an import would
    elif in_front is not None and in_front.f_locals["module"].__dict__ is namespace:
        _become(namespace, in_front.f_locals["spec"])


def _become(namespace: "dict[str, Any]", spec: "Any") -> None:
    """Give the module the attributes of a module that was loaded by this spec.

    Do nothing if an agent has executed our source in a namespace of its own.
    """
    if os.path.dirname(namespace.get("__file__") or "") != _OURS:
        return
    namespace["__file__"] = spec.origin
    said = {"__spec__": spec, "__loader__": spec.loader, "__cached__": spec.cached}
    namespace.update((name, value) for name, value in said.items() if namespace.get(name))
    namespace["__package__"] = spec.parent
    if spec.submodule_search_locations is not None:
        namespace["__path__"] = spec.submodule_search_locations
