"""Result files and reports: what is in them, where they are kept, and how they are read again.

Each module is imported on first use: result files need pytest-benchmark, reports do not.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keptalive.results.either import Reports, read_both
    from keptalive.results.reading import Saved, read
    from keptalive.results.storage import Storage, opened, save_in, storage_url
    from keptalive.results.storing import BASELINE, RESULTS, check_writable, find, save, save_report
    from keptalive.results.writing import SCHEMA, document, ours

__all__ = [
    "BASELINE",
    "RESULTS",
    "SCHEMA",
    "Reports",
    "Saved",
    "Storage",
    "check_writable",
    "document",
    "find",
    "opened",
    "ours",
    "read",
    "read_both",
    "save",
    "save_in",
    "save_report",
    "storage_url",
]
_MODULES = {
    "either": ("Reports", "read_both"),
    "reading": ("Saved", "read"),
    "storage": ("Storage", "opened", "save_in", "storage_url"),
    "writing": ("SCHEMA", "document", "ours"),
    "storing": ("BASELINE", "RESULTS", "check_writable", "find", "save", "save_report"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = next(module for module, names in _MODULES.items() if name in names)
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
