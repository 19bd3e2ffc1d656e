"""Which rule a test has: that of its nearest marker, and for the rest that of pytest's settings.

(PYTEST_DONT_REWRITE: it asserts nothing.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from keptalive.errors import UsageError
from keptalive.pytest_plugin import deferred

if TYPE_CHECKING:
    from keptalive.compare.rules import Rule

MARKER = "connections"
MARKER_HELP = (
    "connections(at_most=N, exactly=N, per_host=False, forbid=CAUSE): fail the test if its call "
    "opens more (or, with exactly, another number of) connections through requests or urllib3, to "
    "all hosts together or to each; or any for this cause, or one of a list of causes, such as "
    '"new-session". The nearest marker wins.'
)
AT_MOST, FORBID = "connections_at_most", "connections_forbid"

_of_settings = pytest.StashKey["Rule | None"]()


def add_settings(parser: pytest.Parser) -> None:
    """Add the two settings for the ini file."""
    # pytest 9 reads a number of TOML as one only where one is announced, which 8.4 began with
    kind: Any = "int" if pytest.version_tuple >= (8, 4) else "string"
    parser.addini(
        AT_MOST,
        "How many connections each test may open at most through requests or urllib3, to all hosts "
        "together, unless its marker `connections` sets a number",
        type=kind,
        default=None,
    )
    forbid: Literal["args"] = "args"
    parser.addini(
        FORBID,
        'Causes for which no test may open a connection, such as "new-session", unless its marker '
        "`connections` says forbid=...",
        type=forbid,
        default=[],
    )


def read_settings(config: pytest.Config) -> None:
    """Read what the ini file says, for `rule_of`.

    Raises:
        pytest.UsageError: it makes no sense.
    """
    named: dict[str, Any] = {}
    try:
        at_most = config.getini(AT_MOST)
        if at_most not in (None, "", []):
            named["at_most"] = int(at_most)
    except (TypeError, ValueError, pytest.UsageError):
        raise pytest.UsageError(f"{_where(config, AT_MOST)}: it is no whole number") from None
    forbid = " ".join(config.getini(FORBID)).replace(",", " ").split()
    if forbid:
        named["forbid"] = forbid
    try:
        config.stash[_of_settings] = deferred.rule_of((), named) if named else None
    except UsageError as wrong:
        name = AT_MOST if str(wrong).startswith("at_most") else FORBID
        message = str(wrong).removeprefix("forbid: ")
        raise pytest.UsageError(deferred.shown(f"{_where(config, name)}: {message}")) from None


def has_settings(config: pytest.Config) -> bool:
    """Whether a rule holds for every test."""
    return config.stash.get(_of_settings, None) is not None


def rule_of(item: pytest.Item) -> Rule | None:
    """The rule of this test; None if it has none.

    Raises:
        UsageError: its marker makes no sense.
    """
    marker, wider = item.get_closest_marker(MARKER), item.config.stash.get(_of_settings, None)
    if marker is None:
        return wider
    try:
        rule = deferred.rule_of(marker.args, marker.kwargs)
    except UsageError as wrong:
        raise UsageError(f"{item.nodeid}: the marker {as_written(marker)}: {wrong}") from None
    return rule if wider is None else rule.or_else(wider)


def as_written(marker: pytest.Mark) -> str:
    """The marker, as it stands in the source: "connections(at_most=1)"."""
    arguments = [*map(repr, marker.args), *(f"{k}={v!r}" for k, v in marker.kwargs.items())]
    return f"{marker.name}({', '.join(arguments)})"


def place_of(item: pytest.Item, rule: Rule) -> str:
    """Where a test stands, and what has set its rule."""
    path, line, _ = item.location
    sources = []
    marker = item.get_closest_marker(MARKER)
    if marker is not None:
        sources.append(f"marked {as_written(marker)}")
    wider = item.config.stash.get(_of_settings, None)
    if wider is not None and wider.limit is not None and rule.limit is wider.limit:
        sources.append(_where(item.config, AT_MOST))
    if wider is not None and wider.forbidden and rule.forbidden is wider.forbidden:
        sources.append(_where(item.config, FORBID))
    return deferred.shown(f"{path}:{(line or 0) + 1}: {', '.join(sources)}")


def _where(config: pytest.Config, name: str) -> str:
    """The setting as it stands, and where: "connections_at_most = 3 (pytest.ini)"."""
    overridden = [one for one in config.getoption("override_ini") or [] if one.startswith(name)]
    if overridden:
        return f"-o {overridden[-1]}"
    file = config.inipath.name if config.inipath is not None else "settings of pytest"
    return f"{name} ({file})"
