"""Scenarios: tables that say how and when the look-alike ends its connections.

This module decides what happens to a request and to an idle connection; `connection` does it. It
knows names and counts, but no sockets, TLS, time or HTTP parsing.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from keptalive.errors import UsageError


class Ending(enum.Enum):
    """How the server ends a connection."""

    CLOSE_NOTIFY = "TLS close_notify, then FIN: a clean end"
    FIN = "FIN without close_notify, as some servers do"
    RESET = "RST"


class ScenarioKind(NamedTuple):
    """One row of the table of scenarios; `bench` shows the title, `serve --help` the meaning."""

    title: str
    meaning: str
    number_means: str | None
    default: float | None


_IDLE = "idle seconds after a response"

SCENARIOS: Mapping[str, ScenarioKind] = MappingProxyType(
    {
        "keep-alive": ScenarioKind(
            "The server keeps connections", "Never closes a connection.", None, None
        ),
        "close-announced": ScenarioKind(
            "The server closes after every response, and says so",
            "Every response says Connection: close, and the connection is closed.",
            None,
            None,
        ),
        "http-1.0": ScenarioKind(
            "The server speaks HTTP/1.0: one request per connection",
            "Sends HTTP/1.0 responses without keep-alive, and closes.",
            None,
            None,
        ),
        "request-limit": ScenarioKind(
            "The server closes unannounced after N requests",
            "Closes right after the Nth response on a connection, unannounced.",
            "requests on one connection",
            5,
        ),
        "request-limit-announced": ScenarioKind(
            "The server closes after N requests, and says so",
            "The Nth response on a connection says Connection: close, then it is closed.",
            "requests on one connection",
            5,
        ),
        "idle-timeout": ScenarioKind(
            'The server drops idle connections ("Resetting dropped connection")',
            "Closes a connection that was idle for N seconds.",
            _IDLE,
            5,
        ),
        "idle-reset": ScenarioKind(
            "The server resets idle connections",
            "Resets (RST) a connection that was idle for N seconds.",
            _IDLE,
            5,
        ),
        "timeout-408": ScenarioKind(
            "The server sends a 408 to idle connections, and closes them",
            "Sends a 408 on a connection that was idle for N seconds, and closes it.",
            _IDLE,
            5,
        ),
        "stray-bytes": ScenarioKind(
            "The server sends bytes that belong to no response",
            "Sends bytes that belong to no response after every Nth response on a connection.",
            "requests on one connection",
            1,
        ),
        "stale": ScenarioKind(
            "The server closes a kept connection when a request comes",
            "Closes instead of sending a response, after N responses on a connection.",
            "requests on one connection",
            1,
        ),
        "truncated-body": ScenarioKind(
            "The server ends in the middle of a body",
            "Every Nth response of the server ends in the middle of its body.",
            "requests on all connections together",
            5,
        ),
        "nat-timeout": ScenarioKind(
            "The path forgets idle connections, as a NAT does",
            "Drops all packets of a connection that was idle for N seconds; on a true link only.",
            "idle seconds of a connection",
            2,
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario with its number: seconds, or a count of requests."""

    name: str
    number: float | None = None

    def __str__(self) -> str:
        if self.number is None:
            return self.name
        whole = float(self.number).is_integer()
        return f"{self.name}={int(self.number) if whole else self.number}"


def parse_scenario(text: str) -> Scenario:
    """The scenario that a text such as "idle-timeout=60" names; without "=60" the default is used.

    Raises:
        UsageError: there is no such scenario, or its number is invalid.
    """
    name, has_number, number_text = text.strip().partition("=")
    kind = SCENARIOS.get(name)
    if kind is None:
        raise UsageError(f"unknown scenario {name!r:.80}: choose one of {', '.join(SCENARIOS)}")
    if not has_number:
        return Scenario(name=name, number=kind.default)
    if kind.number_means is None:
        raise UsageError(f"scenario {name} takes no number, but {text!r:.80} gives one")
    return Scenario(name=name, number=_parse_number(name, kind.number_means, number_text))


def _parse_number(name: str, number_means: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    counts_requests = number_means.startswith("requests")
    # NaN fails every comparison, so it is refused here too
    if not 0 < number < math.inf or (counts_requests and not number.is_integer()):
        must_be = "a positive whole number" if counts_requests else "a positive number"
        raise UsageError(f"scenario {name} needs {must_be} ({number_means}), not {text!r:.80}")
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What the server does with one request."""

    responds: bool = True
    http_version: bytes = b"HTTP/1.1"
    announces_close: bool = False
    truncates: bool = False
    stray: bytes = b""
    ending: Ending | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleEnd:
    """What the server does with a connection that was idle for ``after_s`` seconds."""

    after_s: float
    farewell: bytes  # sent before the end
    ending: Ending


REQUEST_TIMEOUT = (
    b"HTTP/1.1 408 Request Time-out\r\n"
    b"Content-Length: 0\r\n"
    b"Cache-Control: no-cache\r\n"
    b"Connection: close\r\n"
    b"\r\n"
)

KEPT = Treatment()
ANNOUNCED = Treatment(announces_close=True, ending=Ending.CLOSE_NOTIFY)
HTTP_1_0 = Treatment(http_version=b"HTTP/1.0", ending=Ending.CLOSE_NOTIFY)
DROPPED = Treatment(ending=Ending.CLOSE_NOTIFY)
STRAYED = Treatment(stray=b"\r\n")
REFUSED = Treatment(responds=False, ending=Ending.FIN)
TRUNCATED = Treatment(truncates=True, ending=Ending.FIN)

# (the scenario's number, requests on this connection, requests on this port) -> does it apply?
# Both counts include the current request.
_Condition = Callable[[float, int, int], bool]

_ON_REQUEST: Mapping[str, tuple[_Condition, Treatment]] = {
    "close-announced": (lambda _number, _mine, _all: True, ANNOUNCED),
    "http-1.0": (lambda _number, _mine, _all: True, HTTP_1_0),
    "request-limit": (lambda number, mine, _all: mine >= number, DROPPED),
    "request-limit-announced": (lambda number, mine, _all: mine >= number, ANNOUNCED),
    "stray-bytes": (lambda number, mine, _all: mine % number == 0, STRAYED),
    "stale": (lambda number, mine, _all: mine > number, REFUSED),
    "truncated-body": (lambda number, _mine, all_: all_ % number == 0, TRUNCATED),
}

_WHEN_IDLE: Mapping[str, tuple[bytes, Ending]] = {
    "idle-timeout": (b"", Ending.CLOSE_NOTIFY),
    "idle-reset": (b"", Ending.RESET),
    "timeout-408": (REQUEST_TIMEOUT, Ending.CLOSE_NOTIFY),
}


def on_request(scenario: Scenario, *, of_connection: int, of_listener: int) -> Treatment:
    """What to do with a request; both numbers include this request."""
    applies, treatment = _ON_REQUEST.get(scenario.name, (None, KEPT))
    if applies is None or applies(scenario.number or 0, of_connection, of_listener):
        return treatment
    return KEPT


def nat_timeout_s(scenario: Scenario) -> float | None:
    """After how many idle seconds the path forgets a connection; None if it never does.

    This is the link's part: the server keeps the connection.
    """
    return scenario.number if scenario.name == "nat-timeout" else None


def when_idle(scenario: Scenario) -> IdleEnd | None:
    """When and how an idle connection ends; None if it never does."""
    if scenario.name not in _WHEN_IDLE or scenario.number is None:
        return None
    farewell, ending = _WHEN_IDLE[scenario.name]
    return IdleEnd(after_s=scenario.number, farewell=farewell, ending=ending)
