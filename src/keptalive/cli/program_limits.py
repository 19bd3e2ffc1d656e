"""The limits of `keptalive run`: its options, or else what the project has settled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from keptalive.cli.settings import Settings
from keptalive.compare.forbidden import forbidden_causes
from keptalive.compare.host_patterns import HostPattern, host_pattern
from keptalive.compare.program_limits import OpenedLimit, ProgramLimits
from keptalive.errors import UsageError

MAX_OPENED, IGNORE, FORBID = "--max-opened", "--ignore", "--forbid"


def limits_of(
    found: Settings,
    *,
    max_opened: Sequence[str] = (),
    ignore: Sequence[str] = (),
    forbid: Sequence[str] = (),
) -> ProgramLimits:
    """The limits for one program; an option replaces what the project has under its name.

    Args:
        found: the project's.
        max_opened: the values of ``--max-opened``, each of which may be several with commas.
        ignore: those of ``--ignore``.
        forbid: those of ``--forbid``.

    Raises:
        UsageError: a value that makes no sense, or hosts to ignore where nothing is limited.
    """
    of_project = not max_opened
    numbers = (found.max_opened or {}) if of_project else _numbers(max_opened)
    opened_at = found.of("max_opened") if of_project else MAX_OPENED
    ignored_at = IGNORE if ignore else found.of("ignore")
    forbidden_at = FORBID if forbid else found.of("forbid")
    limits = ProgramLimits(
        opened=tuple(
            OpenedLimit(host=_pattern(host, opened_at), at_most=number)
            for host, number in numbers.items()
        ),
        ignored=tuple(_pattern(host, ignored_at) for host in _words(ignore) or found.ignore),
        forbidden=forbidden_causes(forbid or found.forbid, source=forbidden_at),
        opened_by=f"in {found.source}" if of_project else f"by {MAX_OPENED}",
        forbidden_by=f"by {FORBID}" if forbid else f"in {found.source}",
        of_project=of_project,
    )
    if ignore and not limits:
        raise UsageError(
            f"{IGNORE}: nothing is limited. Next: {MAX_OPENED} N or {FORBID} CAUSE, too."
        )
    return limits


def _numbers(values: Iterable[str]) -> Mapping[str, int]:
    """Numbers by host; what is given again for one host replaces what was given before."""
    numbers = {}
    for word in _words(values):
        host, named, number = word.rpartition("=")
        if not (number.isascii() and number.isdecimal() and len(number) < 10) or (
            named and not host
        ):
            raise UsageError(
                f"{MAX_OPENED}: {_quoted(word)} must be a number, or HOST=N, as in "
                "api.example.com=2."
            )
        numbers[host or "*"] = int(number)
    return numbers


def _words(values: Iterable[str]) -> list[str]:
    return [word.strip() for value in values for word in value.split(",")]


def _pattern(host: str, source: str) -> HostPattern:
    try:
        return host_pattern(host)
    except ValueError as error:
        raise UsageError(f"{source}: {_quoted(host)} must be {error}.") from None


def _quoted(word: str) -> str:
    return "..." if "@" in word else f'"{word:.80}"'  # there may be a password before it
