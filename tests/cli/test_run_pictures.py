"""`keptalive run --html --har --perfetto --json`: what may stand in these files, and what never."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from itertools import chain
from urllib.parse import quote

import pytest
from tests.servers.peer import answers

TOKEN = "ghp_A1b2C3d4/E5f6+G7h8=I9j0K1l2M3n4O5p6"
PASSWORD = "Pa55+w/rd-of-nobody"
FILES = ("report.html", "requests.har", "trace.pftrace", "report.json")
PROGRAM = """
import os, sys, requests
from importlib.util import find_spec
from urllib.parse import quote

token, password, url = os.environ["GITHUB_TOKEN"], os.environ["API_PASSWORD"], sys.argv[1]
host = url.removeprefix("http://")
with requests.Session() as session:
    session.get(url, headers={"Authorization": f"Bearer {token}"}, cookies={"session": token})
    session.get(f"{url}of/{quote(token, safe='')}/user?access_token={token}#{token}")
    session.get(f"{url}{token}/x", params={token: token})
    session.get(f"http://me:{quote(password, safe='')}@{host}user", auth=("me", password))
    exec(compile("session.get(url)", f"/tmp/{token}/sync.py", "exec"))
    try:
        session.get(f"http://{token[:9]}.invalid:1/", proxies={"http": f"http://{token}:x@127.0.0.1:1"})
    except requests.RequestException:
        pass
"""


def test_the_token_of_the_environment_is_in_no_file(serve, tmp_path):
    pytest.importorskip("perfetto")
    (tmp_path / "sync.py").write_text(PROGRAM)
    options = zip(("--html", "--har", "--perfetto", "--json"), FILES, strict=True)
    words = [*chain.from_iterable(options), "sync.py", serve(answers(obeys=False)).url]
    ended = subprocess.run(
        [sys.executable, "-m", "keptalive", "run", *words],
        cwd=tmp_path,
        env={**os.environ, "GITHUB_TOKEN": TOKEN, "API_PASSWORD": PASSWORD},
        capture_output=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    entries = json.loads((tmp_path / "requests.har").read_text())["log"]["entries"]
    assert len(entries) >= 6
    secrets = [secret.encode() for secret in (*forms_of(TOKEN), *forms_of(PASSWORD))]
    contents = {name: (tmp_path / name).read_bytes() for name in FILES}
    contents["standard error"] = ended.stderr
    assert [
        (name, secret) for name, text in contents.items() for secret in secrets if secret in text
    ] == []


def forms_of(secret: str) -> list[str]:
    """As it is, as a URL has it, as Basic authentication has it, and as JSON and HTML may."""
    basic = base64.b64encode(f"me:{secret}".encode()).decode()
    return [secret, quote(secret), quote(secret, safe=""), basic, secret.replace("/", "\\/")]
