"""A report as JSON: written, read back with every type checked, and described by its schema.

No text leaves here with a secret in it, and none comes in that a terminal or a CI would obey.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeGuard

import msgspec

from keptalive.bounded import MIB
from keptalive.errors import UsageError
from keptalive.records import report as types
from keptalive.records.connection import Connection, ConnectionEnd, Exchange
from keptalive.records.counts import HostCounts
from keptalive.records.plain import as_plain
from keptalive.records.report import SCHEMA, Report
from keptalive.redaction import redact, shown
from keptalive.text import as_json, each_text

# As many connections and exchanges as a report may have are in half of that
LARGEST = 128 * MIB
_NEXT = "name a report that keptalive run --json FILE made"
_MOST = 10**18  # no count, time or id is so large; and no arithmetic overflows


# -- Writing -------------------------------------------------------------------------------------


def as_dict(report: Report) -> dict[str, Any]:
    """The report as JSON has it, without secrets: dicts, lists, texts and numbers."""
    plain: dict[str, Any] = each_text(as_plain(report), _once(redact))
    return plain


def to_json(report: Report) -> str:
    """The report as a JSON text that no terminal or CI obeys.

    Raises:
        ValueError: a number in it is NaN or infinite.
    """
    return as_json(as_dict(report))


def _once(change: Callable[[str], str]) -> Callable[[str], str]:
    """The same function, which is called once for a text that comes again and again."""
    return lru_cache(maxsize=4096)(change)


# -- Reading -------------------------------------------------------------------------------------


def report_in(path: Path, plain: Mapping[str, Any]) -> Report:
    """The report that this JSON is.

    Args:
        path: where it was read, for errors.
        plain: what the file holds; `is_report` says that it is one.

    Raises:
        UsageError: it is damaged, or of a newer schema.
    """
    _check_schema(path, plain["schema"])
    try:
        report = msgspec.convert(each_text(plain, _once(shown)), Report)
    except msgspec.ValidationError as error:
        raise _damaged(path, str(error)) from None
    for fault in _faults(report):
        raise _damaged(path, fault)
    return report


def is_report(plain: Any) -> TypeGuard[dict[str, Any]]:
    """Whether this JSON is a report, or was one."""
    return isinstance(plain, dict) and {"schema", "source"} <= plain.keys()


def _check_schema(path: Path, schema: object) -> None:
    if type(schema) is not int or schema < 1:
        raise _damaged(path, f"its schema is {schema!r:.40}")
    if schema > SCHEMA:
        raise UsageError(
            f"The report {path} has schema {schema}; this keptalive reads up to {SCHEMA}. "
            "Next: a newer keptalive."
        )


def _damaged(path: Path, why: str) -> UsageError:
    return UsageError(f"The report {path} is damaged: {shown(why).rstrip('.')}. Next: {_NEXT}.")


# What types do not say, and what whoever shows a report relies on
def _faults(report: Report) -> Iterator[str]:
    for number, where in _numbers(as_plain(report.hosts), "hosts"):
        yield from _not_a_count(number, where)
    for number, where in _numbers(as_plain(report.connections), "connections"):
        yield from _not_a_count(number, where)
    yield from _not_a_count(report.seconds or 0.0, "seconds")
    yield from _faults_of_start(report)
    for host in report.hosts:
        if host.perfect is not None and host.perfect.least > host.perfect.most:
            yield f"perfect reuse of {host.host:.80} is a range that ends before it begins"
        if any(cause.members == () for cause in host.causes):
            yield f"a cause of {host.host:.80} has no members"
    if report.exchanges is not None:
        yield from _faults_of_exchanges(as_plain(report.exchanges), len(report.places))


def _faults_of_start(report: Report) -> Iterator[str]:
    """A moment that is none, or so late that no time can be added to it."""
    if report.started_at is None:
        return
    times = [report.seconds or 0.0, *(report.exchanges.started_s if report.exchanges else ())]
    try:
        datetime.fromisoformat(report.started_at) + timedelta(seconds=max(times))
    except (ValueError, OverflowError):
        yield f"started_at is {report.started_at!r:.40}"


def _not_a_count(number: float, where: str) -> Iterator[str]:
    if not 0 <= number <= _MOST:
        yield f"{where} is {number!r:.40}"


def _numbers(value: Any, where: str) -> Iterator[tuple[float, str]]:
    """All numbers of a plain value, and where they stand; those of facts may be anything."""
    if isinstance(value, (int, float)):
        yield value, where
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _numbers(inner, f"{where}[{index}]")
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key != "facts":
                yield from _numbers(inner, f"{where}.{key}")


def _faults_of_exchanges(columns: Mapping[str, list[Any]], places: int) -> Iterator[str]:
    if len({len(column) for column in columns.values()}) > 1:
        yield "the columns of its exchanges are not of one length"
    for name in ("connection", "started_s", "head_s", "released_s", "status", "thread"):
        for number in columns[name]:
            if number is not None:
                yield from _not_a_count(number, f"exchanges.{name}")
    if any(index is not None and not 0 <= index < places for index in columns["where"]):
        yield "an exchange is from a place that it does not name"


# -- The schema ----------------------------------------------------------------------------------

# Where the fields of a type are described, if not in itself
_DESCRIBED_IN = {
    "HostReport": HostCounts,
    "ConnectionReport": Connection,
    "EndReport": ConnectionEnd,
    "ExchangeColumns": Exchange,
}
_ATTRIBUTE = re.compile(r"^ {4}(\w[\w, ]*):", re.MULTILINE)


def schema() -> dict[str, Any]:
    """The JSON Schema of a report; every key that it names is written."""
    made = msgspec.json.schema(Report)
    for name, definition in made["$defs"].items():
        described = getattr(types, name)
        summary, fields = _described(described)
        if name in _DESCRIBED_IN:
            fields = _described(_DESCRIBED_IN[name])[1] | fields
        definition["description"] = summary
        definition["required"] = list(definition["properties"])
        for key, about in definition["properties"].items():
            about.pop("default", None)  # of who builds a report, not of who reads one
            if key in fields and "$ref" not in about:
                about["description"] = fields[key]
    made["$defs"]["Report"]["properties"]["schema"] = {"const": SCHEMA}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A report of keptalive run, watch or explain",
        **made,
    }


def _described(described: type) -> tuple[str, dict[str, str]]:
    """What a docstring says of the type, and of each of its attributes."""
    summary, _, attributes = inspect.getdoc(described).partition("\nAttributes:\n")  # type: ignore[union-attr]
    _, *pairs = _ATTRIBUTE.split(attributes)
    texts = {
        name.strip(): _in_json(text)
        for names, text in zip(pairs[::2], pairs[1::2], strict=True)
        for name in names.split(",")
    }
    return _in_json(summary), texts


def _in_json(text: str) -> str:
    """A description, on one line, in the words of JSON."""
    return re.sub(r"\bNone\b", "null", " ".join(text.replace("`", "").split()))
