"""Counts what another package's copy of urllib3 opens, which is not watched.

Some packages have a copy of urllib3 in them: pip, older versions of botocore. Its connections are
counted by host, and that is all. This module needs neither requests nor urllib3.
"""

from __future__ import annotations

import functools
from collections.abc import MutableMapping
from types import ModuleType
from typing import Any

from keptalive.run.inject._keptalive_faults import is_ours
from keptalive.watching.patching import Replacements

Counts = MutableMapping[tuple[str, str], int]  # of connections, by the copy's name and the host


def count_connections(module: ModuleType, counts: Counts) -> None:
    """From now on, count what a copy of ``urllib3.connection`` opens."""
    package = module.__name__.rpartition(".")[0]
    connection = vars(module).get("HTTPConnection")
    if not isinstance(connection, type) or not hasattr(connection, "_new_conn"):
        return

    def counting(make: Any) -> Any:
        @functools.wraps(make)
        def wrapper(self: Any) -> Any:
            sock = make(self)
            try:
                key = package, _host_of(self)
                counts[key] = counts.get(key, 0) + 1
            except Exception as error:
                if not is_ours(error):
                    raise
            return sock

        return wrapper

    Replacements().add(connection, "_new_conn", counting)


def _host_of(conn: Any) -> str:
    """``scheme://host:port`` of a connection of any version of urllib3."""
    attributes = object.__getattribute__(conn, "__dict__")
    # `host` is a property, which newer versions compute from this
    host = attributes.get("_dns_host") or attributes.get("host") or "unknown"
    scheme = "https" if any("HTTPS" in kind.__name__ for kind in type(conn).__mro__) else "http"
    return f"{scheme}://{host}:{attributes.get('port')}"
