"""Causes that no connection may have: which names may be forbidden, and what of a report has one.

Pure: `keptalive run --forbid` and pytest's marker judge with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from keptalive.causes.catalogue import CATALOGUE
from keptalive.errors import UsageError
from keptalive.records.report import UNAVOIDABLE, Cause, HostReport

MAY_BE_FORBIDDEN = tuple(name for name in CATALOGUE if name not in UNAVOIDABLE)
# Facts that name places: `causes.facts` has a line of the program, else one where a library was
# entered from no line of the program's own; "through" names the library's own lines beside them
_AT, _BESIDE = "_at", "_through_at"
_LONGEST = 40  # characters of a word that is no cause


@dataclass(frozen=True, slots=True, kw_only=True)
class ForbiddenOpening:
    """Connections of one route that have a forbidden cause, or may have.

    Attributes:
        host, via: the route, as in `HostReport`.
        cause: as it stands in the report; that of a set, where a log leaves several open.
        count: the connections, those that were never answered too.
        places: where in the program, the most frequent first; empty if unknown.
        cure: what to change, a sentence; empty if unknown.
        maybe: the causes of that set which are forbidden, if others of it are not: then the report
            does not show whether these connections break the rule. Empty if they do.
    """

    host: str
    via: str | None = None
    cause: str
    count: int
    places: tuple[str, ...] = ()
    cure: str = ""
    maybe: tuple[str, ...] = ()


def forbidden_causes(named: Iterable[str], *, source: str) -> frozenset[str]:
    """The causes that these words name; a word may be several with commas.

    Args:
        named: what the user wrote.
        source: where, for the beginning of an error: "--forbid".

    Raises:
        UsageError: there is no such cause, or perfect reuse has it too.
    """
    return frozenset(_cause(word.strip(), source) for words in named for word in words.split(","))


def _cause(word: str, source: str) -> str:
    if word in UNAVOIDABLE:
        raise UsageError(
            f'{source}: "{word}" is necessary, so it cannot be forbidden. '
            "Next: limit the number of connections instead."
        )
    if word not in CATALOGUE:
        near = get_close_matches(word[:_LONGEST], MAY_BE_FORBIDDEN)
        next_step = f"is it {' or '.join(near)}?" if near else "use a name of docs/causes.md."
        raise UsageError(f'{source}: there is no cause "{word:.{_LONGEST}}". Next: {next_step}')
    return word


def openings_forbidden(
    hosts: Iterable[HostReport], forbidden: frozenset[str]
) -> tuple[ForbiddenOpening, ...]:
    """What of these routes has a forbidden cause, in the order of the report.

    Args:
        hosts: a report's, or some of them.
        forbidden: of `forbidden_causes`.
    """
    return tuple(one for host in hosts for one in _of_host(host, forbidden))


def _of_host(host: HostReport, forbidden: frozenset[str]) -> Iterator[ForbiddenOpening]:
    for cause in host.causes:
        members = cause.members or (cause.cause,)
        matching = tuple(name for name in members if name in forbidden)
        if matching and (count := cause.count + cause.unanswered):
            yield ForbiddenOpening(
                host=host.host,
                via=host.via,
                cause=cause.cause,
                count=count,
                places=places_of(cause),
                cure=cause.cure,
                maybe=matching if len(matching) < len(members) else (),
            )


def places_of(cause: Cause) -> tuple[str, ...]:
    """Where in the program connections with this cause come from, the most frequent first."""
    return tuple(counted_places_of(cause))


def counted_places_of(cause: Cause) -> dict[str, int]:
    """The same, and how often each."""
    counts: Counter[str] = Counter()
    for name, places in cause.facts.items():
        if name.endswith(_AT) and not name.endswith(_BESIDE) and isinstance(places, Mapping):
            counts.update({place: n for place, n in places.items() if isinstance(n, int)})
    return dict(counts.most_common())
