"""Which two sides are compared, and what is not the same around them, in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Protocol

from keptalive.compare.findings import PROGRAM, TARGET, Difference, Findings


class Side(Protocol):
    """Where one side comes from."""

    @property
    def path(self) -> str:
        """Of its file or folder."""

    @property
    def made(self) -> str | None:
        """When, ISO 8601."""

    @property
    def reports(self) -> int:
        """How many runs it has, each in a file of its own."""

    @property
    def commit(self) -> str | None:
        """None outside of a repository."""


def sides(*both: Side) -> str:
    """Which two are compared: "baseline 3f2a91c (2026-11-20), candidate 7be0d12 (2026-11-24)".

    Of the same commit, or of none, the files are named; of the same name, the paths.
    """
    said = [_with_details(*one) for one in zip(_names_of(*both), both, strict=True)]
    return f"baseline {said[0]}, candidate {said[1]}"


def _with_details(name: str, side: Side) -> str:
    several = f"{side.reports} reports" if side.reports > 1 else ""
    details = ", ".join(filter(None, (several, (side.made or "")[:10])))
    return f"{name} ({details})" if details else name


def _names_of(*both: Side) -> list[str]:
    files = [PurePath(source.path).name or source.path for source in both]
    if files[0] == files[1]:
        files = [source.path for source in both]
    commits = [(source.commit or "")[:7] for source in both]
    if commits[0] != commits[1]:
        return [commit or file for commit, file in zip(commits, files, strict=True)]
    return [f"{commit} {file}".strip() for commit, file in zip(commits, files, strict=True)]


_SHORT = 24


def surroundings(findings: Findings) -> str:
    """What is and what is not the same around them: "same plan, urllib3 2.7.0 -> 2.8.0"."""
    said = differing(
        findings.differences,
        same_machine=findings.baseline.machine == findings.candidate.machine,
    )
    if not any(difference.name.startswith("plan's") for difference in findings.differences):
        said.insert(0, "same plan")
    return ", ".join(said) if len(said) > 1 else f"{said[0]}, same versions"


def differing(differences: Sequence[Difference], *, same_machine: bool) -> list[str]:
    """What is not the same, a few words for each.

    Another server or program is always named, other values only if they are short.
    """
    said = [
        f"{difference.name} {difference.baseline} → {difference.candidate}"
        if difference.name in (TARGET, PROGRAM)
        or max(len(difference.baseline), len(difference.candidate)) <= _SHORT
        else f"{difference.name}: not the same"
        for difference in differences
    ]
    return said if same_machine else [*said, "another machine"]
