"""What a watched process says of itself, in its reports and when it begins; little is imported."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing takes longer than all of this
if TYPE_CHECKING:
    from typing import Any

# Where each version is: the module, its attribute, and the name in the report
_VERSIONS = (
    ("requests", "__version__", "requests"),
    ("urllib3", "__version__", "urllib3"),
    ("ssl", "OPENSSL_VERSION", "openssl"),
)


def about() -> dict[str, Any]:
    """This process, its program and its Python."""
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "program": _program(),
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def libraries() -> dict[str, str]:
    """The versions of the imported libraries; no code of these modules is called."""
    found = {}
    for name, key, called in _VERSIONS:
        module = sys.modules.get(name)
        version = module.__dict__.get(key) if type(module) is type(sys) else None
        if type(version) is str:
            found[called] = version
    return found


def _program() -> str:
    """The name of the program, without its arguments, which may be secret."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        return str(multiprocessing.current_process().name)
    name = str((getattr(sys, "argv", None) or [""])[0])
    words = getattr(sys, "orig_argv", ())
    if name == "-m" and name in words[:-1]:  # its module has not been looked for yet
        return str(words[words.index(name) + 1])
    return name
