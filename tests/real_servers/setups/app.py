"""The applications that the Python servers serve; each writes the client's port into a file."""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BODY = b"{}"
HEADERS = (("Content-Type", "application/json"), ("Content-Length", str(len(BODY))))


def note(port: object) -> None:
    """A request has come from this port of the client."""
    with Path(os.environ["REQUESTS_LOG"]).open("a") as log:
        log.write(f"{port}\n")


def wsgi(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    note(environ["REMOTE_PORT"])
    start_response("200 OK", list(HEADERS))
    return [BODY]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    while (await receive()).get("more_body"):
        pass
    note(scope["client"][1])
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


class Handler(BaseHTTPRequestHandler):
    """What `python -m http.server` is made from, which answers POST as well."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        note(self.client_address[1])
        self.send_response(200)
        for name, value in HEADERS:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(BODY)

    do_POST = do_GET  # noqa: N815 - as `http.server` wants it

    def log_message(self, *_: object) -> None:
        pass


def http_server(port: int) -> None:
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def werkzeug(port: int) -> None:
    from werkzeug.serving import run_simple

    run_simple("127.0.0.1", port, wsgi, threaded=True)
