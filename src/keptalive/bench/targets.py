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
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi

from keptalive import interruption
from keptalive.bench.access import Access, auth_for
from keptalive.bench.credentials import access_for, headers_for
from keptalive.bench.github.preflight import Allowance, ask_once, same_origin
from keptalive.bench.influences import BUNDLES, notes
from keptalive.bench.plan import Plan
from keptalive.bench.plan_checks import AS_IS, GITHUB, LOOKALIKE
from keptalive.bench.plan_requests import PlannedRequest, request_of
from keptalive.bench.refusals import asks_to_stop, refusal
from keptalive.bench.serving import Served, served
from keptalive.bench.strategy import Answer
from keptalive.bench.summary import MINIMUM_ROUNDS
from keptalive.errors import TargetError
from keptalive.lookalike.behaviour import nat_timeout_s, parse_scenario, when_idle
from keptalive.lookalike.process import Lookalike

GITHUB_URL = "https://api.github.com"
_LARGEST_BUNDLE = 16 * 1024 * 1024  # bytes that are looked through; certifi's has 0.3 million
PAUSE_FACTOR = 1.2  # a program that waits a little longer than the server's idle timeout


class Target(ABC):
    """A server, and what is known of it."""

    label: str
    scenarios: tuple[str, ...]
    access: Access
    notes: tuple[str, ...] = ()
    authenticated: bool = False

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

    def pauses(self, scenario: str) -> bool:  # noqa: ARG002
        """Whether `pause` lets time pass, so that nothing must be in flight meanwhile."""
        return False

    def clock(self) -> float:
        """Seconds, as they pass for the server: with every pause that nobody waited for."""
        return time.monotonic()

    def check(self, request: PlannedRequest, answer: Answer) -> None:
        """Whether to go on after this answer.

        Raises:
            TargetError: the server refuses the request, wants fewer, or redirects to another host.
        """
        if (sentence := refusal(str(request), answer)) is not None:
            raise TargetError(sentence)


class LookalikeTarget(Target):
    """The embedded look-alike of api.github.com, a listener for each scenario."""

    def __init__(self, lookalike: Lookalike, plan: Plan, served: Served | None = None) -> None:
        self._lookalike = lookalike
        self._link = served.facts() if served else {}
        self._rtt_ms = plan.rtt_ms
        self._skipped_s = 0.0
        self.label = "test server that imitates api.github.com"
        self.scenarios = plan.scenarios
        self.authenticated = plan.auth != "none"
        self.access = Access(
            auth=auth_for(plan.auth, lookalike.token),
            headers=headers_for(plan, os.environ, github=True),
            verify=str(lookalike.ca_bundle),
        )

    def url(self, scenario: str) -> str:
        return self._lookalike.url(scenario)

    def facts(self) -> Mapping[str, Any]:
        return {
            "tls": "TLSv1.3",
            "rtt_ms": self._rtt_ms,
            **self._link,
            "ca_certificates": self._lookalike.certificates,
        }

    def accepted(self, scenario: str) -> int:
        return self._lookalike.accepted(scenario)

    def pauses(self, scenario: str) -> bool:
        return idle_seconds(scenario) is not None or _nat_seconds(scenario) is not None

    def pause(self, scenario: str) -> None:
        """Let the server's clock run on for longer than its idle timeout; nobody waits.

        But for a NAT's timeout everybody does.
        """
        seconds = idle_seconds(scenario)
        if seconds is not None:
            self._lookalike.skip(scenario, seconds=seconds * PAUSE_FACTOR)
            self._skipped_s += seconds * PAUSE_FACTOR
        elif (seconds := _nat_seconds(scenario)) is not None:
            # No clock can be advanced here: TCP keepalive, which prevents it, has the kernel's
            time.sleep(seconds * PAUSE_FACTOR)

    def clock(self) -> float:
        return super().clock() + self._skipped_s


def _nat_seconds(scenario: str) -> float | None:
    """After how long idle a NAT on the way forgets a connection; None without one."""
    return nat_timeout_s(parse_scenario(scenario))


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

    def check(self, request: PlannedRequest, answer: Answer) -> None:
        if (sentence := asks_to_stop(answer)) is not None:
            raise TargetError(sentence)
        asked = f"{request.method} {self._url}{request.path}"
        if (sentence := refusal(asked, answer)) is not None:
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
    """The plan's target, ready for requests, and the plan as it will be followed.

    Raises:
        UsageError: no token where one is needed, or one that would be sent in the clear.
        TargetError: it cannot be reached, does not know us, or does not grant enough requests.
    """
    if plan.target == LOOKALIKE:
        with served(plan) as ours:
            target = LookalikeTarget(ours.lookalike, plan, ours)
            target.notes = ours.notes()
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
    access, credentials, said = access_for(plan, url, os.environ)
    first = request_of(plan.distinct[0], url, os.environ)
    live = LiveTarget(url, access, ask_once(first, access, credentials))
    authenticated = credentials.token_source is not None
    live.authenticated = authenticated or bool(credentials.headers)
    live.notes = (*said, *notes(os.environ, url, authenticated=authenticated))
    return live


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
    return len(plan.strategies) * len(plan.targets) * plan.threads * rounds


def _announcement(planned: int, allowance: Allowance, plan: Plan) -> str:
    order = "one after another" if plan.threads == 1 else f"on {plan.threads} threads"
    if plan.rounds is None:
        return f"No rate limit announced: {planned} requests a round, {order}."
    remain = "" if allowance.remaining is None else f", of {allowance.remaining} that remain"
    return f"It will make {planned} requests{remain}, {order}."
