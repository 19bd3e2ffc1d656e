"""From what somebody wants to run to the words that start it, or one line that says why not."""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder
from pathlib import Path
from typing import NamedTuple

from keptalive.errors import UsageError
from keptalive.run.interpreter import interpreter_for

_PYTHONS = {"-c": "-c '...'", "-": "-"}  # what python takes in the place of a script
_NAMES = ("python", "pypy")  # how interpreters' names begin
_COMPILED = (".pyc", *EXTENSION_SUFFIXES)


class Words(NamedTuple):
    """What to start.

    Attributes:
        words: the command with its arguments.
        python: which Python that is, where another one than keptalive's runs a script or a module.
    """

    words: list[str]
    python: str = ""


def module_words(command: Sequence[str]) -> Words:
    """A Python, -m, and the module with its arguments."""
    if not command or not command[0]:
        raise UsageError("There is no module to run. Next: keptalive run -m MODULE [ARGS].")
    name = command[0]
    interpreter = interpreter_for(None, os.environ)
    if not interpreter.is_ours:  # it finds the module, or says that there is none
        return Words([str(interpreter.path), "-m", *command], interpreter.said)
    spec = _found_module(name)
    if spec is None:
        raise UsageError(
            f"There is no module {name} for {sys.executable}. Next: install it there, or name the "
            f"interpreter that has it: keptalive run /path/to/python -m {name}."
        )
    if spec.submodule_search_locations is not None and _found_module(f"{name}.__main__") is None:
        raise UsageError(
            f"{name} is a package without __main__, so it cannot be run. "
            f"Next: name a module within it, as in -m {name}.MODULE."
        )
    if spec.submodule_search_locations is None:
        _check_script(Path(spec.origin or ""))
    return Words([sys.executable, "-m", *command], interpreter.said)


def _found_module(name: str) -> ModuleSpec | None:
    """Find a module as ``python -m`` would from here, running no code of its packages."""
    paths: list[str] | None = None
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        parent, spec = spec, _found_in(".".join(parts[:count]), paths)
        if spec is None:
            # packages may extend their __path__ as they run: then Python itself is to judge
            return parent if parent is not None and _extends_its_path(parent) else None
        if spec.submodule_search_locations is None:
            return spec if count == len(parts) else None
        paths = list(spec.submodule_search_locations)
    return spec


def _found_in(name: str, paths: list[str] | None) -> ModuleSpec | None:
    if paths is None and (spec := PathFinder.find_spec(name, [str(Path.cwd())])) is not None:
        return spec
    for finder in sys.meta_path:
        with suppress(ImportError, AttributeError):
            if (spec := finder.find_spec(name, paths)) is not None:
                return spec
    return None


def _extends_its_path(package: ModuleSpec) -> bool:
    try:
        return "__path__" in Path(package.origin or "").read_text(errors="replace")
    except OSError:
        return False


def command_words(command: Sequence[str]) -> Words:
    """The command as it is, or a Python in front of a script."""
    if not command or not command[0]:
        raise UsageError("There is nothing to run. Next: keptalive run SCRIPT [ARGS].")
    name = command[0]
    path = Path(name)
    looks_like_script = path.suffix in (".py", ".pyw", ".pyc", ".pyz")
    if os.sep not in name and not looks_like_script and (found := _on_path(name)):
        return Words([found, *command[1:]])
    if path.is_dir():
        if not (path / "__main__.py").is_file():
            raise UsageError(
                f"{name} is a folder without __main__.py. Next: name the script in it."
            )
        return _as_script(command)
    if not path.exists():
        raise _missing(name, looks_like_script)
    if looks_like_script or (not os.access(path, os.X_OK) and _is_pythons(path)):
        return _as_script(command)
    if os.sep not in name or not os.access(path, os.X_OK):
        raise UsageError(
            f"{name} is neither a command nor a Python script. "
            f"Next: chmod +x and ./{path.name}, or keptalive run python {name}."
        )
    return Words(list(command))


def _as_script(command: Sequence[str]) -> Words:
    name = command[0]
    interpreter = interpreter_for(Path(name), os.environ)
    if interpreter.path is None:
        return Words([str(Path(name).absolute()), *command[1:]])
    if interpreter.is_ours:
        _check_script(Path(name))
    dashes = ["--"] if name.startswith("-") else []
    return Words([interpreter.path, *dashes, *command], interpreter.said)


def python_of(words: Sequence[str], name: str | None) -> str | None:
    """The name of the Python that a command had become when it ended; None if it was none.

    Args:
        words: the command.
        name: what the system called the process at its end: 15 characters, those of a script that
            names its interpreter; None where that is not known.
    """
    path = Path(words[0])
    if name is not None and name != path.name[:15]:
        return name if name.startswith(_NAMES) else None
    if path.name.startswith(_NAMES) or (path.is_file() and _begins_as_python(path)):
        return path.name
    return None


def ignores_path(words: Sequence[str]) -> bool:
    """Whether this is a Python that does not look for our `sitecustomize`: with -E, -I or -S.

    Nor does one that only prints its version or its help.
    """
    if not Path(words[0]).name.startswith(_NAMES):
        return False
    options = iter(words[1:])
    for word in options:
        if word.startswith(("--version", "--help")):
            return True
        if len(word) < 2 or not word.startswith("-") or word.startswith("--"):
            return False
        letter = next((letter for letter in word[1:] if letter in "EISVh?cmWX"), " ")
        if letter in "EISVh?cm":
            return letter not in "cm"
        if word.endswith(letter):  # the value of -W or -X is a word of its own
            next(options, None)
    return False


def _begins_as_python(path: Path) -> bool:
    try:
        return _is_pythons(path)
    except UsageError:
        return False


def _on_path(name: str) -> str | None:
    # a virtual environment that is not activated has its console scripts beside its Python
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


def _missing(name: str, looks_like_script: bool) -> UsageError:
    if name in _PYTHONS:
        return UsageError(f"keptalive takes no code. Next: keptalive run python {_PYTHONS[name]}.")
    name = name if name.isprintable() else repr(name)
    if looks_like_script or os.sep in name:
        return UsageError(f"There is no {name} in {Path.cwd()}. Next: check the path.")
    if name.isidentifier() and _found_module(name) is not None:
        return UsageError(f"There is no command {name}. Next: keptalive run -m {name}.")
    return UsageError(f"There is no command {name} on the PATH. Next: check its name, or its path.")


def _is_pythons(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            first = file.readline(200)
    except OSError as error:
        raise _unreadable(path, error) from None
    return first.startswith(b"#!") and b"python" in first


def _check_script(path: Path) -> None:
    """Find out before the run what Python would say at its start."""
    if not path.is_file() or path.suffix in _COMPILED:
        return
    try:
        text = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    if b"\0" in text:
        import zipfile  # costs more than all else here

        if zipfile.is_zipfile(path):
            return
        raise UsageError(f"{path} is a binary file, not a Python script. Next: name the script.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the program itself will print them
            compile(text, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        where = f"{path}, line {error.lineno}" if error.lineno else str(path)
        raise UsageError(
            f"{where}: {error.msg}. Next: mend it; Python {sys.version_info[0]}."
            f"{sys.version_info[1]} would not run it."
        ) from None
    except (ValueError, RecursionError, MemoryError):  # too much for compile: Python will tell
        pass


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be read: {error.strerror}. Next: check its permissions.")
