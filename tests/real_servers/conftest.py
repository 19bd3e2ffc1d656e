"""What the tests against servers share: runs, and strategies that wait for a server's FIN."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count

import pytest
from tests.real_servers.clients import wait_for_the_end

from keptalive.bench.influences import BUNDLES, PROXIES
from keptalive.bench.plan import Plan
from keptalive.bench.runner import Bench
from keptalive.bench.strategies import OneSession, Tuned
from keptalive.bench.strategy import Answer, Request, Strategy
from keptalive.bench.targets import prepared
from keptalive.records.run import Run

RunAgainst = Callable[..., Run]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*BUNDLES, *PROXIES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KEPTALIVE_TOKEN", "ghp_of_nobody")


@pytest.fixture
def run_against() -> RunAgainst:
    """A warm-up round, a counted and a traced one against the server at this URL."""

    def run(
        url: str, strategies: Mapping[str, type[Strategy]] | None = None, **values: object
    ) -> Run:
        plan = Plan(**{"target": url, "requests": ("/user",), "repeats": 6, "rounds": 1} | values)
        with prepared(plan) as (target, followed):
            return Bench(plan=followed, target=target, strategies=strategies or {}).run()

    return run


@pytest.fixture
def patient() -> Callable[[int], dict[str, type[Strategy]]]:
    """Session and tuned Session that wait, after so many requests each, for the server to close.

    The server closes unannounced, so a client that asks again at once would race with its FIN.
    """

    def strategies(every: int) -> dict[str, type[Strategy]]:
        class PatientSession(OneSession):
            def __init__(self, access) -> None:
                super().__init__(access)
                self._places = count()

            def send(self, request: Request) -> Answer:
                place = next(self._places)
                if place and place % every == 0:
                    wait_for_the_end(self.session, request.url)
                return super().send(request)

        class PatientTuned(PatientSession, Tuned):
            label = Tuned.label

        return {"session": PatientSession, "tuned": PatientTuned}

    return strategies
