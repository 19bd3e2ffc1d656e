"""nginx."""

from __future__ import annotations

from .finding import missing, program
from .setup import Place, Policy, Server, Setup

# Its log has two numbers of its own: of the connection, and of the request on that connection
CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
    log_format numbers '$connection $connection_requests';
    access_log {log} numbers;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} {tls};
        {certificate}
        {settings}
        location / {{ default_type application/json; return 200 '{{}}'; }}
    }}
}}
"""


def command(place: Place, settings: str) -> list[str]:
    """nginx in one process, with these directives."""
    certificate = place.certificate
    configuration = CONFIGURATION.format(
        folder=place.folder,
        log=place.log,
        port=place.port,
        tls="ssl" if certificate else "",
        certificate=f"ssl_certificate {certificate}; ssl_certificate_key {certificate};"
        if certificate
        else "",
        settings=settings,
    )
    path = place.write("nginx.conf", configuration)
    return [str(program("nginx")), "-p", str(place.folder), "-e", "stderr", "-c", str(path)]


NGINX = Server(
    name="nginx",
    default="75 s; 1000 requests; 1 hour of age",
    to_set="`keepalive_timeout 75s 75;`: with the second number it announces the first one.",
    command=command,
    missing=lambda: missing("nginx"),
)


def _setups(tls: bool) -> list[Setup]:
    closes_with = "TLS close and FIN" if tls else "FIN"
    policies = {
        "keepalive_timeout 2s;": Policy(idle_s=2, closes_with=closes_with),
        "keepalive_timeout 2s; keepalive_requests 5;": Policy(
            idle_s=2, requests_set=5, closes_with=closes_with
        ),
        "keepalive_timeout 2s; keepalive_time 3s;": Policy(
            idle_s=2, age_s=3, closes_with=closes_with
        ),
        "keepalive_timeout 0;": Policy(keeps=False, closes_with=closes_with),
    }
    return [
        Setup(server=NGINX, settings=settings, policy=policy, tls=tls)
        for settings, policy in policies.items()
    ]


SETUPS = (
    *_setups(tls=False),
    *_setups(tls=True),
    Setup(
        server=NGINX,
        settings="keepalive_timeout 2s 2;",
        policy=Policy(idle_s=2, announces="timeout=2"),
    ),
)
