"""Servers of Python applications."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from .finding import missing_package
from .setup import Place, Policy, Server, Setup

HERE = Path(__file__).parent


def _server(
    name: str, default: str, to_set: str, command: Callable[[Place, str], list[str]]
) -> Server:
    return Server(
        name=name,
        default=default,
        to_set=to_set,
        command=command,
        missing=lambda: None if name == "http.server" else missing_package(name),
        variables=lambda place: {"REQUESTS_LOG": str(place.log), "PYTHONPATH": str(HERE)},
    )


def _module(name: str, *arguments: str, settings: str = "") -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", name, *settings.split(), *arguments]


def _tls(place: Place, key: str, certificate: str) -> list[str]:
    pem = str(place.certificate)
    return [key, pem, certificate, pem] if place.certificate else []


def gunicorn(place: Place, settings: str) -> list[str]:
    tls = _tls(place, "--keyfile", "--certfile")
    bind = ["--bind", f"127.0.0.1:{place.port}", "--log-level", "error"]
    return _module("gunicorn", *bind, *tls, "app:wsgi", settings=settings)


def uvicorn(place: Place, settings: str) -> list[str]:
    tls = _tls(place, "--ssl-keyfile", "--ssl-certfile")
    bind = ["--host", "127.0.0.1", "--port", str(place.port), "--log-level", "error"]
    return _module("uvicorn", *bind, *tls, "app:asgi", settings=settings)


def hypercorn(place: Place, settings: str) -> list[str]:
    path = place.write("hypercorn.toml", settings.replace("; ", "\n"))
    tls = _tls(place, "--keyfile", "--certfile")
    bind = ["--bind", f"127.0.0.1:{place.port}", "--log-level", "ERROR"]
    return _module("hypercorn", "--config", str(path), *bind, *tls, "app:asgi")


def granian(place: Place, settings: str) -> list[str]:
    tls = _tls(place, "--ssl-keyfile", "--ssl-certificate")
    bind = ["--host", "127.0.0.1", "--port", str(place.port), "--no-log"]
    return _module("granian", "--interface", "asgi", *bind, *tls, "app:asgi", settings=settings)


def waitress(place: Place, settings: str) -> list[str]:
    return _module("waitress", f"--listen=127.0.0.1:{place.port}", "app:wsgi", settings=settings)


def _of_app(function: str) -> Callable[[Place, str], list[str]]:
    def command(place: Place, _settings: str) -> list[str]:
        return [sys.executable, "-c", f"import app; app.{function}({place.port})"]

    return command


GUNICORN = _server(
    "gunicorn",
    "sync: not kept; gthread: 2 s",
    "`--worker-class gthread --threads 4 --keep-alive SECONDS`.",
    gunicorn,
)
UVICORN = _server("uvicorn", "5 s", "`--timeout-keep-alive SECONDS`.", uvicorn)
HYPERCORN = _server(
    "hypercorn",
    "5 s; 1000 requests",
    "`keep_alive_timeout`, `keep_alive_max_requests`.",
    hypercorn,
)
GRANIAN = _server(
    "granian",
    "30 s",
    "`--http1-header-read-timeout` (ms): the time for a request's head, idle time included.",
    granian,
)
WAITRESS = _server(
    "waitress",
    "120 s",
    "`--channel-timeout`; it looks each `--cleanup-interval` (30 s; 1 s in this table).",
    waitress,
)
HTTP_SERVER = _server(
    "http.server",
    "not kept (HTTP/1.0)",
    '`protocol_version = "HTTP/1.1"` in the handler: then it keeps them for ever.',
    _of_app("http_server"),
)
WERKZEUG = _server(
    "werkzeug",
    "not kept",
    "Nothing: it is for development. Another server.",
    _of_app("werkzeug"),
)

_ASGI_TLS = "TLS close"  # the TCP connection stays open for more than a second

SETUPS = (
    Setup(
        server=GUNICORN,
        settings="--worker-class gthread --threads 4 --keep-alive 2",
        policy=Policy(idle_s=2, varies_s=1),
    ),
    Setup(
        server=GUNICORN,
        settings="--worker-class gthread --threads 4 --keep-alive 2",
        policy=Policy(idle_s=2, varies_s=1),
        tls=True,
    ),
    Setup(
        server=GUNICORN,
        settings="--worker-class gthread --threads 4",
        policy=Policy(idle_s=2, varies_s=1),
    ),
    Setup(
        server=GUNICORN,
        settings="--worker-class sync",
        policy=Policy(keeps=False),
    ),
    Setup(
        server=UVICORN,
        settings="--timeout-keep-alive 2",
        policy=Policy(idle_s=2),
    ),
    Setup(
        server=UVICORN,
        settings="--timeout-keep-alive 2",
        policy=Policy(idle_s=2, closes_with=_ASGI_TLS),
        tls=True,
    ),
    Setup(server=UVICORN, settings="", policy=Policy(idle_s=5)),
    Setup(
        server=HYPERCORN,
        settings="keep_alive_timeout = 2; keep_alive_max_requests = 5",
        policy=Policy(idle_s=2, requests_set=5),
    ),
    Setup(
        server=HYPERCORN,
        settings="keep_alive_timeout = 2; keep_alive_max_requests = 5",
        policy=Policy(idle_s=2, requests_set=5, closes_with=_ASGI_TLS),
        tls=True,
    ),
    Setup(server=HYPERCORN, settings="", policy=Policy(idle_s=5)),
    Setup(
        server=GRANIAN,
        settings="--http 1 --http1-header-read-timeout 2000",
        policy=Policy(idle_s=2),
    ),
    Setup(
        server=GRANIAN,
        settings="--http 1 --http1-header-read-timeout 2000",
        policy=Policy(idle_s=2),
        tls=True,
    ),
    Setup(
        server=WAITRESS,
        settings="--channel-timeout=2 --cleanup-interval=1",
        policy=Policy(idle_s=2, varies_s=1),
    ),
    Setup(
        server=HTTP_SERVER,
        settings="",
        policy=Policy(keeps=False, cause="http-1.0"),
    ),
    Setup(
        server=WERKZEUG,
        settings="",
        policy=Policy(keeps=False),
    ),
)
