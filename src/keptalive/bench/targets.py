"""Where the requests go: the look-alike, GitHub, or a server of one's own.

A target gives the base URL and the access for each scenario, counts as the third witness if the
server is ours, and says when to stop.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi
from requests.utils import get_netrc_auth

from keptalive import interruption
from keptalive.bench.access import Access, auth_for
from keptalive.bench.github.preflight import Allowance, ask_once, asks_to_stop, same_origin
from keptalive.bench.github.token import MAKE_ONE, Token, find_token
from keptalive.bench.influences import BUNDLES, influences, neutral, notes
from keptalive.bench.plan import Plan
from keptalive.bench.plan_checks import AS_IS, GITHUB, LOOKALIKE
from keptalive.bench.strategy import Answer
from keptalive.bench.summary import MINIMUM_ROUNDS
from keptalive.errors import TargetError, UsageError
from keptalive.lookalike.behaviour import parse_scenario, when_idle
from keptalive.lookalike.process import Lookalike
from keptalive.redaction import IN_USE, shown

GITHUB_URL = "https://api.github.com"
GITHUB_HEADERS = (
    ("Accept", "application/vnd.github+json"),
    ("X-GitHub-Api-Version", "2022-11-28"),
)
_LARGEST_BUNDLE = 16 * 1024 * 1024  # bytes that are looked through; certifi's has 0.3 million
PAUSE_FACTOR = 1.2  # a program that waits a little longer than the server's idle timeout


class Target(ABC):
    """A server, and what is known of it."""

    label: str
    scenarios: tuple[str, ...]
    access: Access
    notes: tuple[str, ...] = ()

    @abstractmethod
    def url(self, scenario: str) -> str:
        """The base URL, without a slash at its end."""

    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """What the result file says of it."""

    def accepted(self, scenario: str) -> int | None:  # noqa: ARG002
        """How many TCP connections the server has accepted so far; None if it is not ours."""
        return None

    def pause(self, scenario: str) -> None:  # noqa: B027
        """What happens between two requests: by default they follow one another at once."""

    def clock(self) -> float:
        """Seconds, as they pass for the server: with every pause that nobody waited for."""
        return time.monotonic()

    def check(self, answer: Answer) -> None:  # noqa: B027
        """Whether to go on after this answer.

        Raises:
            TargetError: the server asks for fewer requests, or leads elsewhere.
        """


class LookalikeTarget(Target):
    """The embedded look-alike of api.github.com, a listener for each scenario."""

    def __init__(self, lookalike: Lookalike, plan: Plan) -> None:
        self._lookalike = lookalike
        self._rtt_ms = plan.rtt_ms
        self._skipped_s = 0.0
        self.label = "look-alike of api.github.com"
        self.scenarios = plan.scenarios
        self.access = Access(
            auth=auth_for(plan.auth, lookalike.token),
            headers=GITHUB_HEADERS,
            verify=str(lookalike.ca_bundle),
        )

    def url(self, scenario: str) -> str:
        return self._lookalike.url(scenario)

    def facts(self) -> Mapping[str, Any]:
        return {
            "tls": "TLSv1.3",
            "rtt_ms": self._rtt_ms,
            "ca_certificates": self._lookalike.certificates,
        }

    def accepted(self, scenario: str) -> int:
        return self._lookalike.accepted(scenario)

    def pause(self, scenario: str) -> None:
        """Let the server's clock run on for longer than its idle timeout; nobody waits."""
        seconds = idle_seconds(scenario)
        if seconds is not None:
            self._lookalike.skip(scenario, seconds=seconds * PAUSE_FACTOR)
            self._skipped_s += seconds * PAUSE_FACTOR

    def clock(self) -> float:
        return super().clock() + self._skipped_s


def idle_seconds(scenario: str) -> float | None:
    """After how long idle this scenario's server acts; None if it does not look at that."""
    end = when_idle(parse_scenario(scenario))
    return end.after_s if end else None


class LiveTarget(Target):
    """GitHub itself, or a server of one's own, as it is."""

    scenarios = (AS_IS,)

    def __init__(self, url: str, access: Access, allowance: Allowance) -> None:
        self._url = url
        self.label = urlsplit(url).netloc
        self.access = access
        self.allowance = allowance

    def url(self, scenario: str) -> str:  # noqa: ARG002
        return self._url

    def facts(self) -> Mapping[str, Any]:
        certificates = None
        if self._url.startswith("https:"):
            named = (os.environ[name] for name in BUNDLES if os.environ.get(name))
            certificates = _certificates_in(next(named, certifi.where()))
        return {"tls": None, "rtt_ms": None, "ca_certificates": certificates}

    def check(self, answer: Answer) -> None:
        if (sentence := asks_to_stop(answer)) is not None:
            raise TargetError(sentence)
        if answer.redirected_to is not None:
            same_origin(self._url, answer.redirected_to)


