"""With each package, the tuned Session reuses connections, and loads the CA bundle once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.real_programs.combinations import COMBINATIONS, Combination

from keptalive.lookalike.process import Lookalike
from keptalive.records.report import Report
from keptalive.watching.api import watch

pytestmark = pytest.mark.complete

REQUESTS = 3


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(["keep-alive", "close-announced"]) as started:
        yield started


@pytest.fixture(params=COMBINATIONS, ids=lambda one: one.make.__name__)
def combination(request, lookalike, monkeypatch) -> Combination:
    pytest.importorskip(request.param.module, reason="pip install --group real-programs")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(lookalike.ca_bundle))
    return request.param


def sent(combination: Combination, url: str, *, requests: int = REQUESTS) -> Report:
    get = combination.make()
    with watch() as seen:
        for _ in range(requests):
            assert get(f"{url}/user").status_code in (401, 404)  # no token; no POST here
    return seen.result()


def test_one_connection_carries_all_requests(combination, lookalike):
    (host,) = sent(combination, lookalike.url("keep-alive")).hosts
    assert (host.requests, host.opened) == (REQUESTS, 1)


def test_a_new_connection_does_not_load_the_ca_bundle_again(combination, lookalike):
    report = sent(combination, lookalike.url("close-announced"))
    (host,) = report.hosts
    assert host.opened == REQUESTS
    assert [one.phases.get("ca_bundle", 0.0) for one in report.connections] == [0.0] * REQUESTS
    assert report.findings == ()
