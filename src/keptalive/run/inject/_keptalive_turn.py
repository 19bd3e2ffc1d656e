"""Start the watcher, then let the sitecustomize that stands behind ours have its turn.

Other agents use a `sitecustomize` on PYTHONPATH too. Whoever stands first runs; most then run the
next one, by an import (ddtrace) or by its loader (New Relic), while OpenTelemetry's does not. So:

- Ours runs the next one, and is replaced by it, in whatever way it was itself run.
- If there is no next one, all is as if ours were not there. Only `site` gets an ImportError, which
  it passes over; an agent in front, that has found us, would stop there. It finds itself instead.
- Ours may run twice: the watcher starts once.
- Where ours stands behind one that does not run it, a `usercustomize` does, which Python looks for
  outside of virtual environments; and a watched process that executes another program puts our
  folder to the front (`_keptalive_process`), so `keptalive run opentelemetry-instrument ...` works.
  For the rest, `keptalive run` says that the process was not watched.

No other way does less harm. A .pth file works in site-packages only, which is not ours to change;
PYTHONUSERBASE hides the user's packages; PYTHONWARNINGS can name a class to import, and shows in
sys.warnoptions; PYTHONSTARTUP is for interactive use.

Every Python from 3.4 on comes here. Nothing of ours stays on sys.path or among the modules that the
program would look at.
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
    """Do all that our `sitecustomize`, or `usercustomize`, is there for.

    Args:
        name: which of the two.
        namespace: the globals of the module; an agent that loads it may lend its own.

    Raises:
        ImportError: there is no module of this name but ours, and Python itself asked for it.
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
    except Exception as error:  # noqa: BLE001 - no code of the program's runs yet
        _say_unwatched(str(error))
    else:
        process.start()


def _say_unwatched(why: str) -> None:
    try:
        note = os.path.join(os.environ["KEPTALIVE_REPORTS"], "%d.unwatched" % os.getpid())
        with open(note, "w", encoding="utf-8") as file:
            file.write(why)
    except (OSError, KeyError):  # nowhere to say it
        pass


def _leave_path() -> "list[str]":
    """Take our folder from sys.path, where children find it by their PYTHONPATH.

    Returns:
        the entries behind it: one before it is an agent's that has had its turn.
    """
    entries = sys.path[:]
    sys.path[:] = [entry for entry in entries if entry != _OURS]
    sys.path_importer_cache.pop(_OURS, None)
    last = max((i for i, entry in enumerate(entries) if entry == _OURS), default=-1)
    return entries[last + 1 :]


def _loads_of(name: str) -> "Iterator[FrameType]":
    """The loads of modules of this name that go on just now, innermost first.

    What an import is about stands nowhere else: sys.modules has one module of a name, which an
    agent may have taken away.
    """
    frame = sys._getframe()  # type: FrameType | None  # noqa: SLF001
    while frame is not None:
        code = frame.f_code
        is_load = code.co_name == "_load_unlocked" and code.co_filename.startswith("<frozen")
        if is_load and frame.f_locals["spec"].name == name:
            yield frame
        frame = frame.f_back


def _is_import(load: "FrameType") -> bool:
    """Whether an `import` led to this, not a loader that somebody called."""
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
    """Let the module say of itself what one that was loaded by this spec says.

    Where an agent has executed our text in a namespace of its own, that says nothing of us.
    """
    if os.path.dirname(namespace.get("__file__") or "") != _OURS:
        return
    namespace["__file__"] = spec.origin
    said = {"__spec__": spec, "__loader__": spec.loader, "__cached__": spec.cached}
    namespace.update((name, value) for name, value in said.items() if namespace.get(name))
    namespace["__package__"] = spec.parent
    if spec.submodule_search_locations is not None:
        namespace["__path__"] = spec.submodule_search_locations
