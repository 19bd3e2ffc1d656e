"""Greenlets share a thread: none of them stops the others, and each has its own request."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.marks import complete
from tests.servers.scripted import Server

# gevent's last version for Python 3.10 says so at the end of any program that it patches
GEVENTS_OWN = re.compile(
    r"Exception ignored in: <function _removeHandlerRef .*?: greenlet is being finalized\n",
    re.DOTALL,
)
PROGRAM = Path(__file__).parents[1] / "data" / "programs" / "tuned_greenlets.py"


@pytest.mark.parametrize(
    ("library", "how"),
    [
        ("gevent", "late"),
        *(complete("gevent", how) for how in ("early", "no-threads")),
        *(complete("eventlet", how) for how in ("early", "late", "no-threads")),
    ],
)
def test_greenlets_that_wait_for_a_connection_let_those_that_have_one_go_on(
    library: str, how: str
) -> None:
    pytest.importorskip("gevent")  # eventlet says when imported that it is not maintained
    with Server() as server:
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", PROGRAM, library, how, server.url],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            # without dnspython, which imports HTTP clients that eventlet cannot patch
            env={**os.environ, "NO_PROXY": "*", "EVENTLET_NO_GREENDNS": "yes"},
        )
        assert (ran.stdout, GEVENTS_OWN.sub("", ran.stderr)) == ("20\n", "")
        assert server.accepted == 2
        assert len(server.requests) == 20