def _certificates_in(bundle: str) -> int | None:
    try:
        with Path(bundle).open("rb") as file:
            return file.read(_LARGEST_BUNDLE).count(b"-----BEGIN CERTIFICATE-----")
    except OSError:  # a folder of certificates: it is searched, never loaded whole
        return None


@contextmanager
def prepared(plan: Plan) -> Iterator[tuple[Target, Plan]]:
    """The plan's target, ready to be asked, and the plan as it will be followed.

    Raises:
        UsageError: no token where one is needed, or one that would be sent in the clear.
        TargetError: it cannot be reached, does not know us, or does not grant enough requests.
    """
    if plan.target == LOOKALIKE:
        set_aside = influences(os.environ)
        with neutral(), Lookalike.start(plan.scenarios, rtt_ms=plan.rtt_ms) as lookalike:
            target = LookalikeTarget(lookalike, plan)
            if set_aside:
                target.notes = (f"Set aside for the look-alike: {', '.join(set_aside)}.",)
            yield target, plan
        return
    with interruption.allowed():  # it may wait for a person, and for the network
        live = _live_target(plan)
    bounded = _within_allowance(plan, live.allowance)
    planned = planned_requests(bounded)
    live.notes += (_announcement(planned, live.allowance, bounded),)
    yield live, bounded


def _live_target(plan: Plan) -> LiveTarget:
    url = GITHUB_URL if plan.target == GITHUB else plan.target
    token = _token_for(plan, url)
    access = Access(
        auth=auth_for(plan.auth, token.value if token else None),
        headers=GITHUB_HEADERS,
    )
    if token is None and (login := get_netrc_auth(url)):
        IN_USE.add(login[1])  # requests sends it by itself
    source = token.source if token else None
    allowance = ask_once(url + plan.requests[0], access, token_source=source)
    live = LiveTarget(url, access, allowance)
    live.notes = (
        f"The token from {source} is sent to {live.label}." if source else "Without a token.",
        *notes(os.environ, url, authenticated=token is not None),
    )
    return live


def _token_for(plan: Plan, url: str) -> Token | None:
    if plan.auth == "none":
        return None
    host = "github.com" if plan.target == GITHUB else str(urlsplit(url).hostname)
    token = find_token(host, os.environ, ask=True)
    if token is None and plan.target == GITHUB:
        raise UsageError(f"GitHub wants a token, and GITHUB_TOKEN is not set. Next: {MAKE_ONE}.")
    if token is not None and urlsplit(url).scheme == "http" and not _is_loopback(host):
        raise UsageError(
            f"The token from {token.source} would go to {shown(url)} in the clear. "
            'Next: use https, or auth = "none" in the plan.'
        )
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _within_allowance(plan: Plan, allowance: Allowance) -> Plan:
    """The plan with a number of rounds that is known beforehand, if the server counts requests."""
    if allowance.remaining is None:
        return plan
    bounded = plan if plan.rounds is not None else replace(plan, rounds=MINIMUM_ROUNDS)
    if (planned := planned_requests(bounded)) > allowance.remaining // 2:
        each = planned_requests(replace(plan, rounds=1)) // (1 + _BESIDE)
        fits = allowance.remaining // 2 // each - _BESIDE
        advice = f"--rounds {fits}" if fits > 0 else "fewer repeats in a plan, or wait"
        raise TargetError(
            f"This would make {planned} requests, and {allowance.remaining} remain: keptalive "
            f"uses at most half of them.\nNext: {advice}."
        )
    return bounded


_BESIDE = 2  # rounds that are made beside the counted ones: the warm-up, and the traced one


def planned_requests(plan: Plan) -> int:
    """The most requests that the plan sends to a live target, warm-up and trace included.

    Without a number of rounds, those of a single one: how many the budget allows is not known.
    """
    rounds = 1 if plan.rounds is None else plan.rounds + _BESIDE
    return len(plan.strategies) * len(plan.targets) * rounds


def _announcement(planned: int, allowance: Allowance, plan: Plan) -> str:
    if plan.rounds is None:
        return f"No rate limit announced: {planned} requests a round, one after another."
    remain = "" if allowance.remaining is None else f", of {allowance.remaining} that remain"
    return f"It will make {planned} requests{remain}, one after another."
