"""Writes JSON without the module json.

Importing json takes time. It is not possible at the end of a process: if a signal has interrupted
an import, the lock of a module that json needs may be held.
"""

from __future__ import annotations

from _json import encode_basestring_ascii as _quoted


def as_json(value: object) -> str:
    """This value as JSON; NaN and infinite numbers become null.

    Raises:
        TypeError: a report cannot have a value of this type.
    """
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _quoted(str.__str__(value))
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value) if abs(value) < float("inf") else "null"
    if isinstance(value, dict):
        pairs = (f"{_key(key)}: {as_json(content)}" for key, content in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(as_json, value))}]"
    raise TypeError(f"a report cannot have a {type(value).__name__}")


def _key(key: object) -> str:
    return as_json(key) if isinstance(key, str) else _quoted(as_json(key))
