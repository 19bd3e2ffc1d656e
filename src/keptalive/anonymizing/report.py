"""A report with other names: where it has hosts, files and paths, in the order they are met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

from keptalive.anonymizing.pseudonyms import Pseudonyms
from keptalive.records.report import LostProcess, Report

SAID = (
    "Hosts, files and paths have other names here. Read it before you publish it: names of errors "
    "and of packages, versions and times are as they were."
)
# Names of ours or of the field's, versions and times: what is in them is nobody's
_KEPT = frozenset(
    {"schema", "source", "started_at", "cause", "members", "finding", "how"}
    | {"error", "beneath", "errors", "phases", "method"}
)
_APART = frozenset(
    {"command", "environment", "warnings", "doubts"}
)  # which `Anonymizer` changes in ways of their own
_BEHIND = (" (Session)", " (library)")  # what a place may end with: see `connection.where_of`
_PACKAGES = ("package", "libraries", "clients")  # facts that are names of packages


class Anonymizer:
    """Gives other names to what a report names, and to that in every text that is about it.

    Attributes:
        report: the same report with the other names.
    """

    def __init__(self, report: Report) -> None:
        self._names = names = Pseudonyms()
        known = {place: names.path(place) for place in _files(report)}
        for host in _hosts(report):
            names.hide(host)
        for name in _packages(report):
            for of_it in ("", ".connectionpool"):  # a package, and the logger of its urllib3
                known[name + of_it] = names.package(name) + of_it
        known |= {name: names.class_(name) for name in _classes(report)}
        names.replace_everywhere(known.items())
        self._hidden = cache(names.hide)
        self._changed(report)  # then all hosts that have a scheme somewhere are known
        names.replace_everywhere(names.met_hosts().items())
        self._hidden = cache(names.hide)
        changed = self._changed(report)
        command = tuple(map(names.program, report.command))
        warnings = (*map(self.text, report.warnings), SAID)
        # versions look like addresses; a path among them is the interpreter's
        environment = {
            name: names.program(found) if isinstance(found, str) and "/" in found else found
            for name, found in report.environment.items()
        }
        self.report: Report = replace(
            changed,
            command=command,
            environment=environment,
            warnings=warnings,
            doubts=tuple(map(self.text, report.doubts)),
        )

    def text(self, text: str) -> str:
        """A sentence about this report, with the other names."""
        return self._names.hide(text, warning=True)

    def _changed(self, value: Any, field: str = "") -> Any:
        if isinstance(value, str):
            return self._names.path(value) if field == "path" else self._hidden(value)
        if isinstance(value, LostProcess):
            return replace(value, program=self._names.program(value.program))
        if is_dataclass(value) and not isinstance(value, type):
            names = (one.name for one in fields(value) if one.name not in _KEPT | _APART)
            changed = {name: self._changed(getattr(value, name), name) for name in names}
            return replace(value, **changed)
        if isinstance(value, Mapping):
            kept = field == "facts"  # their names are ours
            return {
                key if kept else self._changed(key): self._changed(inner)
                for key, inner in value.items()
            }
        if isinstance(value, (list, tuple)):
            return type(value)(self._changed(inner, field) for inner in value)
        return value


def anonymized(report: Report) -> Report:
    """The report for a public issue."""
    return Anonymizer(report).report


# -- What is named ---------------------------------------------------------------------------------


def _hosts(report: Report) -> Iterator[str]:
    """Hosts in the order of their first connection, so that two runs are likely to agree."""
    for connection in report.connections:
        yield from filter(None, (connection.host, connection.via))
    for host in report.hosts:
        yield from filter(None, (host.host, host.via, *host.origins))
    for facts in _facts(report):
        yield from facts.get("hosts", ())


def _files(report: Report) -> Iterator[str]:
    """Files in which something was done, without lines, in the order of their connections."""
    for connection in report.connections:
        yield from _file_of(connection.where)
        yield from _file_of(connection.through)
    for place in (*report.places, *report.left_at, *report.unclosed_at):
        yield from _file_of(place)
    for facts in _facts(report):
        for name, found in facts.items():
            if name.endswith("_at") and isinstance(found, Mapping):
                for place in found:
                    yield from _file_of(place)


def _file_of(place: str | None) -> Iterator[str]:
    for part in (place or "").split(" through "):
        for behind in _BEHIND:
            part = part.removesuffix(behind)
        file, _, line = part.rpartition(":")
        if file and line.isdecimal():
            yield file


def _packages(report: Report) -> Iterator[str]:
    for facts in _facts(report):
        for name in _PACKAGES:
            found = facts.get(name, ())
            yield from (found,) if isinstance(found, str) else found


def _classes(report: Report) -> Iterator[str]:
    """The classes of adapters that `run --tuned` left alone."""
    for facts in _facts(report):
        yield from facts.get("left_alone", ())


def _facts(report: Report) -> Iterable[Mapping[str, Any]]:
    yield from (cause.facts for host in report.hosts for cause in host.causes)
    yield from (finding.facts for finding in report.findings)
