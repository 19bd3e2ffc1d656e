"""HAProxy, which answers by itself: there is no server behind it.

It would answer a POST when the head is there, and then close, since the body is still to come.
requests sends head and body one after the other: with ``http-buffer-request`` it waits for both.
"""

from __future__ import annotations

import signal

from .finding import missing, program
from .setup import Place, Policy, Server, Setup

CONFIGURATION = """
global
    log stdout format raw local0
    hard-stop-after 5s
defaults
    mode http
    log global
    option dontlognull
    option http-buffer-request
    log-format "%cp"
    timeout client 60s
    timeout connect 5s
    timeout server 5s
    {settings}
frontend here
    bind 127.0.0.1:{port} {tls}
    http-request return status 200 content-type application/json string {{}}
"""


def command(place: Place, settings: str) -> list[str]:
    """HAProxy in one process, with these settings. Its log is its standard output."""
    certificate = place.certificate
    configuration = CONFIGURATION.format(
        port=place.port,
        tls=f"ssl crt {certificate}" if certificate else "",
        settings=settings.replace("; ", "\n    "),
    )
    return [str(program("haproxy")), "-db", "-f", str(place.write("haproxy.cfg", configuration))]


HAPROXY = Server(
    name="haproxy",
    default="`timeout http-keep-alive`, else `http-request`, else `client`",
    to_set="`timeout http-keep-alive`; without it, `timeout http-request` holds.",
    command=command,
    missing=lambda: missing("haproxy"),
    stop=signal.SIGUSR1,
)

SETUPS = (
    Setup(
        server=HAPROXY,
        settings="timeout http-keep-alive 2s",
        policy=Policy(idle_s=2),
    ),
    Setup(
        server=HAPROXY,
        settings="timeout http-keep-alive 2s",
        policy=Policy(idle_s=2, closes_with="TLS close and FIN"),
        tls=True,
    ),
    Setup(
        server=HAPROXY,
        settings="timeout http-request 2s",
        policy=Policy(idle_s=2),
    ),
    Setup(
        server=HAPROXY,
        settings="timeout http-keep-alive 2s; option httpclose",
        policy=Policy(keeps=False),
    ),
)
