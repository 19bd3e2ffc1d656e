"""Tools that watch requests, each alone in a process: ``watchers.py NAME URL CA_BUNDLE``.

The process talks as `peers.py` does. Its answers also have ``seen``: how many requests the tool has
recorded since the answer before. Every tool is set up as its manual says, but for where it sends
what it has recorded: that is dropped, so that nothing leaves the process.
"""

from __future__ import annotations

import importlib.metadata
import ssl
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, NamedTuple

from peers import Get, answer_each_line, first_line_read, session

REQUESTS_IN_A_TRANSACTION = 10

Seen = Callable[[], int]
"""How many requests the tool has recorded since this was called before."""


class Watching(NamedTuple):
    """A tool at work: what it has seen, and how a request is made under it."""

    seen: Seen
    wrapped: Callable[[Get], Get] = lambda get: get


class Watcher(NamedTuple):
    """A tool: its name in the table, its packages (the first has the version), what it records."""

    label: str
    packages: Sequence[str]
    records: str
    watching: Callable[[], AbstractContextManager[Watching | None]]


def _since(total: Callable[[], int]) -> Seen:
    before = 0

    def seen() -> int:
        nonlocal before
        before, now = total(), before
        return before - now

    return seen


@contextmanager
def _keptalive(*, timeline: bool = False) -> Iterator[Watching]:
    from keptalive import watch

    with watch(timeline=timeline) as watched:
        yield Watching(_since(lambda: watched.opened + watched.reused))


def _keptalive_timeline() -> AbstractContextManager[Watching]:
    return _keptalive(timeline=True)


