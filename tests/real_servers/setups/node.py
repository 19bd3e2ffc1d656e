"""Node's http module."""

from __future__ import annotations

from .finding import missing, program
from .setup import Place, Policy, Server, Setup

SOURCE = """
const fs = require('fs');
const log = fs.openSync({log!r}, 'a');
const answer = (request, response) => {{
  fs.writeSync(log, request.socket.remotePort + '\\n');
  request.resume();
  request.on('end', () => {{
    response.setHeader('Content-Type', 'application/json');
    response.end('{{}}');
  }});
}};
const pem = {pem!r} && fs.readFileSync({pem!r});
const server = pem
  ? require('https').createServer({{key: pem, cert: pem}}, answer)
  : require('http').createServer(answer);
Object.assign(server, {{{settings}}});
server.listen({port}, '127.0.0.1');
"""


def command(place: Place, settings: str) -> list[str]:
    """A server of Node's, with these attributes."""
    source = SOURCE.format(
        log=str(place.log),
        pem=str(place.certificate or ""),
        settings=settings,
        port=place.port,
    )
    return [str(program("node", "nodejs")), str(place.write("server.js", source))]


NODE = Server(
    name="node",
    default="5 s",
    to_set="`server.keepAliveTimeout` (ms), above 1000.",
    command=command,
    missing=lambda: missing("node", "nodejs"),
)

SETUPS = (
    Setup(
        server=NODE,
        settings="keepAliveTimeout: 2000",
        policy=Policy(idle_s=2, adds_s=1, announces="timeout=2"),
    ),
    Setup(
        server=NODE,
        settings="keepAliveTimeout: 2000",
        policy=Policy(idle_s=2, adds_s=1, announces="timeout=2"),
        tls=True,
    ),
    Setup(
        server=NODE,
        settings="keepAliveTimeout: 2000, maxRequestsPerSocket: 5",
        policy=Policy(
            idle_s=2,
            adds_s=1,
            requests_set=5,
            announces="timeout=2, max=5",
        ),
    ),
    Setup(
        server=NODE,
        settings="",
        policy=Policy(idle_s=5, adds_s=1, announces="timeout=5"),
    ),
)
