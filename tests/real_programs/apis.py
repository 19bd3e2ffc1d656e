"""The parts of GitHub's, Hugging Face's and Spotify's APIs that the programs in tests/data send
requests to, and a few paths that answer with what they were sent.

Pure: a request comes in, an answer goes out; `served` puts them on a connection of `Server`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers.peer import Peer, Request

COMMIT = "c0ffee" + "0" * 34
FILES = {"config.json": b'{"layers": 2}', "weights.bin": bytes(70_000)}
MODEL = {"id": "org/model", "sha": COMMIT, "siblings": [{"rfilename": name} for name in FILES]}
SPOTIFY_ID = "0123456789abcdefABCDEF"
ALBUM = f"/v1/albums/{SPOTIFY_ID}"  # busy at first, on each connection


@dataclass(frozen=True)
class Answer:
    """What is sent for one request."""

    status: int = 200
    headers: tuple[str, ...] = ()
    body: bytes = b""


def served(peer: Peer) -> None:
    """Answer everything on this connection until the client closes it."""
    is_busy = True
    while request := peer.request():
        answer = _answer(request, "https://" + request.headers["host"])
        if request.target.startswith(ALBUM) and is_busy:
            is_busy = False
            answer = Answer(429, ("Retry-After: 0",))
        if request.target == "/tls":
            answer = Answer(body=str(getattr(peer.sock, "version", str)()).encode())
        if request.method == "HEAD":
            lines = [f"HTTP/1.1 {answer.status} .", f"Content-Length: {len(answer.body)}"]
            peer.send("\r\n".join((*lines, *answer.headers, "\r\n")).encode())
        else:
            peer.respond(answer.status, *answer.headers, body=answer.body)


def _answer(request: Request, base: str) -> Answer:
    path = urlsplit(request.target).path
    asked = parse_qs(urlsplit(request.target).query)
    if "/resolve/" in path:
        return _file(path.rpartition("/")[2])
    if path in ("/echo", "/cookie"):
        return Answer(body=request.body or request.headers.get("cookie", "").encode())
    if path == "/redirect":
        return Answer(302, (f"Location: {base}/user",))
    if path == "/large":
        return Answer(body=bytes(100_000))
    if path == "/user/repos":
        return _page(base + path, asked, [_repository(name) for name in "abcdef"], size=2)
    if path == "/api/models":
        return _page(base + path, asked, [{"id": f"org/{name}"} for name in "abcdef"], size=3)
    if path.startswith("/v1/playlists/"):
        return _playlist(base + path, int(asked.get("offset", ["0"])[0]))
    return _json(_KNOWN[path]) if path in _KNOWN else _missing(path)


def _json(value: Any, *headers: str, status: int = 200) -> Answer:
    kind = "Content-Type: application/json"
    return Answer(status, (kind, *headers), json.dumps(value).encode())


def _repository(name: str) -> dict[str, Any]:
    return {"full_name": f"someone/{name}", "name": name, "url": "https://localhost/"}


_KNOWN: dict[str, Any] = {
    "/user": {"login": "someone", "url": "https://localhost/"},
    "/one": 1,
    "/two": 2,
    "/everywhere": "everywhere",
    "/api/models/org/model": MODEL,
    "/api/models/org/model/revision/main": MODEL,
    f"/v1/tracks/{SPOTIFY_ID}": {"name": "a track"},
    "/v1/search": {"tracks": {"items": ["a song"]}},
    ALBUM: {"name": "an album"},
}


def _missing(path: str) -> Answer:
    if path.startswith("/v1/"):
        return _json({"error": {"message": "no such artist", "reason": "gone"}}, status=404)
    code = ("X-Error-Code: RepoNotFound",) if path.startswith("/api/") else ()
    return _json({"message": "Not Found", "status": "404"}, *code, status=404)


def _file(name: str) -> Answer:
    commit = f"X-Repo-Commit: {COMMIT}"
    if name not in FILES:
        return Answer(404, (commit, "X-Error-Code: EntryNotFound"))
    return Answer(200, (commit, f'ETag: "{name}"'), FILES[name])


def _page(url: str, asked: dict[str, list[str]], items: list[Any], *, size: int) -> Answer:
    page = int(asked.get("page", ["1"])[0])
    of_page = items[(page - 1) * size : page * size]
    following = f'Link: <{url}?page={page + 1}>; rel="next"'
    return _json(of_page, *((following,) if page * size < len(items) else ()))


def _playlist(url: str, offset: int) -> Answer:
    items = [{"track": {"name": f"track {number}"}} for number in (offset, offset + 1)]
    following = f"{url}?offset={offset + 2}" if offset < 4 else None
    return _json({"items": items, "next": following})
