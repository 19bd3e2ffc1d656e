"""OpenTelemetry's metrics say what the report says, whatever happened, with bounded attributes."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import threading
from collections import Counter

import pytest
import requests
import urllib3
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from requests.adapters import HTTPAdapter
from tests.marks import complete
from tests.servers.peer import Peer, answers
from tests.servers.scripted import Server

from keptalive import otel
from keptalive.errors import UsageError
from keptalive.otel import BUCKETS, export
from keptalive.watching import ledger
from keptalive.watching.api import watch

NAMES = {
    "http.client.open_connections",
    "http.client.connection.duration",
    "keptalive.connections.opened",
    "keptalive.connections.reopened",
    "keptalive.connections.unanswered",
    "keptalive.requests.reused",
}


class Metrics:
    """What OpenTelemetry's SDK collects of a watch."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.latest: dict[str, list] = {}

    def collect(self) -> Metrics:
        data = self.reader.get_metrics_data()
        resources = data.resource_metrics if data is not None else []  # None: nothing seen yet
        scopes = [scope for one in resources for scope in one.scope_metrics]
        self.latest = {one.name: one for scope in scopes for one in scope.metrics}
        return self

    def points(self, name: str) -> list:
        return list(self.latest[name].data.data_points) if name in self.latest else []

    def by(self, attribute: str, name: str) -> dict[object, int]:
        sums: Counter[object] = Counter()
        for one in self.points(name):
            sums[one.attributes.get(attribute)] += one.value
        return {key: number for key, number in sums.items() if number}

    def sum(self, name: str) -> int:
        return sum(one.value for one in self.points(name))


@pytest.fixture
def metrics():
    made = Metrics()
    yield made
    made.provider.shutdown()


def script(peer: Peer) -> None:
    """Does with each connection what the path of the request says."""
    peer.sock.settimeout(None)  # the last one that a pool takes may be idle for as long as it likes
    while request := peer.request():
        what = request.target
        if what == "/drop":
            return
        peer.respond(200, *(["Connection: close"] if what == "/announced" else []))
        if what == "/reset":
            peer.reset()
        if what in ("/announced", "/fin", "/reset"):
            return


