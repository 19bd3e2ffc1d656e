"""Where a team keeps results: a storage URL of pytest-benchmark's, with its own storage classes.

``file://FOLDER``, or ``elasticsearch+http[s]://HOST[:PORT][,HOST...]/[INDEX[/DOCTYPE]]``, as for
``--benchmark-storage``. Which result is meant may follow as ``#NAME``, the beginning of its name in
there; without, it is the newest. What others have stored there is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pytest_benchmark.logger import Logger
from pytest_benchmark.storage.file import FileStorage
from pytest_benchmark.utils import get_machine_id, get_tag

from keptalive.errors import UsageError
from keptalive.redaction import shown
from keptalive.results.reading import Saved, json_in, no_collecting, result_in
from keptalive.results.storing import check_writable

_FORMS = "file://FOLDER or elasticsearch+http[s]://HOST/INDEX"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_FILE = "file://"
_ELASTICSEARCH = re.compile(r"elasticsearch\+https?://[^/?#]+")


@dataclass(frozen=True, slots=True)
class StorageUrl:
    """A storage, and which of its results is meant: the newest if there is no name."""

    url: str
    name: str = ""

    def __str__(self) -> str:
        return shown(f"{self.url}#{self.name}" if self.name else self.url)


def is_storage_url(text: str) -> bool:
    """Whether this is meant as a URL, not as the path of a file."""
    return _SCHEME.match(text) is not None


def storage_url(text: str) -> StorageUrl:
    """The storage and the name that a user wrote.

    Raises:
        UsageError: pytest-benchmark knows no such storage.
    """
    url, _, name = text.partition("#")
    if not (url.startswith(_FILE) and url != _FILE) and _ELASTICSEARCH.match(url) is None:
        raise UsageError(f"{shown(text)} is no storage. Next: name {_FORMS}.")
    return StorageUrl(url, name)


class Stored(Protocol):
    """A result in a storage."""

    @property
    def name(self) -> str:
        """By which it is found there."""

    @property
    def made(self) -> str:
        """When, as in the result; to be compared with others only."""

    def read(self) -> Saved:
        """The result.

        Raises:
            UsageError: it is damaged, or of another schema.
        """


class Storage(Protocol):
    """One of pytest-benchmark's storages, as far as keptalive uses it."""

    def save(self, document: Mapping[str, Any], name: str) -> str:
        """Store a result under this name; say where it is.

        Raises:
            UsageError: the storage does not take it.
        """

    def newest_first(self) -> Iterator[Stored]:
        """The results of keptalive bench in there.

        Raises:
            UsageError: the storage does not answer.
        """


def opened(url: str, *, to_write: bool = False) -> Storage:
    """The storage at this URL.

    Args:
        url: of `storage_url`.
        to_write: find out now whether it can be written to, rather than after a minute's measuring.

    Raises:
        UsageError: it cannot be reached, or a package is missing.
    """
    if url.startswith(_FILE):
        folder = Path(url[len(_FILE) :])
        if to_write:
            check_writable(folder, next_step="--storage URL, where you may write")
        return _Files(folder)
    from keptalive.results.elasticsearch import Elasticsearch

    return Elasticsearch(url)


def save_in(storage: Storage, document: Mapping[str, Any]) -> str:
    """Store a result, named after the commit and the time, as ``--benchmark-autosave`` names it.

    Raises:
        UsageError: the storage does not take it.
    """
    return storage.save(document, get_tag())


def read_stored(wanted: StorageUrl, *, but: Saved | None = None) -> Saved:
    """The newest result in a storage, or the newest whose name begins as wanted.

    Args:
        wanted: the storage, and a name or none.
        but: a result that does not count, wherever it was read: the other side of a comparison.

    Raises:
        UsageError: the storage cannot be read, or has no such result, or it is damaged.
    """
    for stored in opened(wanted.url).newest_first():
        is_other_side = but is not None and stored.made == but.made
        if stored.name.startswith(wanted.name) and (wanted.name or not is_other_side):
            return stored.read()
    older = " older" if but is not None and not wanted.name else ""
    raise UsageError(
        f"There is no{older} result {wanted}. Next: keptalive bench --storage URL stores one."
    )


# -- Files ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    made: str

    @property
    def name(self) -> str:
        return self.path.name

    def read(self) -> Saved:
        with no_collecting():
            return result_in(self.path, json_in(self.path))


class _Files:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: Any = None

    def _theirs(self) -> Any:
        if self._files is None:
            self._files = FileStorage(
                str(self._folder), Logger(Logger.QUIET), default_machine_id=get_machine_id()
            )
        return self._files

    def save(self, document: Mapping[str, Any], name: str) -> str:
        before = set(self._theirs().query())
        try:
            self._theirs().save(document, name)
        # a name there that begins like a number and is none; or the same name, in the same second
        except (OSError, ValueError, AssertionError) as error:
            raise UsageError(
                f"The result cannot be stored in {self._folder}: {_why(error)}. "
                "Next: --storage URL with another folder."
            ) from None
        new = set(self._theirs().query()) - before  # others may store at the same time
        mine = sorted(path for path in new if path.name.endswith(f"_{name}.json"))
        return str(mine[-1] if mine else self._folder)

    def newest_first(self) -> Iterator[Stored]:
        if not self._folder.is_dir():
            raise UsageError(
                f"There is no folder {self._folder}. Next: keptalive bench --storage URL makes it."
            )
        found = []
        for path in self._theirs().query("*"):  # of all machines
            with suppress(UsageError), no_collecting():  # no JSON: it is not ours
                plain = json_in(path)
                if isinstance(plain, dict) and "keptalive" in plain:
                    found.append(_File(path, str(plain.get("datetime"))))  # not all of them at once
        yield from sorted(found, key=lambda one: one.made, reverse=True)


def _why(error: Exception) -> str:
    if isinstance(error, AssertionError):  # theirs, that there is no such file
        return "somebody else has just stored one with its name"
    return shown(str(error))
