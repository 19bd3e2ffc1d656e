"""Apache httpd."""

from __future__ import annotations

import os
import signal

from .finding import folder_of_modules, missing, program
from .setup import Place, Policy, Server, Setup

_MODULES = (
    "/usr/lib/apache2/modules",  # Debian
    "/usr/lib64/httpd/modules",  # Fedora
    "/usr/lib/httpd/modules",
    "/usr/libexec/apache2",  # macOS
)

CONFIGURATION = """
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
Mutex file:{folder}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
{modules}
{user}
StartServers 1
GracefulShutdownTimeout 5
DocumentRoot {folder}/files
ErrorLog /dev/stderr
LogLevel error
LogFormat "%{{remote}}p" ports
CustomLog {log} ports
{tls}
{settings}
"""
_TLS = """
SSLEngine on
SSLSessionCache shmcb:{folder}/sessions(512000)
SSLCertificateFile {certificate}
"""


def command(place: Place, settings: str) -> list[str]:
    """Apache with its event MPM, in the foreground, with these directives."""
    folder = folder_of_modules(_MODULES)
    assert folder is not None
    modules = ["mpm_event", "authz_core", *(["socache_shmcb", "ssl"] if place.certificate else [])]
    # It does not serve as root
    user = "User nobody\n" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    configuration = CONFIGURATION.format(
        folder=place.folder,
        port=place.port,
        log=place.log,
        modules="\n".join(f"LoadModule {name}_module {folder}/mod_{name}.so" for name in modules),
        user=user,
        tls=_TLS.format(folder=place.folder, certificate=place.certificate)
        if place.certificate
        else "",
        settings=settings.replace("; ", "\n"),
    )
    path = place.write("apache.conf", configuration)
    return [str(program("apache2", "httpd")), "-f", str(path), "-DFOREGROUND"]


def _missing() -> str | None:
    if folder_of_modules(_MODULES) is None:
        return "the modules of apache2 are not installed"
    return missing("apache2", "httpd")


APACHE = Server(
    name="apache",
    default="5 s; 100 requests",
    to_set="`KeepAliveTimeout`; `MaxKeepAliveRequests 0` for no limit.",
    command=command,
    missing=_missing,
    stop=signal.SIGWINCH,
)

_SETTINGS = "KeepAliveTimeout 2; MaxKeepAliveRequests 5"

SETUPS = (
    Setup(
        server=APACHE,
        settings=_SETTINGS,
        policy=Policy(
            idle_s=2,
            requests_set=5,
            serves_more=1,
            announces="timeout=2, max=5",
        ),
    ),
    Setup(
        server=APACHE,
        settings=_SETTINGS,
        policy=Policy(
            idle_s=2,
            requests_set=5,
            serves_more=1,
            announces="timeout=2, max=5",
            closes_with="TLS close and FIN",
        ),
        tls=True,
    ),
    Setup(
        server=APACHE,
        settings="",
        policy=Policy(
            idle_s=5,
            requests_set=100,
            serves_more=1,
            announces="timeout=5, max=100",
        ),
    ),
)
