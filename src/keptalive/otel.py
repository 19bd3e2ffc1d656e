"""A watch's counts as metrics of OpenTelemetry, which has exporters for most systems.

Needs the extra ``otel`` (the package `opentelemetry-api`). Names and attributes of `http.client.*`
are those of OpenTelemetry's semantic conventions for HTTP clients
(opentelemetry.io/docs/specs/semconv/http/http-metrics).

Numbers are read when the SDK collects them, and durations that were noted since are recorded then:
a request costs no more, and a fault of an SDK or an exporter cannot reach the program.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from keptalive.errors import UsageError
from keptalive.watching.api import Watch
from keptalive.watching.windows import OTHER, Route

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Histogram, MeterProvider, Observation

    from keptalive.records.totals import RouteTotals

HOSTS = 100
WAITING = 20_000  # durations between two collections
# Seconds; those that OpenTelemetry's SDK for .NET has for this metric
BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
CAUSE = "keptalive.cause"

# OpenTelemetry has no way to take instruments back: what was exported once stays
_PROVIDERS: WeakSet[MeterProvider] = WeakSet()

Attributes = dict[str, str | int]
Measured = Iterable[tuple[int, Attributes]]


def export(seen: Watch, *, meter_provider: MeterProvider | None = None, hosts: int = HOSTS) -> None:
    """Give OpenTelemetry the counts of this watch, from now on; once in a process.

    Args:
        seen: a watch that has been started. From now on it judges connections while it goes on, and
            keeps only the newest.
        meter_provider: by default the one that the process has set.
        hosts: so many hosts, the first ones, have attributes of their own; all others are counted
            together, with ``server.address`` ``other``.

    Raises:
        UsageError: the watch has not begun, or has a timeline; it, or another watch, is exported to
            this provider already; ``hosts`` is no number of hosts; or OpenTelemetry is not
            installed.
    """
    try:
        from opentelemetry.metrics import get_meter_provider
    except ImportError:  # other packages may have modules in `opentelemetry` too
        raise UsageError(
            "Metrics need the package opentelemetry-api. Next: pip install 'keptalive[otel]'."
        ) from None
    if not isinstance(hosts, int) or hosts < 1:
        raise UsageError(f"hosts is {hosts!r}, and should be 1 or more. Next: leave it out.")
    provider, on_end = meter_provider or get_meter_provider(), seen.forget_old().on_end
    if provider in _PROVIDERS:
        raise UsageError(
            "A watch is exported to this meter provider already; two would be counted together. "
            "Next: call export() once, or give each watch a provider of its own."
        )
    _PROVIDERS.add(provider)
    on_end.append(_instrument(seen, provider, hosts))


def _instrument(seen: Watch, provider: MeterProvider, hosts: int) -> _Durations:
    """Make all instruments; the durations are still to be fed."""
    from keptalive.version import VERSION

    meter = provider.get_meter("keptalive", VERSION)
    histogram = meter.create_histogram(
        "http.client.connection.duration",
        unit="s",
        description="The duration of the successfully established outbound HTTP connections.",
        explicit_bucket_boundaries_advisory=BUCKETS,
    )
    durations = _Durations(histogram)
    exported = _Exported(seen, hosts, durations)
    meter.create_observable_up_down_counter(
        "http.client.open_connections",
        [exported.reads(_open)],
        unit="{connection}",
        description="Number of outbound HTTP connections that are currently active or idle.",
    )
    for name, what, unit, description in COUNTERS:
        meter.create_observable_counter(
            name, [exported.reads(what)], unit=unit, description=description
        )
    return durations


@dataclass(frozen=True, slots=True)
class _Durations:
    """How long connections were open, noted as they end; the newest, if none are read."""

    histogram: Histogram
    waiting: deque[tuple[Route, float]] = field(default_factory=lambda: deque(maxlen=WAITING))

    def __call__(self, route: Route, seconds: float) -> None:
        self.waiting.append((route, seconds))

    def record(self, attributes: Callable[[Route], Attributes]) -> None:
        """Give them to the SDK, on a thread of its own."""
        with suppress(IndexError):  # another reader has taken the last one
            while self.waiting:
                route, seconds = self.waiting.popleft()
                self.histogram.record(seconds, attributes(route))


class _Exported:
    """The numbers of a watch, read once for all instruments of one collection.

    Args:
        seen: the watch.
        hosts: how many have attributes of their own.
        durations: of its connections; they are recorded whenever the numbers are read.
    """

    def __init__(self, seen: Watch, hosts: int, durations: _Durations) -> None:
        self._seen = seen
        self._durations = durations
        self._hosts = hosts
        self._named: dict[tuple[str, int | None], Attributes] = {}
        self._totals: tuple[RouteTotals, ...] = ()
        self._read_by: set[int] = set()

    def attributes(self, route: Route) -> Attributes:
        """What names this route's server; the first hosts only."""
        server = _server_of(route[0])
        if server not in self._named and route != OTHER and len(self._named) < self._hosts:
            self._named[server] = _attributes(*server)
        if server in self._named:
            self._seen.forget_old().pinned.add(route)
        return self._named.get(server) or {"server.address": OTHER[0]}

    def reads(
        self, what: Callable[[RouteTotals], Measured]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        """A callback for one instrument: numbers of routes with the same attributes are added."""
        from opentelemetry.metrics import Observation

        def callback(_options: CallbackOptions) -> Iterable[Observation]:
            sums: dict[tuple[tuple[str, str | int], ...], int] = {}
            for one in self._read(id(callback)):
                server = self.attributes((one.host, one.via))
                for number, more in what(one):
                    key = tuple({**server, **more}.items())
                    sums[key] = sums.get(key, 0) + number
            return [Observation(number, dict(key)) for key, number in sums.items()]

        return callback

    def _read(self, reader: int) -> tuple[RouteTotals, ...]:
        """The totals; new ones if this instrument has read these before."""
        if reader in self._read_by or not self._read_by:
            self._totals = self._seen.totals()
            self._durations.record(self.attributes)
            self._read_by.clear()
        self._read_by.add(reader)
        return self._totals


def _server_of(host: str) -> tuple[str, int | None]:
    """Address and port of a route's host, which is ``scheme://host:port`` or ``unix:PATH``."""
    if host.startswith("unix:"):
        return host.removeprefix("unix:"), None
    address, _, port = host.partition("://")[2].rpartition(":")
    return (address.strip("[]"), int(port)) if port.isdigit() else (host, None)


def _attributes(address: str, port: int | None) -> Attributes:
    return {"server.address": address} | ({} if port is None else {"server.port": port})


# -- Instruments


def _open(one: RouteTotals) -> Measured:
    yield one.idle, {"http.connection.state": "idle"}
    yield one.active, {"http.connection.state": "active"}


def _by_cause(counts: Mapping[str, int]) -> Measured:
    return [(number, {CAUSE: cause}) for cause, number in counts.items()]


# Name, what is read, unit, description; all of them only grow
COUNTERS: tuple[tuple[str, Callable[[RouteTotals], Any], str, str], ...] = (
    (
        "keptalive.connections.opened",
        lambda one: _by_cause(one.opened),
        "{connection}",
        "Connections that were opened, and on which a response came, by cause.",
    ),
    (
        "keptalive.connections.reopened",
        lambda one: _by_cause(one.reopened),
        "{connection}",
        "Those of the opened ones for which urllib3 reconnected, by cause.",
    ),
    (
        "keptalive.connections.unanswered",
        lambda one: _by_cause(one.unanswered),
        "{connection}",
        "Connections that were opened and never answered, by cause.",
    ),
    (
        "keptalive.requests.reused",
        lambda one: [(one.reused, {})],
        "{request}",
        "Responses that came on a kept connection.",
    ),
)
