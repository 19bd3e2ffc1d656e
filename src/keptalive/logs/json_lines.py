"""Lines of JSON, as lines of text that they may stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from keptalive.logs.messages import NAME, REMEMBERED, hits_in
from keptalive.logs.timestamps import Clock

JSON = re.compile(rb'\{\s*"')
_DECODER = json.JSONDecoder()
_A_TIME = "time"
_TIME_KEYS = frozenset(
    {"ts", "time", "timestamp", "@timestamp", "asctime", "created", "date", "datetime", "t"}
)
_THREAD_KEYS = frozenset(
    {"thread", "threadname", "thread_name", "threadid", "thread_id", "tid", "taskname"}
)
_PROCESS_KEYS = frozenset({"process", "pid", "processid", "process_id", "process_pid"})
_HOST_KEYS = frozenset(
    {"host", "hostname", "host_name", "pod", "pod_name", "processname", "process_name"}
    | {"container", "container_id", "container_name"}
)


_ROLES = {_A_TIME: _TIME_KEYS, "thread": _THREAD_KEYS, "pid": _PROCESS_KEYS, "host": _HOST_KEYS}
_UNWORDLY = re.compile(r"[^\w.()-]+")
_SHORTEST = 8  # "Retry: /"


def _leaves(value: object, key: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """The ends of a JSON value. {"thread": {"id": 1}} and "process.thread.id" are "thread_id"."""
    if not isinstance(value, dict) or depth > 4:
        yield key, value
        return
    for name, inner in value.items():
        inherits = key and name in ("id", "name", "pid")
        yield from _leaves(inner, f"{key}_{name}" if inherits else name, depth + 1)


@lru_cache(REMEMBERED)
def _role(key: str) -> str:
    """What the value of a key is: the time, or where the line is from; else nothing."""
    flat = key.lower().replace(".", "_")
    flat = flat.removeprefix("process_") if "_thread" in flat else flat
    return next((role for role, keys in _ROLES.items() if flat in keys), "")


@dataclass(slots=True)
class Record:
    """What a line of JSON says, as lines of text that it may stand for."""

    texts: list[bytes]
    prefix: bytes
    at_s: float | None


def record_of(line: bytes, clock: Clock) -> tuple[Record | None, int]:
    """The object that begins the line, and where it ends."""
    try:
        # one character for each byte, so that places are the same in both
        value, end = _DECODER.raw_decode(line.decode("latin-1"))
    except (ValueError, RecursionError):
        return None, 0
    texts: list[bytes] = []
    prefix: list[bytes] = []
    at_s = None
    for key, leaf in _leaves(value):
        role = _role(key[:40])
        if role == _A_TIME:
            at_s = clock.of_json(leaf) if at_s is None else at_s
        elif role:
            prefix.append(
                f"{role}={_UNWORDLY.sub('_', str(leaf)[:100])}".encode("utf-8", "replace")
            )
        elif isinstance(leaf, str) and len(leaf) >= _SHORTEST:
            raw = leaf.encode("latin-1", "replace")  # "\\u" escapes may be beyond it
            if NAME.fullmatch(raw):
                prefix.append(raw)
            elif hits_in(raw):
                texts.append(raw.rstrip())
    return Record(texts, b" ".join(prefix), at_s), end
