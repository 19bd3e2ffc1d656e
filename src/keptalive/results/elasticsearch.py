"""Results in Elasticsearch, stored and searched with pytest-benchmark's storage class.

That class stores a document for each benchmark, and gives back nothing that it does not know.
What is keptalive's goes into the first of a result's documents, as one text. As an object, each of
its keys would become a field of the index, of which Elasticsearch allows 1,000.

The class needs version 7 of the client; it and the index are as pytest-benchmark makes them.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from netrc import NetrcParseError
from pathlib import Path
from typing import Any

from pytest_benchmark.logger import Logger
from pytest_benchmark.utils import get_machine_id, parse_elasticsearch_storage

from keptalive.bounded import json_of
from keptalive.errors import UsageError
from keptalive.redaction import shown
from keptalive.results.reading import LARGEST, Saved, as_shown, result_in
from keptalive.text import as_json

_PREFIX = "elasticsearch+"
_KEY = "keptalive"
_MOST = 1000  # results that are looked through, the newest ones
_INSTALL = "Next: pip install 'keptalive[elasticsearch]'."


@dataclass(frozen=True, slots=True)
class _Document:
    storage: Elasticsearch
    id: str
    name: str
    made: str

    def read(self) -> Saved:
        source = self.storage.source_of(self.id)
        path = Path(self.storage.index) / self.name
        text = str(source[_KEY])
        if len(text) > LARGEST:
            raise UsageError(f"The result {path} is too large: more than {LARGEST} characters.")
        try:
            ours = json_of(text)
        except (RecursionError, ValueError):
            raise UsageError(
                f"The result {path} is damaged: its keptalive is not JSON. Next: name another one."
            ) from None
        beside = ("datetime", "machine_info", "commit_info")
        whole = {key: source[key] for key in beside if key in source}
        return result_in(path, as_shown({**whole, "benchmarks": [], _KEY: ours}))


class Elasticsearch:
    """The storage at this URL.

    Raises:
        UsageError: it cannot be reached; or the package elasticsearch is missing, or another
            version than pytest-benchmark's class can use.
    """

    def __init__(self, url: str) -> None:
        storage = _their_class()
        self._shown = shown(url)
        with self._refused("reached"):
            hosts, self.index, doctype, self._project = parse_elasticsearch_storage(
                url.removeprefix(_PREFIX), netrc_file="~/.netrc"
            )
            self._theirs = storage(
                *(hosts, self.index, doctype, self._project),
                logger=Logger(Logger.QUIET),
                default_machine_id=get_machine_id(),
            )

    def save(self, document: Mapping[str, Any], name: str) -> str:
        whole = json.loads(as_json(document))  # their class takes it apart
        ours = as_json(whole.pop(_KEY))
        whole["benchmarks"][0][_KEY] = ours
        whole["commit_info"]["project"] = self._project  # by which it is found again
        with self._refused("written to"):
            self._theirs.save(whole, name)
            self._client.indices.refresh(index=self.index, ignore=[403, 404])
        return f"{self._shown} as {self._theirs.default_machine_id}_{name}"

    def newest_first(self) -> Iterator[_Document]:
        project = self._project
        # An index that Elasticsearch 5 or newer made by itself has the whole word as .keyword
        words = ("commit_info.project", "commit_info.project.keyword")
        query = {
            "size": _MOST,
            "_source": ["benchmark_id", "datetime"],  # the result itself is that of one only
            "sort": [{"datetime": {"order": "desc", "unmapped_type": "date"}}],
            "query": {
                "bool": {
                    "filter": [
                        {"bool": {"should": [{"term": {word: project}} for word in words]}},
                        {"exists": {"field": _KEY}},
                    ]
                }
            },
        }
        yield from [
            _Document(self, id_, str(source.get("benchmark_id")), str(source.get("datetime")))
            for id_, source in self._found(query)
        ]

    def source_of(self, id_: str) -> Mapping[str, Any]:
        """The whole document with this id.

        Raises:
            UsageError: it is no longer there.
        """
        for _, source in self._found({"query": {"ids": {"values": [id_]}}}):
            return source
        raise UsageError(f"The storage {self._shown} has no {id_} any more. Next: try again.")

    def _found(self, query: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
        with self._refused("read"):
            answer = self._client.search(index=self.index, body=query, ignore_unavailable=True)
            return [(str(hit["_id"]), hit["_source"]) for hit in answer["hits"]["hits"]]

    @property
    def _client(self) -> Any:
        return self._theirs._es  # noqa: SLF001 -- their class gives back only what it knows

    @contextmanager
    def _refused(self, done: str) -> Iterator[None]:
        """Make an error of the client, or an answer of another server, a sentence."""
        from elasticsearch.exceptions import ElasticsearchException, ElasticsearchWarning

        try:
            with warnings.catch_warnings():
                # of options that pytest-benchmark's class uses, and a server without a password
                warnings.simplefilter("ignore", ElasticsearchWarning)
                warnings.simplefilter("ignore", DeprecationWarning)
                yield
        except NetrcParseError as error:  # its text may have a password in it
            raise UsageError(
                f"The storage {self._shown} cannot be {done}: ~/.netrc is damaged near line "
                f"{error.lineno}. Next: mend it."
            ) from None
        except (ElasticsearchException, OSError, KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"The storage {self._shown} cannot be {done}: {_why(error)}. "
                "Next: check the URL, and the login in it or in ~/.netrc."
            ) from None


def _why(error: Exception) -> str:
    """What the server answered, or what the system said, of the client's long sentence."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return f"{status} {shown(str(error.error))}"  # type: ignore[attr-defined]
    lines = str(getattr(error, "info", error)).splitlines() or [type(error).__name__]
    return shown(lines[0].rpartition(": ")[2][:200])


def _their_class() -> Any:
    try:
        import elasticsearch
    except ImportError:
        raise UsageError(
            f"A storage in Elasticsearch needs the package elasticsearch. {_INSTALL}"
        ) from None
    if elasticsearch.__version__[0] != 7:
        version = ".".join(map(str, elasticsearch.__version__))
        raise UsageError(
            "pytest-benchmark's storage needs version 7 of the package elasticsearch; this is "
            f"{version}. {_INSTALL}"
        )
    from pytest_benchmark.storage.elasticsearch import ElasticsearchStorage

    return ElasticsearchStorage
