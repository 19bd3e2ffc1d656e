"""Links for tests, and where they are skipped."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from keptalive.link.choice import Used, opened_link
from keptalive.lookalike.address import Address
from keptalive.lookalike.process import Lookalike

_TRY = """
import sys
from keptalive import interruption
from keptalive.link.process import entered_link
interruption.install()
with entered_link(sys.argv[1], rtt_ms=0) as link:
    print("user" if link.user else "root")
"""


@cache
def possible(kind: str) -> str:
    """ "root" or "user", as this link is made here; else the last line of why not."""
    tried = subprocess.run(
        [sys.executable, "-c", _TRY, kind], capture_output=True, text=True, check=False
    )
    return (tried.stdout or tried.stderr).strip().splitlines()[-1]


def skip_unless(kind: str, *hows: str) -> None:
    if (how := possible(kind)) not in hows:
        why = "it takes a user namespace, which tests cannot leave" if how == "user" else how
        pytest.skip(f"no link of kind {kind} here: {why}")


@pytest.fixture(params=["tun", "veth"])
def kind(request: pytest.FixtureRequest) -> str:
    skip_unless(request.param, "root")
    return request.param


@pytest.fixture
def tun() -> None:
    skip_unless("tun", "root")


Serve = Callable[..., tuple[Lookalike, Used]]


@pytest.fixture
def serve(tun: None) -> Iterator[Serve]:
    """A look-alike at the end of a TUN link; the test is on the link too, until it ends."""
    with contextlib.ExitStack() as stack:

        def start(*scenarios: str, rtt_ms: float = 20.0) -> tuple[Lookalike, Used]:
            link = stack.enter_context(opened_link("tun", rtt_ms=rtt_ms))
            address = Address(link.listen, link.named)
            lookalike = stack.enter_context(
                Lookalike.start(scenarios, address=address, settle=link.settle)
            )
            return lookalike, link

        yield start


def without_rights(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run keptalive as a user who is not root; if we are, as root without the rights of one."""
    dropped = "-sys_admin,-net_admin,-net_raw"
    before = ["setpriv", f"--bounding-set={dropped}", "--inh-caps=-all"] if os.getuid() == 0 else []
    command = [*before, sys.executable, "-m", "keptalive", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)
