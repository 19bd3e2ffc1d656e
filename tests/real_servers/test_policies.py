"""A probe finds the policy that a real server was given, and what passed on the wire agrees."""

from __future__ import annotations

import pytest
from tests.real_servers.relay import relayed
from tests.real_servers.setups.running import Running, running
from tests.real_servers.setups.setup import Policy, Setup
from tests.real_servers.setups.table import SETUPS

from keptalive.probe.judge import judged
from keptalive.probe.prober import Prober
from keptalive.probe.route import route_to
from keptalive.probe.settings import Settings
from keptalive.probe.watcher import Watcher
from keptalive.records.probe import ProbeReport

pytestmark = pytest.mark.complete

TRIES = 3


def tolerance(seconds: float) -> float:
    """5 % or 100 ms, the larger."""
    return max(0.05 * seconds, 0.1)


def probe(url: str) -> ProbeReport:
    prober = Prober(route_to(url), Settings(), Watcher())
    return judged(prober.run(), url=url)


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch):
    def trust(server: Running) -> None:
        if server.bundle is not None:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.bundle))

    return trust


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.name)
def test_a_probe_finds_the_policy(setup: Setup, trust) -> None:
    policy = setup.policy
    for _ in range(TRIES):
        with running(setup) as server, relayed(server.port) as relay:
            trust(server)
            found = probe(server.url.replace(str(server.port), str(relay.port)))
        closes = [one.idle_s for one in relay.passed if one.idle_s is not None]
        if is_punctual(policy, closes):
            break
    assert is_punctual(policy, closes), "the server does not do what the table says"
    assert found.ended == "done"
    assert found.seconds < 12
    assert found.keeps_connections == policy.keeps
    assert found.announced.keep_alive == policy.announces
    check_idle_timeout(policy, found, closes)
    assert found.closes_with == policy.closes_with
    if policy.idle_s is not None:
        assert {one.closed_with for one in relay.passed} - {None} == {policy.closes_with}
    check_limits(policy, found, server)
    assert len(relay.passed) == found.connections == len(server.responses())


def is_punctual(policy: Policy, closes: list[float]) -> bool:
    """Whether the server has closed as the table says; on a busy machine it may be late."""
    if policy.idle_s is None:
        return closes == []
    margin_s = tolerance(policy.closes_s)
    latest_s = policy.closes_s + policy.varies_s + margin_s
    return closes != [] and all(policy.closes_s - margin_s <= one <= latest_s for one in closes)


def check_idle_timeout(policy: Policy, found: ProbeReport, closes: list[float]) -> None:
    """What the probe has found is what the server has done."""
    span = found.idle_timeout_s
    if policy.idle_s is None:
        assert span is None
        return
    assert span is not None
    margin_s = tolerance(policy.closes_s)
    assert span.least == pytest.approx(min(closes), abs=margin_s)
    assert span.most == pytest.approx(max(closes), abs=margin_s)
    assert found.advice.max_idle_s is not None
    assert found.advice.max_idle_s < policy.closes_s


def check_limits(policy: Policy, found: ProbeReport, server: Running) -> None:
    names = {one.finding: one for one in found.findings}
    if policy.age_s is not None:
        assert found.request_limit is None
        assert "age-limit" in names
        assert found.close_announced == policy.says_close
        return
    assert found.request_limit == policy.requests
    if policy.requests is None:
        assert found.requests_tried == max(server.responses()) == 110
        assert found.close_announced is False
    else:
        assert max(server.responses()) == policy.requests
        assert found.close_announced == policy.says_close
        if policy.keeps:
            assert names["request-limit"].certainty == "certain"