@contextmanager
def _opentelemetry(*modules: str) -> Iterator[Watching]:
    """Spans are sampled, ended and batched as in production; the exporter drops them."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        SpanExporter,
        SpanExportResult,
    )

    class Dropping(SpanExporter):
        dropped = 0

        def export(self, spans: Sequence[Any]) -> SpanExportResult:
            self.dropped += len(spans)
            return SpanExportResult.SUCCESS

    exporter = Dropping()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)

    def exported() -> int:
        provider.force_flush()
        return exporter.dropped // len(modules)  # a span of each for every request

    with ExitStack() as stack:
        for module in modules:
            instrumentor = _instrumentor(module)
            instrumentor.instrument()
            stack.callback(instrumentor.uninstrument)
        yield Watching(_since(exported))
        provider.shutdown()


def _instrumentor(module: str) -> Any:
    if module == "requests":
        from opentelemetry.instrumentation.requests import RequestsInstrumentor

        return RequestsInstrumentor()
    from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor

    return URLLib3Instrumentor()


def _opentelemetry_requests() -> AbstractContextManager[Watching]:
    return _opentelemetry("requests")


def _opentelemetry_urllib3() -> AbstractContextManager[Watching]:
    return _opentelemetry("urllib3")


def _sentry_started(**options: Any) -> list[Any]:
    """Start the SDK; the envelopes that it would have sent are in the list."""
    sys.modules["eventlet"] = None  # type: ignore[assignment]  # few programs have it
    import sentry_sdk
    from sentry_sdk.transport import Transport

    dropped: list[Any] = []

    class Dropping(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            dropped.append(envelope)

    # Requests to the host of the DSN would not be recorded: it is another one
    sentry_sdk.init(dsn="https://key@sentry.invalid/1", transport=Dropping, **options)
    return dropped


@contextmanager
def _sentry_errors() -> Iterator[Watching]:
    """As without any option: each request leaves a breadcrumb for the next error, 100 at most."""
    dropped = _sentry_started()
    import sentry_sdk

    def seen() -> int:
        sentry_sdk.capture_message("how many breadcrumbs there are")
        sentry_sdk.get_isolation_scope().clear_breadcrumbs()
        (envelope,) = dropped
        dropped.clear()
        crumbs = envelope.get_event()["breadcrumbs"]["values"]
        return sum(crumb.get("type") == "http" for crumb in crumbs)

    yield Watching(seen)


@contextmanager
def _sentry_traces() -> Iterator[Watching]:
    """A span for each request, in transactions as of a service that answers a call."""
    dropped = _sentry_started(traces_sample_rate=1.0)
    import sentry_sdk

    current = ExitStack()
    left = 0

    def seen() -> int:
        nonlocal left
        current.close()
        left = 0
        spans = [span for one in dropped for span in one.get_transaction_event()["spans"]]
        dropped.clear()
        return sum(span["op"] == "http.client" for span in spans)

    def in_transactions(get: Get) -> Get:
        def asked() -> tuple[int, bytes]:
            nonlocal left
            if left == 0:
                current.close()
                current.enter_context(sentry_sdk.start_transaction(op="task", name="asking"))
                left = REQUESTS_IN_A_TRANSACTION
            left -= 1
            return get()

        return asked

    yield Watching(seen, in_transactions)


@contextmanager
def _httpdbg() -> Iterator[Watching]:
    from httpdbg import httprecord

    with httprecord(multiprocess=False) as records:
        yield Watching(_since(lambda: len(records.requests)))


_PARTS = "opentelemetry-instrumentation-"

WATCHERS: dict[str, Watcher] = {
    "nothing": Watcher("nothing", ["requests"], "", nullcontext),
    "nothing-again": Watcher("nothing, again", ["requests"], "", nullcontext),
    "keptalive": Watcher(
        "`keptalive.watch()`", ["keptalive"], "counts, connections, causes", _keptalive
    ),
    "keptalive-timeline": Watcher(
        "`keptalive.watch(timeline=True)`",
        ["keptalive"],
        "each request too",
        _keptalive_timeline,
    ),
    "opentelemetry-requests": Watcher(
        "OpenTelemetry, requests",
        [f"{_PARTS}requests", "opentelemetry-sdk"],
        "a span for each request",
        _opentelemetry_requests,
    ),
    "opentelemetry-urllib3": Watcher(
        "OpenTelemetry, urllib3",
        [f"{_PARTS}urllib3", "opentelemetry-sdk"],
        "a span for each request",
        _opentelemetry_urllib3,
    ),
    "sentry-errors": Watcher(
        "Sentry's SDK, errors only",
        ["sentry-sdk"],
        "the last 100 requests",
        _sentry_errors,
    ),
    "sentry-traces": Watcher(
        "Sentry's SDK, all traces", ["sentry-sdk"], "a span for each request", _sentry_traces
    ),
    "httpdbg": Watcher("httpdbg", ["httpdbg"], "each request's content", _httpdbg),
}


def runs_on(name: str) -> dict[str, str] | None:
    """The versions of a tool and of the TLS library; None if it is not installed."""
    try:
        version, *_ = [importlib.metadata.version(one) for one in WATCHERS[name].packages]
    except importlib.metadata.PackageNotFoundError:
        return None
    return {"version": version, "tls": ssl.OPENSSL_VERSION}


def median_cost(get: Get, requests: int) -> float:
    """Make so many requests; the CPU seconds of the process for the median one.

    Raises:
        RuntimeError: an answer is not what /user answers, whole.
    """
    costs = []
    for _ in range(requests):
        began = time.process_time()
        status, body = get()
        costs.append(time.process_time() - began)
        if status != 200 or not body.endswith(b"}"):
            raise RuntimeError(f"status {status}, {len(body)} bytes")
    return statistics.median(costs)


def main(name: str, url: str, ca_bundle: str) -> None:
    token = first_line_read(runs_on(name))
    if token is None:
        return
    with WATCHERS[name].watching() as watching, session(url, ca_bundle, token) as get:
        under_watch = watching.wrapped(get) if watching else get

        def answered(requests: int) -> dict[str, float]:
            cost = median_cost(under_watch, requests)
            return {"cpu_seconds": cost, "seen": watching.seen() if watching else requests}

        answer_each_line(answered)


if __name__ == "__main__":
    main(*sys.argv[1:])