def ask(chance: random.Random, url: str, shared: requests.Session, number: int) -> None:
    """So many random requests."""
    own, response = requests.Session(), None
    for _ in range(number):
        if chance.random() < 0.03:
            own.close()
        if chance.random() < 0.03:
            own = requests.Session()
            own.mount("http://", HTTPAdapter(pool_maxsize=1, max_retries=urllib3.Retry(3)))
        get = chance.choice([own.get, own.get, shared.get, shared.get, requests.get])
        paths = ["", "", "", "", "", "announced", "fin", "reset", "drop"]
        try:
            response = get(url + chance.choice(paths), stream=chance.random() < 0.1)
            if chance.random() < 0.5:
                response.close()
        except requests.RequestException:
            pass
    if response is not None:
        response.close()  # the exceptions, in a cycle, keep this frame: it would be found unclosed


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # it leaves responses unread, on purpose
@pytest.mark.parametrize("number", [200, complete(10_000)])
def test_after_random_requests_metrics_and_report_and_server_agree(number, metrics, monkeypatch):
    monkeypatch.setattr(ledger, "KEPT", 20)
    monkeypatch.setattr(ledger, "BATCH", 10)
    with Server(script) as server, requests.Session() as shared, watch() as seen:
        export(seen, meter_provider=metrics.provider)
        threads = [
            threading.Thread(target=ask, args=(random.Random(one), server.url, shared, number // 4))
            for one in range(4)
        ]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                metrics.collect()
                threads[0].join(0.05)
        finally:  # else their requests would be counted in the tests that follow
            for thread in threads:
                thread.join()
        [host] = seen.result().hosts
        metrics.collect()
        [after] = seen.result().hosts
    opened = {one.cause: one.count for one in host.causes if one.count}
    unanswered = {one.cause: one.unanswered for one in host.causes if one.unanswered}
    assert opened == metrics.by("keptalive.cause", "keptalive.connections.opened")
    assert unanswered == metrics.by("keptalive.cause", "keptalive.connections.unanswered")
    assert host.reopened == metrics.sum("keptalive.connections.reopened")
    assert host.reused == metrics.sum("keptalive.requests.reused")
    assert host.opened + host.opened_unanswered == server.accepted
    assert host.causes == after.causes
    assert len(opened) >= 5
    durations = sum(one.count for one in metrics.points("http.client.connection.duration"))
    assert durations + metrics.sum("http.client.open_connections") == server.accepted


def test_names_units_and_attributes_are_those_of_the_conventions(metrics):
    with Server(answers()) as server, watch() as seen, requests.Session() as session:
        export(seen, meter_provider=metrics.provider)
        session.get(server.url)
        session.get(server.url, headers={"Connection": "close"})
        held = session.get(server.url, stream=True)
        requests.get(server.url, headers={"Connection": "close"})
        metrics.collect()
        without_values = {"keptalive.connections.reopened", "keptalive.connections.unanswered"}
        assert set(metrics.latest) - without_values == NAMES - without_values
        assert metrics.by("http.connection.state", "http.client.open_connections") == {"active": 1}
        held.content  # noqa: B018 - it is read
        metrics.collect()
        assert metrics.by("http.connection.state", "http.client.open_connections") == {"idle": 1}
        server_attributes = {"server.address": "127.0.0.1", "server.port": server.port}
        [ended] = metrics.points("http.client.connection.duration")
        assert dict(ended.attributes) == server_attributes
        assert (ended.count, ended.explicit_bounds) == (2, BUCKETS)
        assert metrics.latest["http.client.connection.duration"].unit == "s"
        for one in metrics.points("keptalive.connections.opened"):
            assert dict(one.attributes) == server_attributes | {
                "keptalive.cause": one.attributes["keptalive.cause"]
            }
        assert metrics.latest["keptalive.connections.opened"].data.is_monotonic
        assert not metrics.latest["http.client.open_connections"].data.is_monotonic


def test_hosts_beyond_the_limit_are_counted_as_other(metrics, monkeypatch):
    found = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest: found("127.0.0.1", *rest))
    monkeypatch.setattr(ledger, "KEPT", 10)
    monkeypatch.setattr(ledger, "BATCH", 5)
    monkeypatch.setattr(ledger, "ROUTES_KEPT", 20)
    before: Counter[object] = Counter()
    with Server(answers()) as server, watch() as seen:
        export(seen, meter_provider=metrics.provider, hosts=3)
        for number in range(60):
            with requests.Session() as session:
                session.get(server.at(f"h{number}.test"))
                session.get(server.at(f"h{number % 5}.test"))
            if number % 10 == 9:
                now = metrics.collect().by("server.address", "keptalive.connections.opened")
                assert all(now.get(key, 0) >= count for key, count in before.items())
                before = Counter(now)
        metrics.collect()
        named = {"h0.test", "h1.test", "h2.test", "other"}
        for name in ("keptalive.connections.opened", "http.client.connection.duration"):
            assert {one.attributes["server.address"] for one in metrics.points(name)} == named
        assert metrics.sum("keptalive.connections.opened") == server.accepted
        total = metrics.sum("keptalive.connections.opened") + metrics.sum(
            "keptalive.requests.reused"
        )
        assert total == 120
        report = seen.result()
    assert sum(host.opened for host in report.hosts) == server.accepted
    assert len(report.hosts) < 60


def test_counters_go_on_when_a_window_has_forgotten(metrics):
    now = [0.0]
    with Server(answers()) as server, watch(window_s=60, clock=lambda: now[0]) as seen:
        export(seen, meter_provider=metrics.provider)
        requests.get(server.url)
        now[0] += 600
        requests.get(server.url)
        assert metrics.collect().sum("keptalive.connections.opened") == 2
        assert seen.opened == 1


def test_a_watch_that_has_not_begun_is_refused(metrics):
    with pytest.raises(UsageError, match="has not begun"):
        export(watch(), meter_provider=metrics.provider)


@pytest.mark.parametrize("second", ["the same watch", "another watch"])
def test_a_second_export_to_one_provider_is_refused_and_nothing_is_counted_twice(metrics, second):
    with Server(answers()) as server, watch() as seen, watch() as other:
        export(seen, meter_provider=metrics.provider)
        with pytest.raises(UsageError, match=r"to this meter provider already.*Next: call export"):
            export(seen if second == "the same watch" else other, meter_provider=metrics.provider)
        requests.get(server.url)
        metrics.collect()
    [ended] = metrics.points("http.client.connection.duration")
    assert ended.count == 1
    assert metrics.sum("keptalive.connections.opened") == 1


class _Faulty:
    """A meter, and all its instruments, of an SDK that fails."""

    def __getattr__(self, name: str):
        return lambda *_what, **_more: self if name.startswith(("get_", "create_")) else 1 // 0


def test_a_fault_of_an_sdk_reaches_neither_the_program_nor_the_report(monkeypatch):
    monkeypatch.setattr(ledger, "KEPT", 4)
    monkeypatch.setattr(ledger, "BATCH", 2)
    with Server(answers()) as server, watch() as seen:
        export(seen, meter_provider=_Faulty())
        for _ in range(20):
            requests.get(server.url)
        assert seen.report()["hosts"][0]["opened"] == 20


def test_durations_that_nobody_collects_do_not_grow_forever(metrics, monkeypatch):
    monkeypatch.setattr(otel, "WAITING", 5)
    with Server(answers()) as server, watch() as seen:
        export(seen, meter_provider=metrics.provider)
        for _ in range(9):
            requests.get(server.url)
        seen.report()
        metrics.collect()
    [ended] = metrics.points("http.client.connection.duration")
    assert ended.count == 5


def test_a_watch_with_a_timeline_is_not_exported(metrics):
    with watch(timeline=True) as seen, pytest.raises(UsageError, match=r"has a timeline.*Next"):
        export(seen, meter_provider=metrics.provider)


def test_without_opentelemetry_one_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", None)  # others use the namespace too
    with watch() as seen, pytest.raises(UsageError) as raised:
        export(seen)
    assert str(raised.value).endswith("Next: pip install 'keptalive[otel]'.")


@pytest.mark.parametrize("hosts", [0, -1, "10"])
def test_a_limit_that_is_no_number_of_hosts_is_refused(hosts, metrics):
    with watch() as seen, pytest.raises(UsageError, match=r"should be 1 or more\. Next"):
        export(seen, meter_provider=metrics.provider, hosts=hosts)


@pytest.mark.complete
def test_without_opentelemetry_keptalive_can_be_imported_and_says_how_to_install_it():
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import keptalive, keptalive.otel\n"
        "with keptalive.watch() as seen:\n"
        "    try: keptalive.otel.export(seen)\n"
        "    except keptalive.UsageError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == (
        "Metrics need the package opentelemetry-api. Next: pip install 'keptalive[otel]'.\n",
        "",
    )
