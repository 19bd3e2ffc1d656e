"""What a test may open: how many connections, and for which causes none at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from keptalive.compare.forbidden import ForbiddenOpening, forbidden_causes, openings_forbidden
from keptalive.compare.limits import Limit, beyond
from keptalive.errors import UsageError
from keptalive.records.report import HostReport

USE = "use at_most=N, exactly=N or forbid=CAUSE"
_OF_LIMIT = tuple(field.name for field in fields(Limit))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A limit and causes.

    Attributes:
        limit: None if any number is allowed.
        forbidden: no connection may have one of these causes; None if this rule does not speak of
            causes.
    """

    limit: Limit | None = None
    forbidden: frozenset[str] | None = None

    def or_else(self, wider: Rule) -> Rule:
        """This rule, and a wider one where this one does not speak."""
        return Rule(
            limit=wider.limit if self.limit is None else self.limit,
            forbidden=wider.forbidden if self.forbidden is None else self.forbidden,
        )


def rule_of(positional: Sequence[object], named: Mapping[str, Any]) -> Rule:
    """The rule that the arguments of a marker, or of `assert_opened`, set.

    Raises:
        UsageError: for arguments that it does not know, or that make no sense.
    """
    unknown = [
        *map(repr, positional),
        *(name for name in named if name not in (*_OF_LIMIT, "forbid")),
    ]
    if unknown:
        raise UsageError(f"unknown argument {unknown[0]}; {USE}")
    of_limit = {name: value for name, value in named.items() if name in _OF_LIMIT}
    forbid = named.get("forbid")
    if forbid is None and not of_limit:
        raise UsageError(USE)
    return Rule(
        limit=Limit(**of_limit) if of_limit else None,
        forbidden=None if forbid is None else forbidden_causes(_words(forbid), source="forbid"),
    )


def _words(forbid: object) -> list[str]:
    words = [forbid] if isinstance(forbid, str) else forbid
    if not isinstance(words, Iterable) or not all(isinstance(one, str) for one in words):
        raise UsageError(f"forbid is the name of a cause, or a list of them, not {forbid!r}")
    return list(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """How a rule was broken.

    Attributes:
        limit: the limit that was not kept; None if it was.
        beyond: the routes that count against it; none if connections are missing.
        forbidden: the openings that have a forbidden cause.
        hosts: the routes of both.
    """

    limit: Limit | None
    beyond: tuple[HostReport, ...]
    forbidden: tuple[ForbiddenOpening, ...]
    hosts: tuple[HostReport, ...]


def breach_of(rule: Rule, hosts: Sequence[HostReport]) -> Breach | None:
    """How these routes break a rule; None if they keep it."""
    too_many = None if rule.limit is None else beyond(rule.limit, hosts)
    forbidden = openings_forbidden(hosts, rule.forbidden or frozenset())
    if too_many is None and not forbidden:
        return None
    routes = {(one.host, one.via) for one in (*(too_many or ()), *forbidden)}
    return Breach(
        limit=None if too_many is None else rule.limit,
        beyond=tuple(too_many or ()),
        forbidden=forbidden,
        hosts=tuple(host for host in hosts if (host.host, host.via) in routes),
    )
