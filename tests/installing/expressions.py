"""The expressions of GitHub Actions that our workflows use, and no others.

``${{ a.b }}`` looks a name up in the contexts; ``==``, ``!=``, ``&&``, ``'text'``, `always()`,
`failure()` and `success()` are known. A name that is nowhere is an error here, since it would be a
slip of the pen; GitHub makes it an empty text, as is done here for an output that a step lacks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_IN_TEXT = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_NAME = re.compile(r"[a-z_][\w-]*(\.[\w-]+)+", re.IGNORECASE)
_STATUS = re.compile(r"\b(always|failure|success|cancelled)\(\)")


class UnknownError(Exception):
    """An expression that this small reader does not understand, or a name that is nowhere."""


def filled(text: str, contexts: Mapping[str, Any]) -> str:
    """The text with the value of each expression in its place."""
    return _IN_TEXT.sub(lambda found: as_text(value(found[1], contexts)), text)


def holds(condition: str, contexts: Mapping[str, Any], *, failed: bool) -> bool:
    """Whether a step with this `if` runs; one that names no status needs success so far."""
    found = _IN_TEXT.fullmatch(condition.strip())
    plain = found[1] if found else condition.strip()
    given = {**contexts, "always()": True, "failure()": failed, "success()": not failed}
    return (bool(_STATUS.search(plain)) or not failed) and bool(value(plain, given))


def value(expression: str, contexts: Mapping[str, Any]) -> Any:
    """What an expression is worth.

    Raises:
        UnknownError: it has another form, or names what is not in the contexts.
    """
    if "&&" in expression:
        return all(value(part.strip(), contexts) for part in expression.split("&&"))
    for sign, wanted in (("!=", False), ("==", True)):
        if sign in expression:
            left, right = (value(side.strip(), contexts) for side in expression.split(sign, 1))
            return (as_text(left) == as_text(right)) is wanted
    if re.fullmatch("'[^']*'", expression):
        return expression[1:-1]
    if expression in contexts and expression.endswith("()"):
        return contexts[expression]
    if not _NAME.fullmatch(expression):
        raise UnknownError(expression)
    return _looked_up(expression, contexts)


def _looked_up(name: str, contexts: Mapping[str, Any]) -> Any:
    *path, last = name.split(".")
    found: Any = contexts
    for part in path:
        if not isinstance(found, Mapping) or part not in found:
            raise UnknownError(f"{name}: there is no {part}")
        found = found[part]
    if path[0] == "steps" and path[-1] == "outputs":
        return found.get(last, "")
    if last not in found:
        raise UnknownError(f"{name}: there is no {last}")
    return found[last]


def as_text(value: Any) -> str:
    """A value as it stands in a text."""
    return {True: "true", False: "false", None: ""}.get(value, str(value))
