"""A service whose connections are watched for weeks: /metrics for Prometheus, /connections to read.

pip install 'keptalive[otel]' gunicorn opentelemetry-exporter-prometheus
gunicorn --threads 8 --config python:service service:app
"""

import os

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import keptalive
from keptalive.otel import export

UPSTREAM = os.environ.get("UPSTREAM", "https://api.github.com/")
session = keptalive.tuned_session(threads=8)
seen = keptalive.watch(window_s=3600)


def post_fork(_server, _worker):
    """Gunicorn calls this in each worker process: a watch begins where the requests are sent."""
    seen.start()
    export(seen, meter_provider=MeterProvider([PrometheusMetricReader()]), hosts=50)


def app(environ, start_response):
    """Answer one request."""
    kind, body = "text/plain; charset=utf-8", b""
    if environ["PATH_INFO"] == "/metrics":
        kind, body = CONTENT_TYPE_LATEST, generate_latest()
    elif environ["PATH_INFO"] == "/connections":
        body = str(seen).encode()  # the last hour, as `keptalive run` shows it
    else:
        body = session.get(UPSTREAM, timeout=10).content
    start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
