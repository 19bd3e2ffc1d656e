"""Scenarios: how the look-alike treats its connections, as tables.

Here is decided what happens to a request and to an idle connection. This module knows counts and
names, and nothing of sockets, TLS, time or HTTP parsing: it decides, and the connection acts.
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

    CLOSE_NOTIFY = "TLS's close_notify, then FIN: a clean end"
    FIN = "FIN alone, as a server does that forgets TLS's goodbye"
    RESET = "RST"


class ScenarioKind(NamedTuple):
    """One row of the table that `--help` shows; the title is that of a table of results."""

    title: str
    meaning: str
    number_means: str | None
    default: float | None


_IDLE = "seconds of idleness after a response"

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
            "The server speaks HTTP/1.0: one request a connection",
            "Answers in HTTP/1.0 without keep-alive, and closes.",
            None,
            None,
        ),
        "request-limit": ScenarioKind(
            "The server closes unannounced after N requests",
            "Closes unannounced right after the Nth response of a connection.",
            "requests served on a connection",
            5,
        ),
        "request-limit-announced": ScenarioKind(
            "The server closes after N requests, and says so",
            "The Nth response of a connection says Connection: close, then it is closed.",
            "requests served on a connection",
            5,
        ),
        "idle-timeout": ScenarioKind(
            'The server drops idle connections ("Resetting dropped connection")',
            "Closes a connection that was idle for so long.",
            _IDLE,
            5,
        ),
        "idle-reset": ScenarioKind(
            "The server resets idle connections",
            "Resets a connection that was idle for so long.",
            _IDLE,
            5,
        ),
        "timeout-408": ScenarioKind(
            "The server sends a 408 to idle connections, and closes them",
            "Sends an unsolicited 408 to a connection that was idle for so long, and closes.",
            _IDLE,
            5,
        ),
        "stray-bytes": ScenarioKind(
            "The server sends bytes that belong to no response",
            "Every Nth response of a connection is followed by bytes that belong to no response.",
            "requests from one stray to the next",
            1,
        ),
        "stale": ScenarioKind(
            "The server closes on receiving a request on a kept connection",
            "Closes instead of answering, once a connection has served so many requests.",
            "requests served on a connection",
            1,
        ),
        "truncated-body": ScenarioKind(
            "The server breaks off in the middle of a body",
            "Every Nth response of the server breaks off in the middle of its body.",
            "requests from one broken response to the next, over all connections",
            5,
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A row of the table with its number: seconds, or a count of requests."""

    name: str
    number: float | None = None

    def __str__(self) -> str:
        if self.number is None:
            return self.name
        whole = float(self.number).is_integer()
        return f"{self.name}={int(self.number) if whole else self.number}"


def parse_scenario(text: str) -> Scenario:
    """Read "idle-timeout=60", or "idle-timeout" with its default number."""
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
    # NaN fails every comparison, so it is refused here as well.
    if not 0 < number < math.inf or (counts_requests and not number.is_integer()):
        must_be = "a positive whole number" if counts_requests else "a positive number"
        raise UsageError(f"scenario {name} needs {must_be} ({number_means}), not {text!r:.80}")
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What is done with one request."""

    answers: bool = True
    http_version: bytes = b"HTTP/1.1"
    announces_close: bool = False
    truncates: bool = False
    stray: bytes = b""
    ending: Ending | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleEnd:
    """What is done with a connection that has been idle for long enough."""

    after_s: float
    farewell: bytes
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
REFUSED = Treatment(answers=False, ending=Ending.FIN)
TRUNCATED = Treatment(truncates=True, ending=Ending.FIN)

# (the scenario's number, requests of this connection, requests of this listener) -> does it apply?
# Both counts include the request at hand.
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
    """Decide about a request, given how many there have been, this one included."""
    applies, treatment = _ON_REQUEST.get(scenario.name, (None, KEPT))
    if applies is None or applies(scenario.number or 0, of_connection, of_listener):
        return treatment
    return KEPT


def when_idle(scenario: Scenario) -> IdleEnd | None:
    """Say after how long and how an idle connection ends; None where it never does."""
    if scenario.name not in _WHEN_IDLE or scenario.number is None:
        return None
    farewell, ending = _WHEN_IDLE[scenario.name]
    return IdleEnd(after_s=scenario.number, farewell=farewell, ending=ending)
