"""A fake of Elasticsearch 7: the few requests that a storage of results makes, in memory.

It answers as version 7 does where that matters here: an index with a mapping for a type is refused
(400), an index comes into being with its first document, and a text field is matched by its words
in lower case, its ``.keyword`` whole. Client versions from 7.14 on want the product's header.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Mapping[str, Any]]


@dataclass
class FakeElasticsearch:
    """What is in it, and what it was asked."""

    port: int
    documents: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """Of each index: by id."""
    logins: set[str] = field(default_factory=set)
    """The Authorization values that it was sent."""
    given: int = 0
    """Documents that it has sent with all their fields."""

    @property
    def url(self) -> str:
        """As pytest-benchmark takes it, without an index."""
        return f"elasticsearch+http://127.0.0.1:{self.port}"

    def answer(self, method: str, path: str, body: Any) -> Answer:
        """The status and the JSON for a request."""
        path, _, options = path.partition("?")
        match [method, *(part for part in path.split("/") if part)]:
            case ["GET"]:
                return 200, {"version": {"number": "7.17.13"}, "tagline": "You Know, for Search"}
            case ["PUT", index]:
                return self._made(index, body)
            case ["PUT", index, _, name]:
                self.documents.setdefault(index, {})[name] = body
                return 201, {"_id": name, "result": "created"}
            case ["POST", _, "_refresh"]:
                return 200, {}
            case ["POST", index, "_search"] | ["POST", index, _, "_search"]:
                if index not in self.documents and "ignore_unavailable=true" in options:
                    return 200, {"hits": {"hits": []}}
                return self._found(index, body)
        return 405, {"error": f"{method} {path} is not for this fake", "status": 405}

    def _made(self, index: str, body: Any) -> Answer:
        if set(body["mappings"]) - {"properties", "dynamic"}:
            reason = "Root mapping definition has unsupported parameters"
            return 400, {"error": {"type": "mapper_parsing_exception", "reason": reason}}
        self.documents.setdefault(index, {})
        return 200, {"acknowledged": True}

    def _found(self, index: str, body: Any) -> Answer:
        if index not in self.documents:
            reason = {"type": "index_not_found_exception", "reason": f"no such index [{index}]"}
            return 404, {"error": reason, "status": 404}
        known = self.documents[index].items()
        if not known and not all("unmapped_type" in by["datetime"] for by in body.get("sort", ())):
            reason = {"type": "query_shard_exception", "reason": "No mapping found for [datetime]"}
            return 400, {"error": reason, "status": 400}
        met = [(name, one) for name, one in known if _is_met(body["query"], {**one, "_id": name})]
        met.sort(key=lambda found: found[1]["datetime"], reverse=True)
        wanted, hits = body.get("_source"), []
        for name, one in met[: body.get("size", 10)]:
            self.given += wanted is None
            some = {key: one[key] for key in (one if wanted is None else wanted) if key in one}
            hits.append({"_id": name, "_source": some})
        return 200, {"hits": {"hits": hits}}


def _is_met(query: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    ((kind, of),) = query.items()
    if kind == "bool":
        filters = of.get("filter", [])
        every = filters if isinstance(filters, list) else [filters]
        some = of.get("should", [])
        return all(_is_met(one, document) for one in every) and (
            not some or any(_is_met(one, document) for one in some)
        )
    if kind == "ids":
        return document["_id"] in of["values"]
    if kind == "exists":
        return _value(document, of["field"]) is not None
    if kind == "term":
        ((name, wanted),) = of.items()
        if name.endswith(".keyword"):
            return bool(_value(document, name.removesuffix(".keyword")) == wanted)
        return wanted in re.findall(r"\w+", str(_value(document, name)).lower())
    raise ValueError(f"a query that this fake does not know: {kind}")


def _value(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


@contextmanager
def fake_elasticsearch() -> Iterator[FakeElasticsearch]:
    """One that runs for the length of a `with` block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            fake.logins.add(self.headers.get("Authorization", ""))
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, answer = fake.answer(
                self.command, self.path, json.loads(body) if body else None
            )
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_HEAD = _handle  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        fake = FakeElasticsearch(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
