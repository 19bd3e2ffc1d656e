"""The headers and the token of a plan: what they may be, and their values from the environment.

A plan names the variable (``"env:NAME"``), and the value is looked up when the target is prepared.
So no plan, result or comparison holds it. From then on `redaction.IN_USE` hides it everywhere.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from keptalive.errors import UsageError
from keptalive.redaction import HIDDEN, IN_USE, LONGEST, SHORTEST, redact

FROM_ENVIRONMENT = "env:"
_VARIABLE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*\Z")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}\Z")  # RFC 9110, section 5.6.2
_VALUE = re.compile(r"[\x21-\x7e\xa0-\xff](?:[\t\x20-\x7e\xa0-\xff]*[\x21-\x7e\xa0-\xff])?\Z")
_CLIENTS_OWN = frozenset({"content-length", "transfer-encoding", "host"})
# A header of such a name holds a secret, also where its value stands in the plan
_SECRET_NAME = re.compile(r"(?i)auth|cookie|credential|key|passw|secret|session|signature|token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """One header of a plan; its value may be a secret, and shows in no ``repr``.

    Attributes:
        value: the value itself, or ``env:NAME`` for that of an environment variable.
    """

    name: str
    value: str = field(repr=False)

    @property
    def variable(self) -> str | None:
        """The variable that holds the value; None if the plan does."""
        return variable_of(self.value)

    @property
    def for_a_file(self) -> str:
        """The value as a result file may hold it."""
        secret = self.variable is None and is_secret(self.name)
        return HIDDEN if secret else self.value


Headers = tuple[Header, ...]


def variable_of(value: str) -> str | None:
    """The variable that ``env:NAME`` names; None for any other value."""
    named = value.startswith(FROM_ENVIRONMENT)
    return value.removeprefix(FROM_ENVIRONMENT) if named else None


# -- In the file ---------------------------------------------------------------------------------


def checked_headers(value: Any) -> Headers:
    """The headers of this table. No value is ever part of an error.

    Raises:
        UsageError: a name or a value that no header can have.
    """
    if not isinstance(value, dict):
        raise UsageError('headers must be a table, such as { "X-Api-Key" = "env:MY_KEY" }.')
    headers = tuple(_header(name, given) for name, given in value.items())
    names = [header.name.lower() for header in headers]
    for header in headers:
        if names.count(header.name.lower()) > 1:
            raise UsageError(f"headers: {header.name} is there twice.")
    return headers


def _header(name: str, value: Any) -> Header:
    if not _NAME.match(name):
        raise UsageError(f'headers: "{redact(name)[:80]}" is no name of a header.')
    if name.lower() in _CLIENTS_OWN:
        raise UsageError(f"headers: {name} is set by the client itself. Next: leave it out.")
    if not isinstance(value, str):
        raise UsageError(f'headers: {name} must be a text, such as "env:MY_KEY".')
    if value.startswith(FROM_ENVIRONMENT):
        if not _VARIABLE.match(value):
            raise UsageError(f'headers: {name} must name one variable, such as "env:MY_KEY".')
    elif (fault := _fault_of(value)) is not None:
        raise UsageError(f"headers: {name} {fault}.")
    elif is_secret(name):
        _hide(value)
    return Header(name=name, value=value)


def is_secret(name: str) -> bool:
    """Whether a header or a field of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def checked_token(value: Any) -> str:
    """``env:NAME``: the variable that holds the token.

    Raises:
        UsageError: anything else. It is not quoted, since it may be the token itself.
    """
    if not isinstance(value, str) or not _VARIABLE.match(value):
        raise UsageError(
            'token must name the variable that holds it, such as "env:MY_TOKEN"; '
            "a plan holds no token."
        )
    return value


def _fault_of(value: str) -> str | None:
    """Why this cannot be sent as a header's value, or not be hidden; None if it can."""
    if len(value) > LONGEST:
        return f"holds more than {LONGEST} characters, which could not be hidden"
    if not _VALUE.match(value):
        return "holds nothing, or a line break or another character that no header can have"
    return None


# -- From the environment ------------------------------------------------------------------------


def resolved(headers: Iterable[Header], environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """The names and values to be sent; those from the environment are hidden from now on.

    Raises:
        UsageError: a variable is not set, or holds what no header can have.
    """
    return [(header.name, _value_of(header, environment)) for header in headers]


def _value_of(header: Header, environment: Mapping[str, str]) -> str:
    if header.variable is None:
        return header.value
    value = environment.get(header.variable, "").strip()
    if not value:
        raise UsageError(
            f"The plan's header {header.name} needs the variable {header.variable}, which is not "
            f"set. Next: export {header.variable}=..."
        )
    _hide(value)
    if (fault := _fault_of(value)) is not None:
        raise UsageError(f"The plan's header {header.name}: {header.variable} {fault}.")
    return value


def too_short_to_hide(headers: Iterable[Header], environment: Mapping[str, str]) -> list[str]:
    """The variables of these headers that hold too few characters to be hidden."""
    named = [header.variable for header in headers if header.variable is not None]
    return [name for name in named if len(environment.get(name, "").strip()) < SHORTEST]


def _hide(value: str) -> None:
    """Hide the value, and the secrets within it: a server may send back these alone."""
    IN_USE.add(value)
    scheme, _, credentials = value.partition(" ")
    if credentials:
        IN_USE.add(credentials)
    if scheme.lower() == "basic":
        IN_USE.add(_password_in(credentials))
    for pair in value.split(";"):  # of a cookie
        IN_USE.add(pair.partition("=")[2])


def _password_in(credentials: str) -> str:
    """The password of Basic authentication (RFC 7617); empty if it cannot be read."""
    try:
        login = base64.b64decode(credentials, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
    return login.partition(":")[2]
