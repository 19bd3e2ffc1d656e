"""lighttpd, with a shell script that answers.

If a file answers a POST, lighttpd sends it without reading the body, and closes.
"""

from __future__ import annotations

from .finding import missing, program
from .setup import Place, Policy, Server, Setup

CONFIGURATION = """
server.modules = ("mod_accesslog", "mod_cgi")
server.document-root = "{folder}/files"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "/dev/stderr"
cgi.assign = ("user" => "/bin/sh")
accesslog.filename = "{log}"
accesslog.format = "%{{remote}}p"
{settings}
"""
SCRIPT = r"""
cat >/dev/null
printf 'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'
"""


def command(place: Place, settings: str) -> list[str]:
    """lighttpd in the foreground with these settings."""
    configuration = CONFIGURATION.format(
        folder=place.folder, port=place.port, log=place.log, settings=settings.replace("; ", "\n")
    )
    place.write("files/user", SCRIPT)
    path = place.write("lighttpd.conf", configuration)
    return [str(program("lighttpd")), "-D", "-f", str(path)]


LIGHTTPD = Server(
    name="lighttpd",
    default="5 s; 1000 requests",
    to_set="`server.max-keep-alive-idle`, `server.max-keep-alive-requests`.",
    command=command,
    missing=lambda: missing("lighttpd"),
)

SETUPS = (
    Setup(
        server=LIGHTTPD,
        settings="server.max-keep-alive-idle = 2; server.max-keep-alive-requests = 5",
        policy=Policy(idle_s=2, varies_s=2, requests_set=5, serves_more=1),
    ),
    Setup(
        server=LIGHTTPD,
        settings="",
        policy=Policy(idle_s=5, varies_s=2),
    ),
)
