from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import threading
from http.client import HTTPSConnection
from urllib.parse import urlsplit

import pytest

from keptalive.errors import UsageError
from keptalive.lookalike.behaviour import parse_scenario
from keptalive.lookalike.server import Served, run_forever


def test_run_forever_serves_until_ctrl_c_and_says_what_it_served(tmp_path):
    bundle_path = tmp_path / "bundle.pem"
    seen = []

    def use(url: str) -> None:
        try:
            context = ssl.create_default_context(cafile=bundle_path)
            for _ in range(2):
                connection = HTTPSConnection(urlsplit(url).netloc, context=context, timeout=10)
                connection.request("GET", "/rate_limit", headers={"User-Agent": "test"})
                seen.append(json.loads(connection.getresponse().read())["rate"]["limit"])
                connection.close()
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    def on_ready(url: str, certificates: int) -> None:
        seen.append(certificates > 50)
        threads.append(threading.Thread(target=use, args=(url,)))
        threads[0].start()

    threads: list[threading.Thread] = []
    before = signal.getsignal(signal.SIGINT)
    served = run_forever(
        parse_scenario("keep-alive"),
        port=0,
        rtt_ms=0.0,
        bundle_path=bundle_path,
        on_ready=on_ready,
    )
    threads[0].join()
    assert seen == [True, 60, 60]
    assert served == Served(accepted=2, requests=2)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("port", [None, 70_000])
def test_a_port_that_cannot_be_had_is_one_clear_line(tmp_path, port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = port or taken.getsockname()[1]
        with pytest.raises(UsageError) as refusal:
            run_forever(
                "keep-alive",
                port=wanted,
                rtt_ms=0.0,
                bundle_path=tmp_path / "bundle.pem",
                on_ready=lambda url, certificates: None,
            )
    assert str(refusal.value).startswith(f"cannot listen on 127.0.0.1:{wanted} (")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "bundle.pem").exists()
