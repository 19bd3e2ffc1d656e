"""Names of hosts as users write them for a limit, and which hosts of a report they mean. Pure."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass

_PORTS = {"http": 80, "https": 443}
_WRITTEN = re.compile(
    r"""(?:(?P<scheme>https?)://)?
    (?P<name>\* | (?:\*\.)?[^\s:/*@\[\]=?#]+ | \[[0-9a-f:.%]+\] | [0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*)
    (?::(?P<port>\d{1,5}))?/?""",
    re.VERBOSE | re.IGNORECASE,
)
_REPORTED = re.compile(r"(?P<scheme>\w+)://(?P<name>.*):(?P<port>\d+)")
_UNIX = "unix:"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPattern:
    """Which hosts are meant.

    Attributes:
        written: the user's words.
        name: in lower case; "*" is any host, "*.NAME" any host below NAME. A unix socket is one
            too, as reports name it.
        scheme, port: None if any is meant.
    """

    written: str
    name: str
    scheme: str | None = None
    port: int | None = None

    @property
    def is_any(self) -> bool:
        """Whether every host is meant, so that none of them is named."""
        return self.name == "*" and self.port is None and self.scheme is None

    @property
    def precision(self) -> tuple[int, bool, bool]:
        """Of several that mean one host, the one with the greatest counts."""
        wildcards = {"*": 0}.get(self.name, 1 if self.name.startswith("*.") else 2)
        return wildcards, self.port is not None, self.scheme is not None

    def matches(self, host: str) -> bool:
        """Whether this host of a report is meant: ``scheme://name:port`` or ``unix:PATH``."""
        if (found := _REPORTED.fullmatch(host)) is None:
            return self.name in ("*", host)
        return (
            self._means(found["name"].lower())
            and self.scheme in (None, found["scheme"])
            and self.port in (None, int(found["port"]))
        )

    def _means(self, name: str) -> bool:
        if self.name == "*":
            return True
        return name.endswith(self.name[1:]) if self.name.startswith("*.") else name == self.name


def host_pattern(written: str) -> HostPattern:
    """What these words mean: ``HOST``, ``HOST:PORT``, ``*.HOST``, ``https://HOST`` or ``*``.

    Raises:
        ValueError: they are no host; its text says what it must be.
    """
    if written.startswith(_UNIX):
        return HostPattern(written=written, name=written)
    found = _WRITTEN.fullmatch(written)
    port = int(found["port"]) if found and found["port"] else None
    if found is None or port not in (None, *range(1, 65536)):
        raise ValueError("a host such as api.example.com, localhost:8000 or *.example.com")
    scheme = found["scheme"] and found["scheme"].lower()
    return HostPattern(
        written=written,
        name=_as_sent(found["name"].lower().rstrip(".")),
        scheme=scheme,
        port=_PORTS[scheme] if scheme and port is None else port,
    )


def _as_sent(name: str) -> str:
    """The name as a request has it: IPv6 in brackets, other letters as IDNA 2003 writes them."""
    if ":" in name:
        return name if name.startswith("[") else f"[{name}]"
    with suppress(UnicodeError):
        return name if name.isascii() else name.encode("idna").decode("ascii")
    return name
