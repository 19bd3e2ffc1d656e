"""Other names for hosts, files and paths: the same name for the same thing, wherever it stands.

A host becomes ``host1.example`` (RFC 2606), an address one of the blocks for documentation (RFC
5737, RFC 3849), a file ``file1.py``, another path ``/path1``. What says nothing about anybody
stays: loopback, ports, line numbers, and the files of well-known packages.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
import sys
from collections.abc import Callable, Iterable, Mapping

from keptalive.causes.libraries import LIBRARIES
from keptalive.watching.source_files import PLUMBING, RUNNERS

# Whose names everybody knows: the first part of a dotted name, or of a path
PUBLIC = (
    sys.stdlib_module_names
    | PLUMBING
    | RUNNERS
    | {prefix.partition("/")[0] for library in LIBRARIES for prefix in library.files}
    | {"aiohttp", "curl_cffi", "gunicorn", "httpcore", "httpx", "niquests", "pip", "pycurl"}
    | {"python", "python3", "responses", "requests_mock", "session", "tool", "uvicorn", "vcr"}
)
OUR_FILES = ("pyproject.toml",)  # of which our own sentences speak
_MULTIPROCESSING = re.compile(r"(?:Main|Fork|ForkServer|Spawn)?(?:Process|PoolWorker)(?:-[\d:]+)?")
_CODE = r"py|pyw|pyc|pyi|pyx|pyz|so|ipynb|whl|egg|zip"
_ENDINGS = rf"{_CODE}|pem|crt|cer|key|sock|log|json|toml|cfg|ini|txt|gz|sh"
_PART = r"[\w.@%+~-]+"
_FOUND = rf"""
    (?P<scheme>[A-Za-z][A-Za-z0-9+.-]{{1,20}}://)(?P<login>[^\s/@"']*@)?
        (?P<authority>\[[^\]\s]*\](?::\d+)?|[^\s/?\#"'`<>(),;]+)(?P<path>[/?\#][^\s"'`<>(),;]*)?
    | (?P<unix>unix:)(?P<socket>[^\s"'`<>(),;]+)
    | (?P<said>\bhost=['"])(?P<bare>[^'"\s]+)
    | (?P<who>\bprocess\ \d+\ \()(?P<program>[^()]+?)(?=,\ Python\ |\))
    | (?P<four>(?<![\w.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?![\w]|\.\d))
    | (?P<six>(?<![\w:.])[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?![\w:]))
    | (?P<absolute>(?<![\w.)])(?:~[\w.-]*|[A-Za-z]:)?(?:[/\\]{_PART})+[/\\]?)
    | (?P<relative>(?<![\w./\\])(?:{_PART}[/\\])*{_PART}\.(?:{_ENDINGS})(?![\w(]|\.\w))
"""
_DOTTED = r"(?P<dotted>(?<![\w.%])[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)+)"
_LINE = re.compile(r":\d+\Z")
_AUTHORITY = re.compile(r"(?P<name>\[[^\]]*\]|[^:]*)(?P<port>:\d+)?\Z")


class Pseudonyms:
    """The names that were given so far; numbers are in the order in which things were met."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        self._known: dict[str, str] = {}  # what is replaced wherever it stands as a whole word
        self._found: re.Pattern[str] | None = None
        self._in_warnings: re.Pattern[str] | None = None

    def _name(self, kind: str, what: str, make: Callable[[int], str]) -> str:
        if (kind, what) not in self._given:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._given[kind, what] = make(self._counts[kind])
        return self._given[kind, what]

    # -- One thing

    def host(self, name: str) -> str:
        """Of a host's name or address, without a port."""
        plain = name.strip("[]").lower().rstrip(".")
        try:
            address = ipaddress.ip_address(plain)
        except ValueError:
            if plain == "localhost" or plain.endswith(".localhost"):
                return name
            if "%2f" in plain:  # the path of a Unix socket, as docker's adapter has it
                return self._name("socket", plain, lambda n: f"socket{n}")
            return self._name("host", plain, lambda n: f"host{n}.example")
        if address.is_loopback or address.is_unspecified:
            return name
        if address.version == 6:
            shown = self._name("six", plain, lambda n: f"2001:db8::{n:x}")
            return f"[{shown}]" if name.startswith("[") else shown
        return self._name("four", plain, _documented)

    def path(self, path: str) -> str:
        """Of a file or folder, or of the path of a URL; ``:12`` after it stays."""
        line = found[0] if (found := _LINE.search(path)) else ""
        plain = posixpath.normpath(path.removesuffix(line).replace("\\", "/"))
        below = plain.rpartition("/site-packages/")[2].rpartition("/dist-packages/")[2]
        if plain in ("/", ".") or plain.startswith("<"):
            return path
        if "/" in below.lstrip("/") and _is_public(below.partition("/")[0]):
            return below + line
        ending = posixpath.splitext(plain)[1]
        if not re.fullmatch(rf"\.(?:{_ENDINGS})", ending):
            return self._name("path", plain, lambda n: f"/path{n}") + line
        return self._name("file", plain, lambda n: f"file{n}{ending}") + line

    def program(self, name: str) -> str:
        """Of a script, a command, a module, or a process of multiprocessing's."""
        if re.search(r"[/\\]", name) or re.search(rf"\.(?:{_ENDINGS})\Z", name):
            plain = posixpath.normpath(name.replace("\\", "/"))
            base = plain.rpartition("/")[2]
            if _is_public(_without_version(base)) and "." not in _without_version(base):
                return base
            # a place is relative to the working directory; what was run may be an absolute path
            files = (known for kind, known in self._given if kind == "file")
            return self.path(next((file for file in files if plain.endswith(f"/{file}")), plain))
        is_known = name.startswith("-") or _is_public(_without_version(name))
        if is_known or not name or _MULTIPROCESSING.fullmatch(name):
            return name
        return self._name("program", name, lambda n: f"program{n}")

    def package(self, name: str) -> str:
        """Of a dotted name of modules."""
        return name if _is_public(name) else self._name("package", name, lambda n: f"package{n}")

    def class_(self, name: str) -> str:
        """Of a class, with its module."""
        return name if _is_public(name) else self._name("class", name, lambda n: f"Class{n}")

    def met_hosts(self) -> dict[str, str]:
        """The hosts so far that can be told from other words: their names have a dot."""
        given = self._given.items()
        return {name: new for (kind, name), new in given if kind == "host" and "." in name}

    # -- Texts

    def replace_everywhere(self, names: Iterable[tuple[str, str]]) -> None:
        """Replace these, each by what follows it, where they stand as whole words."""
        self._known.update((name, new) for name, new in names if name and name != new)
        longest_first = sorted(self._known, key=len, reverse=True)
        known = "|".join(map(re.escape, longest_first)) or r"(?!)"
        pattern = rf"(?P<known>(?<![\w./~-])(?:{known})(?![\w-]|[./]\w)) | {_FOUND}"
        self._found = re.compile(pattern, re.VERBOSE)
        self._in_warnings = re.compile(rf"{pattern} | {_DOTTED}", re.VERBOSE)

    def hide(self, text: str, *, warning: bool = False) -> str:
        """The text with the other names.

        Args:
            text: of a report.
            warning: it may have names of modules and hosts that stand nowhere else.
        """
        if self._found is None or self._in_warnings is None:
            self.replace_everywhere(())
            return self.hide(text, warning=warning)
        pattern = self._in_warnings if warning else self._found
        return pattern.sub(self._replaced, text)

    def _replaced(self, found: re.Match[str]) -> str:
        parts = found.groupdict()
        if parts["known"]:
            return self._known[found[0]]
        if parts["scheme"]:
            return self._url(parts)
        if parts["unix"]:
            return f"unix:{self.path(parts['socket'])}"
        if parts["said"]:
            return parts["said"] + self.host(parts["bare"])
        if parts["who"]:
            return parts["who"] + self.program(parts["program"])
        if parts["four"] or parts["six"]:
            return self._address(found[0])
        if parts.get("dotted"):
            return self.package(found[0])
        if found[0] in OUR_FILES:
            return found[0]
        path, end = _without_end(found[0])
        return self.path(path) + end

    def _url(self, parts: Mapping[str, str | None]) -> str:
        start = f"{parts['scheme']}{parts['login'] or ''}"
        if parts["path"]:
            path, end = _without_end(parts["path"])
            return f"{start}{self._at(parts['authority'] or '')}{self.path(path)}{end}"
        authority, end = _without_end(parts["authority"] or "")
        return f"{start}{self._at(authority)}{end}"

    def _at(self, authority: str) -> str:
        found = _AUTHORITY.match(authority)
        if found is None:
            return self.host(authority)
        return self.host(found["name"]) + (found["port"] or "")

    def _address(self, text: str) -> str:
        plain, end = (text, "") if text.endswith("::") else _without_end(text)
        try:
            ipaddress.ip_address(plain)
        except ValueError:  # a time, or a version
            return text
        return self.host(plain) + end


def _without_end(text: str) -> tuple[str, str]:
    """The text without what ends a sentence, and that."""
    plain = text.rstrip(".:")
    return plain, text[len(plain) :]


def _documented(number: int) -> str:
    return f"192.0.2.{number}" if number < 255 else f"address{number}.example"


def _is_public(name: str) -> bool:
    return name.partition(".")[0] in PUBLIC


def _without_version(name: str) -> str:
    return re.sub(r"[\d.]+\Z", "", name) if name.startswith(("python", "pypy", "pip")) else name
